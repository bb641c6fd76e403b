"""The shapes of what the hub says on its live doors (contract sections 3, 4 and 6).

As in ``http.documents``, nothing is built from them: they are what the document describes, and what
the tests hold every message against (``tests/support/protocol.py``).
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hub.domain import channels, emissions
from hub.domain.publications import InboxState, OwnType, Severity, UserId
from hub.gateways.contract.schemas import reference
from hub.gateways.http.documents import (
    ChannelName,
    CodeName,
    Document,
    ErrorDetail,
    FeatureCompletedEvent,
    Instant,
    JobCompletedEvent,
    JobFailedEvent,
    JobSnapshot,
    Logged,
    NotificationItem,
    Offset,
    ProgressUpdatedEvent,
    ScenarioCompletedEvent,
    StatusChangedEvent,
    UnreadCount,
    Uuid,
)

ENVELOPE: Final = "Envelope"
"""Name of the schema of any envelope."""

AnyEvent = Annotated[Any, Meta(extra_json_schema=reference(ENVELOPE))]
Seconds = Annotated[float, Meta(ge=0, description="Seconds.")]


# -- events -------------------------------------------------------------------------------------


class CreatedNotification(NotificationItem, frozen=True):
    """The notification. ``unread``: of the user, on the user's own channel. ``updated``: it took
    the place of an unread one with the same dedupe key."""

    unread: UnreadCount | UnsetType = UNSET
    updated: bool | UnsetType = UNSET


class NotificationCreatedEvent(Logged, frozen=True, tag_field="type", tag="NOTIFICATION_CREATED"):
    """A notification for one user, or an announcement to a topic or to all."""

    data: CreatedNotification


class ChangedNotifications(Document, frozen=True):
    """What became of notifications, by ``ids`` or ``all`` up to ``upTo``. ``topic``: whose
    subscription began or ended. ``unread``: missing where an announcement ended."""

    state: InboxState
    ids: list[Uuid] | UnsetType = UNSET
    all: Literal[True] | UnsetType = UNSET
    up_to: Uuid | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    unread: UnreadCount | UnsetType = UNSET


class NotificationsChangedEvent(Logged, frozen=True, tag_field="type", tag="NOTIFICATIONS_CHANGED"):
    """The user marked notifications on some device, or they ended, or what comes in changed."""

    data: ChangedNotifications


class ApplicationEvent(Logged, frozen=True):
    """What a service published on a topic, as ``EVENT``."""

    channel: Annotated[str, Meta(pattern=channels.TOPIC)]
    type: OwnType
    data: dict[str, Any]


class BroadcastWords(Document, frozen=True):
    """What an administrator says."""

    title: str
    body: str
    severity: Severity


class BroadcastEvent(Document, frozen=True, tag_field="type", tag="BROADCAST"):
    """An administrator's word to whoever is connected: of no log, so without epoch and offset."""

    v: Literal[1]
    id: Uuid
    channel: ChannelName
    data: BroadcastWords
    timestamp: Instant


JOB_EVENTS: Final = (
    ScenarioCompletedEvent,
    FeatureCompletedEvent,
    ProgressUpdatedEvent,
    StatusChangedEvent,
    JobCompletedEvent,
    JobFailedEvent,
)
EVENTS: Final = (
    *JOB_EVENTS,
    NotificationCreatedEvent,
    NotificationsChangedEvent,
    BroadcastEvent,
    ApplicationEvent,
)
"""Every kind of envelope."""


# -- the hub's own words ------------------------------------------------------------------------


class ChannelPosition(Document, frozen=True):
    """A place in a channel's log."""

    channel: ChannelName
    epoch: str
    offset: Offset


class Deprecation(Document, frozen=True):
    """Something that will not be served any more. ``sunset``: from when on."""

    code: str
    message: str
    sunset: Instant | UnsetType = UNSET


class Hello(Document, frozen=True):
    """The first event of every connection. ``v``: the version of the contract that it speaks;
    ``channels``: all that it follows; ``notices``: deprecations."""

    v: Annotated[int, Meta(ge=1)]
    sid: str
    user_id: UserId
    server_time: Instant
    recovered: bool
    unread: UnreadCount
    channels: list[ChannelPosition]
    notices: list[Deprecation]


