"""What the commands of the namespace ``/admin`` take (contract section 9)."""

from typing import Annotated, Any, ClassVar, Final

from msgspec import Meta, Struct

from hub.domain import ids
from hub.domain.publications import LongText, Severity, Text, UpperSnake, UserId
from hub.gateways.contract.schemas import exactly_one, not_both, reference

_MESSAGE_AT_MOST: Final = 500
_Sid = Annotated[str, Meta(min_length=1, max_length=64)]
_Cursor = Annotated[str, Meta(min_length=1, max_length=256)]
_JobCursor = Annotated[str, Meta(pattern=rf"^[0-9]{{1,14}}:{ids.NAME}\Z")]
_LetterId = Annotated[str, Meta(pattern=r"^[0-9]{2}:[0-9]{1,15}-[0-9]{1,10}\Z")]
_EventId = Annotated[str, Meta(pattern=ids.UUID_FORM.replace("a-f", "a-fA-F"))]


class _Payload(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base of the payloads."""


class StatsPayload(_Payload, frozen=True):
    """``history``: with the cluster's figures of the last fifteen minutes."""

    history: bool = False


class Connections(_Payload, frozen=True):
    """Which connections to list, by one of the two; all when neither is given."""

    rules: ClassVar = not_both("userId", "jobId")

    user_id: UserId | None = None
    job_id: UserId | None = None
    cursor: _Cursor | None = None


class KickPayload(_Payload, frozen=True):
    """Exactly one of the first three."""

    rules: ClassVar = exactly_one("userId", "sid", "jobId")

    user_id: UserId | None = None
    sid: _Sid | None = None
    job_id: UserId | None = None
    message: Annotated[str, Meta(min_length=1, max_length=_MESSAGE_AT_MOST)] | None = None
    ban_seconds: Annotated[int, Meta(ge=1, le=31_536_000)] | None = None


class Unban(_Payload, frozen=True):
    """Whom to let in again."""

    user_id: UserId


class Revoke(_Payload, frozen=True):
    """Exactly one of them."""

    rules: ClassVar = exactly_one("userId", "jti")

    user_id: UserId | None = None
    jti: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None


class ToUsers(_Payload, frozen=True):
    """To the inboxes or connections of these users."""

    users: Annotated[list[UserId], Meta(min_length=1, max_length=1000)]


class ToTopic(_Payload, frozen=True):
    """To who follows a topic."""

    topic: UserId


class ToJob(_Payload, frozen=True):
    """To who follows a job."""

    job_id: UserId


_AUDIENCES: Final = [
    {"const": "all"},
    *(reference(shape.__name__) for shape in (ToUsers, ToTopic, ToJob)),
]


class Broadcast(_Payload, frozen=True):
    """``to``: ``"all"``, ``{users}``, ``{topic}`` or ``{jobId}``."""

    title: Text
    body: LongText
    to: Annotated[Any, Meta(extra_json_schema={"oneOf": _AUDIENCES})]
    persist: bool
    severity: Severity = "INFO"


class Jobs(_Payload, frozen=True):
    """Which jobs to list."""

    status: UpperSnake | None = None
    cursor: _JobCursor | None = None


class DeadPayload(_Payload, frozen=True):
    """Which page of the dead letters."""

    cursor: _LetterId | None = None


class AuditPayload(_Payload, frozen=True):
    """Which page of the audit log."""

    cursor: Annotated[str, Meta(pattern=ids.UUID_FORM)] | None = None


class TracePayload(_Payload, frozen=True):
    """Exactly one of them."""

    rules: ClassVar = exactly_one("notificationId", "eventId")

    notification_id: _EventId | None = None
    event_id: _EventId | None = None


class TailPayload(_Payload, frozen=True):
    """Exactly one of them."""

    rules: ClassVar = exactly_one("userId", "jobId", "sid")

    user_id: UserId | None = None
    job_id: UserId | None = None
    sid: _Sid | None = None


class UntailPayload(TailPayload, frozen=True):
    """Exactly one of them, or nothing at all: then everything."""

    rules: ClassVar = {"oneOf": [*TailPayload.rules["oneOf"], {"maxProperties": 0}]}


class Letters(_Payload, frozen=True):
    """Dead letters by their ids."""

    ids: Annotated[list[_LetterId], Meta(min_length=1, max_length=100)]
