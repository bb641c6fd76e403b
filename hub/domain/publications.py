"""Publications: the shapes of what workers report, on every path alike (contract sections 5 and
10). What a shape alone cannot say is checked by ``hub.domain.parsing``."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from hub.domain import channels, ids, storable
from hub.domain.inbox import NEVER

MAX_BYTES: Final = 65_536
"""Largest publication, as encoded JSON (contract 10)."""

DATA_AT_MOST: Final = 16_384
"""Bytes of a notification's ``data``, as encoded JSON."""

MARKED_AT_MOST: Final = 500
"""Notifications that one command marks by their ids."""

REPORTED_OTHERWISE: Final = ("COMPLETED", "FAILED")
"""Statuses that a job has by an event of their own."""

_NOT_HIDING: Final = r"[^\x00-\x20\x7f-\xa0\\]"
LINK: Final = rf"^([Hh][Tt][Tt][Pp][Ss]?://{_NOT_HIDING}*|(?!//)(?![^/?#:]*:){_NOT_HIDING}+)\Z"
"""Pattern of what a click may lead to: a page, and nothing that runs. Browsers drop white space and
control characters in a URL, and read a backslash as a slash."""

_UPPER_SNAKE: Final = r"^[A-Z][A-Z0-9_]{0,63}\Z"
UserId = Annotated[str, Meta(pattern=ids.USER_ID)]
UpperSnake = Annotated[str, Meta(pattern=_UPPER_SNAKE)]
Text = Annotated[str, Meta(min_length=1, max_length=4096)]
LongText = Annotated[str, Meta(max_length=16_384)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Severity = Literal["INFO", "SUCCESS", "WARNING", "ERROR"]


class _Strict(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """Base of all shapes: immutable, camelCase on the wire, unknown fields refused. ``rules`` of a
    shape: what its JSON Schema says beside its fields, as ``hub.domain.parsing`` checks it."""


class ScenarioCompleted(_Strict, frozen=True):
    """One scenario was generated: the unit of visible progress."""

    scenario_id: UserId
    feature_id: UserId
    feature_name: Text
    title: Text
    steps_count: Count


class FeatureCompleted(_Strict, frozen=True):
    """All scenarios of a feature were generated."""

    feature_id: UserId
    name: Text
    scenarios_count: Count
    total_steps: Count


class StatusChanged(_Strict, frozen=True):
    """The job entered ``current_status``; CANCELLED is the only terminal one reported this way."""

    current_status: Annotated[
        str,
        Meta(pattern=_UPPER_SNAKE, extra_json_schema={"not": {"enum": list(REPORTED_OTHERWISE)}}),
    ]
    message: LongText | UnsetType = UNSET


class JobCompleted(_Strict, frozen=True, omit_defaults=False):
    """The job ended well; everything else of the summary is derived from its events. What is left
    out is 0."""

    passed: Count = 0
    failed: Count = 0


class JobFailed(_Strict, frozen=True):
    """The job ended in an error."""

    error_code: UpperSnake
    message: LongText


class ProgressUpdated(_Strict, frozen=True):
    """Progress of a job without scenarios, in percent."""

    percentage: Annotated[float, Meta(ge=0, le=100)]
    message: LongText | UnsetType = UNSET


JobEventData = (
    ScenarioCompleted
    | FeatureCompleted
    | StatusChanged
    | JobCompleted
    | JobFailed
    | ProgressUpdated
)

JOB_EVENT_DATA: Final[dict[str, type[JobEventData]]] = {
    "SCENARIO_COMPLETED": ScenarioCompleted,
    "FEATURE_COMPLETED": FeatureCompleted,
    "JOB_STATUS_CHANGED": StatusChanged,
    "JOB_COMPLETED": JobCompleted,
    "JOB_FAILED": JobFailed,
    "PROGRESS_UPDATED": ProgressUpdated,
}
"""The payload of each job event type."""

JOB_STARTED: Final = "JOB_STARTED"
RESERVED_TYPES: Final = frozenset(
    {"NOTIFICATION_CREATED", "NOTIFICATIONS_CHANGED", "RESET", "BROADCAST", *JOB_EVENT_DATA}
)
"""Event types that only the hub itself gives."""

OwnType = Annotated[
    str,
    Meta(pattern=ids.USER_ID, extra_json_schema={"not": {"enum": sorted(RESERVED_TYPES)}}),
]
"""An event type of a service's own."""


class Totals(_Strict, frozen=True):
    """How much a job will produce; 0 while unknown."""

    scenarios: Count = 0
    features: Count = 0


class Publication(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Common part of every publication. ``id``: the idempotence key, the same one twice has
    effect once."""

    kind: ClassVar[str]
    id: UUID

    @property
    def channel(self) -> str:
        """The channel whose journal it goes to: its first one."""
        raise NotImplementedError

    def encode(self) -> bytes:
        """The JSON that the journal carries."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return msgspec.json.encode({"kind": self.kind, **fields})


class JobPublication(Publication, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What is reported of a job."""

    job_id: UserId

    @property
    def channel(self) -> str:
        return channels.job_channel(self.job_id)


class JobStarted(JobPublication, frozen=True, kw_only=True, omit_defaults=True):
    """A job begins; it is stored as CREATED and is no event."""

    kind = "JOB"
    type: Literal["JOB_STARTED"]
    project_id: UserId
    owner_id: UserId
    job_kind: UpperSnake = "GENERATION_JOB"
    watcher_ids: Annotated[list[UserId], Meta(max_length=100)] = []
    totals: Totals = Totals()
    important: bool = False
    data: Annotated[dict[str, Any], Meta(max_length=0)] = {}


class JobEvent(JobPublication, frozen=True, kw_only=True):
    """Something happened in a job; ``data`` is shaped as ``JOB_EVENT_DATA`` says of its type."""

    kind = "JOB"
    type: str
    data: JobEventData


class ActivityDetail(_Strict, frozen=True):
    """What the job is doing right now; it changes the snapshot only and is never an event."""

    type: UpperSnake = "GENERATING_SCENARIO"
    feature_name: Text | UnsetType = UNSET
    scenario_title: Text | UnsetType = UNSET
    step_title: Text | UnsetType = UNSET
    message: LongText | UnsetType = UNSET


class Activity(JobPublication, frozen=True, kw_only=True):
    """Replaces the snapshot's ``currentActivity``; null clears it."""

    kind = "ACTIVITY"
    activity: ActivityDetail | None


class Recipients(_Strict, frozen=True):
    """Addressed to these users, or to whoever follows the topic: exactly one of the two."""

    rules: ClassVar = {"oneOf": [{"required": ["users"]}, {"required": ["topic"]}]}

    users: Annotated[list[UserId], Meta(min_length=1, max_length=1000)] | UnsetType = UNSET
    topic: UserId | UnsetType = UNSET


class Notification(Publication, frozen=True, kw_only=True, omit_defaults=True):
    """A message for people's inboxes. ``dedupeKey``: per recipient, so with ``to.users`` only.
    ``actor``: the user who caused it."""

    kind = "NOTIFICATION"
    rules: ClassVar = {
        "if": {"required": ["dedupeKey"]},
        "then": {"properties": {"to": {"type": "object", "required": ["users"]}}},
    }
    to: Recipients | Literal["all"]
    type: UserId
    title: Text
    body: LongText
    severity: Severity = "INFO"
    link: (
        Annotated[
            str,
            Meta(
                max_length=2048,
                description="http(s)://…, or a path on the same site.",
                extra_json_schema={"pattern": LINK},
            ),
        ]
        | UnsetType
    ) = UNSET
    data: (
        Annotated[
            dict[str, Any],
            Meta(description=f"At most {DATA_AT_MOST} bytes of JSON, {storable.SAID}."),
        ]
        | UnsetType
    ) = UNSET
    job_id: UserId | UnsetType = UNSET
    expires_at: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET
    dedupe_key: Annotated[str, Meta(min_length=1, max_length=256)] | UnsetType = UNSET
    actor: UserId | UnsetType = UNSET
    sender: Literal["ADMIN"] | UnsetType = UNSET
    """Set by the hub when an administrator sent it, never by a caller."""

    @property
    def channel(self) -> str:
        if self.users:
            return channels.user_channel(self.users[0])
        return channels.ALL if self.to == "all" else channels.topic_channel(str(self.to.topic))

    @property
    def users(self) -> list[str]:
        """The users it is addressed to by name; empty when it goes to a topic or to all."""
        return list(self.to.users) if self.to != "all" and self.to.users is not UNSET else []

    @property
    def critical(self) -> bool:
        """Whether nobody can mute it."""
        return self.severity == "ERROR" and self.sender == "ADMIN"


class Place(_Strict, frozen=True):
    """A place in an inbox; everything at or before it is meant."""

    at: Annotated[datetime, Meta(tz=True)]
    id: Annotated[str, Meta(max_length=36)]


class Everything(_Strict, frozen=True):
    """All that is not dismissed, up to a place among what went to the user alone, and one among
    the announcements; without a place, nothing there. ``everybody``: the version of everybody's
    that the user saw: what came later is not meant, whenever it is carried out. ``up_to``: the id
    that the user gave."""

    own: Place | UnsetType = UNSET
    announced: Place | UnsetType = UNSET
    everybody: int = NEVER
    up_to: Annotated[str, Meta(max_length=36)] | UnsetType = UNSET


InboxState = Literal[
    "SEEN",
    "READ",
    "UNREAD",
    "DISMISSED",
    "RESTORED",
    "PREFERENCES",
    "SUBSCRIPTIONS",
    "EXPIRED",
]


class InboxChanged(Publication, frozen=True, kw_only=True, omit_defaults=True):
    """The hub's own: a user marked notifications, or changed what the inbox receives; or some of
    them ended (``EXPIRED``). ``at``: when, by the server's clock. ``ids`` or ``everything``: what
    was marked. ``topic``: whose subscription began or ended."""

    kind = "INBOX"
    user_id: UserId
    state: InboxState
    at: Annotated[datetime, Meta(tz=True)]
    ids: Annotated[list[str], Meta(max_length=MARKED_AT_MOST)] = []
    everything: Everything | UnsetType = UNSET
    topic: UserId | UnsetType = UNSET

    @property
    def channel(self) -> str:
        return channels.user_channel(self.user_id)


class AnnouncementsEnded(Publication, frozen=True, kw_only=True):
    """The hub's own: announcements of a channel do not count any more, for anybody."""

    kind = "ENDED"
    announced_on: Annotated[str, Meta(max_length=256)] = msgspec.field(name="channel")
    ids: Annotated[list[str], Meta(max_length=MARKED_AT_MOST)]

    @property
    def channel(self) -> str:
        return self.announced_on


class TopicEvent(Publication, frozen=True, kw_only=True):
    """Any event of a team's own on a topic."""

    kind = "EVENT"
    topic_name: Annotated[str, Meta(pattern=channels.TOPIC)] = msgspec.field(name="channel")
    type: OwnType
    data: Annotated[dict[str, Any], Meta(description=f"At most {storable.SAID}.")]

    @property
    def channel(self) -> str:
        return self.topic_name


AnyPublication = (
    JobStarted | JobEvent | Activity | Notification | TopicEvent | InboxChanged | AnnouncementsEnded
)

PUBLICATION_KINDS: Final = tuple(shape.kind for shape in get_args(AnyPublication))
"""The ``kind`` of each shape, for documents and tests."""
