"""The only door for publications: what passes it can be stored and delivered, what does not is
refused with INVALID_REQUEST naming the field (contract sections 5 and 7)."""

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hub.domain import channels, codes, storable
from hub.domain.publications import (
    DATA_AT_MOST,
    JOB_EVENT_DATA,
    JOB_STARTED,
    LINK,
    MAX_BYTES,
    REPORTED_OTHERWISE,
    RESERVED_TYPES,
    Activity,
    AnnouncementsEnded,
    AnyPublication,
    InboxChanged,
    JobEvent,
    JobPublication,
    JobStarted,
    Notification,
    StatusChanged,
    TopicEvent,
)
from hub.domain.shapes import explain, not_json

_LINK: Final = re.compile(LINK)
_KINDS: Final = "must be JOB, NOTIFICATION, ACTIVITY or EVENT"


class _Head(Struct):
    """Just enough of a publication to know which shape to expect."""

    kind: str | UnsetType = UNSET
    type: Any = UNSET


def parse_publication(raw: bytes | str) -> AnyPublication:
    """The publication that ``raw`` encodes.

    Raises ``HubError``: PAYLOAD_TOO_LARGE over ``MAX_BYTES``, else INVALID_REQUEST naming the
    field.
    """
    body = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    if len(body) > MAX_BYTES:
        raise codes.HubError(
            codes.PAYLOAD_TOO_LARGE, f"a publication has at most {MAX_BYTES} bytes, not {len(body)}"
        )
    try:
        return _checked(_decode(body))
    except msgspec.ValidationError as error:
        raise explain(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json("payload", body, error) from None


def parse_item(item: object) -> AnyPublication:
    """As ``parse_publication``, for a value that a caller sent and that was decoded already: what
    only the hub may say is refused."""
    try:
        raw = msgspec.json.encode(item)
    except (UnicodeEncodeError, RecursionError) as error:
        raise codes.invalid("payload", f"not JSON: {error}") from None
    publication = parse_publication(raw)
    if isinstance(publication, InboxChanged | AnnouncementsEnded):
        raise codes.invalid("kind", _KINDS)
    if isinstance(publication, Notification) and publication.sender is not UNSET:
        raise codes.invalid("sender", "unknown field")
    return publication


def _decode(body: bytes) -> AnyPublication:
    head = msgspec.json.decode(body, type=_Head)
    fields = _fields(body)
    fields.pop("kind", None)
    match head.kind:
        case "JOB" if head.type == JOB_STARTED:
            return msgspec.convert(fields, JobStarted)
        case "JOB":
            return _decode_job_event(fields)
        case "ACTIVITY":
            return msgspec.convert(fields, Activity)
        case "NOTIFICATION":
            return msgspec.convert(fields, Notification)
        case "EVENT":
            return msgspec.convert(fields, TopicEvent)
        case "INBOX":
            return msgspec.convert(fields, InboxChanged)
        case "ENDED":
            return msgspec.convert(fields, AnnouncementsEnded)
        case _:
            raise codes.invalid("kind", _KINDS)


def _fields(body: bytes) -> dict[str, Any]:
    """The members of the object; one that has no value (a number out of range) is named."""
    fields = {}
    for name, raw in msgspec.json.decode(body, type=dict[str, msgspec.Raw]).items():
        try:
            fields[name] = msgspec.json.decode(raw)
        except msgspec.ValidationError as error:
            raise _below(name, explain(error)) from None
    return fields


def _decode_job_event(fields: dict[str, Any]) -> JobEvent:
    data = fields.pop("data", {})
    head = msgspec.convert(fields, _JobEventHead)
    shape = JOB_EVENT_DATA.get(head.type)
    if shape is None:
        known = ", ".join([JOB_STARTED, *JOB_EVENT_DATA])
        raise codes.invalid("type", f"must be one of {known}")
    try:
        typed = msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        raise _below("data", explain(error)) from None
    return JobEvent(id=head.id, job_id=head.job_id, type=head.type, data=typed)


class _JobEventHead(JobPublication, frozen=True, kw_only=True):
    type: str


def _below(parent: str, error: codes.HubError) -> codes.HubError:
    detail = (error.details or [{"field": "", "message": error.message}])[0]
    field = detail["field"]
    path = parent if field in ("", "payload") else f"{parent}.{field}"
    return codes.invalid(path, detail["message"])


def _checked(publication: AnyPublication) -> AnyPublication:
    """What a shape alone cannot say."""
    match publication:
        case JobEvent(data=StatusChanged(current_status=status)) if status in REPORTED_OTHERWISE:
            raise codes.invalid("data.currentStatus", f"{status} is reported by JOB_{status}")
        case TopicEvent():
            _check_topic_event(publication)
        case Notification():
            _check_notification(publication)
    return publication


def _check_notification(publication: Notification) -> None:
    to = publication.to
    if to != "all" and (to.users is UNSET) == (to.topic is UNSET):
        raise codes.invalid("to", 'must be {users: [..]}, {topic} or "all"')
    if publication.dedupe_key is not UNSET and not publication.users:
        raise codes.invalid("dedupeKey", "is per recipient: it goes with to.users only")
    if publication.link is not UNSET and not _LINK.match(publication.link):
        raise codes.invalid("link", "must be http(s)://… or a path on the same site")
    if publication.data is not UNSET:
        storable.check(publication.data, "data", max_bytes=DATA_AT_MOST)
    if isinstance(publication.expires_at, datetime):
        try:
            publication.expires_at.astimezone(UTC)
        except OverflowError:
            raise codes.invalid("expiresAt", "is not a time of the calendar in UTC") from None


def _check_topic_event(publication: TopicEvent) -> None:
    channel = channels.parse_channel(publication.topic_name)
    if channel is None or channel.kind is not channels.Kind.TOPIC:
        raise codes.invalid("channel", "must be topic:<name>")
    if publication.type in RESERVED_TYPES:
        raise codes.invalid("type", f"{publication.type} is the hub's own")
    storable.check(publication.data, "data")