_SNAPSHOT: Final = {"anyOf": [reference("JobSnapshot"), reference("NotificationPage")]}


class Reset(ChannelPosition, frozen=True):
    """Not everything up to ``offset`` was or can be delivered on this channel: go on from there.
    ``snapshot``: a job's, or the first page of the inbox on the user's own channel."""

    snapshot: Annotated[Any, Meta(extra_json_schema=_SNAPSHOT)] | UnsetType = UNSET


class StreamReset(ChannelPosition, frozen=True, tag_field="type", tag="RESET"):
    """The same on raw WebSocket and Server-Sent Events."""

    snapshot: JobSnapshot | UnsetType = UNSET


class TokenExpiring(Document, frozen=True):
    """The token ends in a minute: send ``auth:refresh``."""

    expires_at: Instant


class Closing(Document, frozen=True):
    """Why the hub ends the connection, and whether to come back."""

    code: CodeName
    message: str
    reconnect: bool
    retry_after: Seconds | UnsetType = UNSET


class StreamEnd(Document, frozen=True):
    """The job has ended and everything of it was sent: the stream closes."""

    channel: ChannelName


class ErrorFields(Document, frozen=True):
    """A refusal. ``retry``: whether the same may succeed later, ``retryAfter`` seconds from now."""

    code: CodeName
    message: str
    retry: bool
    retry_after: Seconds | UnsetType = UNSET
    details: list[ErrorDetail] | UnsetType = UNSET


class Refusal(Document, frozen=True):
    """The acknowledgement of a command that was not carried out."""

    ok: Literal[False]
    error: ErrorFields


class Connected(Document, frozen=True):
    """CONNECT of the hub. ``pid``: of Socket.IO's connection state recovery."""

    sid: str
    pid: str | UnsetType = UNSET


class ConnectError(Document, frozen=True):
    """``connect_error``: ``message`` is the code."""

    message: CodeName
    data: ErrorFields


# -- answers to commands ------------------------------------------------------------------------


class Subscribed(ChannelPosition, frozen=True):
    """The channel is followed from ``offset`` on; ``events`` come before. ``snapshot``: a job's."""

    mode: Literal["FRESH", "REPLAYED", "RESET"]
    events: list[AnyEvent]
    snapshot: JobSnapshot | UnsetType = UNSET


class Nothing(Document, frozen=True):
    """There is nothing to say."""


class Refreshed(Document, frozen=True):
    """The connection goes on until then. ``left``: channels that the new token does not allow."""

    expires_at: Instant
    left: list[ChannelName] | UnsetType = UNSET


# -- what Redis carries -------------------------------------------------------------------------


_NO_NAMES: Final = sorted(emissions.OWN_EVENTS | emissions.RESERVED_EVENTS)
_Room = Annotated[str, Meta(extra_json_schema={"pattern": channels.CHANNEL})]


class Emitted(Document, frozen=True, forbid_unknown_fields=False):
    """What a manager of python-socketio publishes to emit an event. ``data``: the event's
    arguments; ``room``: the channels that it is for; ``skip_sid``: connections that do not get it.
    Of anything else nothing is taken."""

    method: Literal["emit"]
    event: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=emissions.NAME_AT_MOST,
            extra_json_schema={"not": {"enum": _NO_NAMES}},
        ),
    ]
    data: list[Any]
    room: _Room | Annotated[list[_Room], Meta(min_length=1, max_length=emissions.CHANNELS_AT_MOST)]
    namespace: Literal["/"] | UnsetType | None = UNSET
    skip_sid: str | list[str] | UnsetType | None = msgspec.field(default=UNSET, name="skip_sid")
    callback: UnsetType | None = UNSET
    binary: Literal[False] | UnsetType = UNSET


class BuriedPublication(Document, frozen=True):
    """The fields of an entry that could never be processed. ``p``: what was published, as it was;
    ``reason``: why not; ``entry``: its id on the journal."""

    p: str
    reason: str
    entry: str
