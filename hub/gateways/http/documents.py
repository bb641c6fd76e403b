"""The shapes of what the HTTP API answers (contract sections 3 and 5): what the OpenAPI document
describes, and what tests hold every answer against.

Nothing is built from them, since most answers hold bytes that were encoded once for everybody.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from hub.domain import channels, codes, jobs
from hub.domain.notifications import Scope
from hub.domain.publications import FeatureCompleted, ProgressUpdated, ScenarioCompleted, Severity

Instant = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        description="ISO 8601 in UTC, with milliseconds.",
        extra_json_schema={"format": "date-time"},
    ),
]
Duration = Annotated[
    str,
    Meta(
        pattern=r"^PT(\d+H)?(\d+M)?(\d+S)?$",
        description="ISO 8601, whole seconds.",
        examples=["PT5M30S"],
    ),
]
JobStatus = Annotated[
    str,
    Meta(
        description="Jobs may have non-terminal statuses of their own.",
        extra_json_schema={"x-name": "JobStatus", "x-known": list(jobs.STATUSES)},
    ),
]
ChannelName = Annotated[
    str,
    Meta(
        description="`job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`.",
        extra_json_schema={
            "x-name": "ChannelName",
            "x-known": [channels.ALL],
            "x-begins": [f"{kind}:" for kind in channels.Kind if kind is not channels.Kind.ALL],
        },
    ),
]
Offset = Annotated[int, Meta(ge=0, description="Rises by exactly 1 per event of a channel.")]
Uuid = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
CodeName = Annotated[
    str, Meta(extra_json_schema={"x-name": "CodeName", "enum": list(codes.CATALOGUE)})
]


class Document(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Base of all shapes: camelCase on the wire, nothing beside what is named."""


class ErrorDetail(Document, frozen=True):
    """Where a request is wrong, named by its path. ``supported``: of UNSUPPORTED_VERSION, the
    versions that are spoken."""

    field: str
    message: str
    supported: list[int] | UnsetType = UNSET


class FieldProblem(ErrorDetail, frozen=True):
    """What is wrong with one parameter or field, named by its path. ``index``: of the item.
    ``supported``: of UNSUPPORTED_VERSION, the versions that are spoken."""

    index: int | UnsetType = UNSET


class Problem(Document, frozen=True):
    """A refusal (RFC 9457). ``requestId``: what the log calls the request; ``details``: where the
    request is wrong."""

    type: str
    title: str
    status: int
    detail: str
    error_code: CodeName
    request_id: str
    retry: bool
    retry_after: float | UnsetType = UNSET
    details: list[FieldProblem] | UnsetType = UNSET


class Progress(Document, frozen=True):
    """How far a job is. ``percentage`` has two decimals, and is 0 when the total is 0."""

    completed_scenarios: int
    total_scenarios: int
    completed_features: int
    total_features: int
    percentage: Annotated[float, Meta(ge=0, le=100)]


class Summary(Document, frozen=True):
    """What a job came to."""

    features_generated: int
    scenarios_generated: int
    total_steps: int
    passed: int
    failed: int
    duration: Duration


class StatusChange(Document, frozen=True):
    """The job went from one status to another."""

    previous_status: JobStatus
    current_status: JobStatus
    message: str | UnsetType = UNSET


class Completion(Document, frozen=True):
    """The job ended well."""

    status: Literal["COMPLETED"]
    summary: Summary


class Failure(Document, frozen=True):
    """The job ended in an error. ``failedAt``: its status before."""

    status: Literal["FAILED"]
    error_code: str
    message: str
    failed_at: JobStatus
    last_successful_scenario: str | None


class Logged(Document, frozen=True):
    """An event of a log: the same JSON on every transport."""

    v: Literal[1]
    id: Uuid
    channel: ChannelName
    epoch: str
    offset: Offset
    timestamp: Instant


class _OfJob(Logged, frozen=True, tag_field="type"):
    """An event of a job."""

    job_id: str


class ScenarioCompletedEvent(_OfJob, frozen=True, tag="SCENARIO_COMPLETED"):
    """One scenario was generated: the unit of visible progress."""

    data: ScenarioCompleted
    progress: Progress


class FeatureCompletedEvent(_OfJob, frozen=True, tag="FEATURE_COMPLETED"):
    """All scenarios of a feature were generated."""

    data: FeatureCompleted
    progress: Progress


class ProgressUpdatedEvent(_OfJob, frozen=True, tag="PROGRESS_UPDATED"):
    """Progress of a job without scenarios."""

    data: ProgressUpdated
    progress: Progress


class StatusChangedEvent(_OfJob, frozen=True, tag="JOB_STATUS_CHANGED"):
    """The job entered another status."""

    data: StatusChange


class JobCompletedEvent(_OfJob, frozen=True, tag="JOB_COMPLETED"):
    """The job ended well; nothing comes after it."""

    data: Completion


class JobFailedEvent(_OfJob, frozen=True, tag="JOB_FAILED"):
    """The job ended in an error; nothing comes after it."""

    data: Failure


JobEvent = (
    ScenarioCompletedEvent
    | FeatureCompletedEvent
    | ProgressUpdatedEvent
    | StatusChangedEvent
    | JobCompletedEvent
    | JobFailedEvent
)


class CurrentActivity(Document, frozen=True):
    """What the job is doing right now."""

    type: str
    feature_name: str | UnsetType = UNSET
    scenario_title: str | UnsetType = UNSET
    step_title: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class RecentEvent(Document, frozen=True):
    """An event in short."""

    type: str
    timestamp: Instant
    scenario_id: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    feature_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    previous_status: str | UnsetType = UNSET
    current_status: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    percentage: float | UnsetType = UNSET


class JobSnapshot(Document, frozen=True):
    """A job at a place in its log. ``summary`` and ``failure``: how it ended."""

    job_id: str
    job_kind: str
    project_id: str
    status: JobStatus
    progress: Progress
    current_activity: CurrentActivity | None
    recent_events: Annotated[list[RecentEvent], Meta(max_length=10)]
    estimated_time_remaining: Duration | None
    started_at: Instant
    updated_at: Instant
    epoch: str
    offset: Offset
    ended_at: Instant | UnsetType = UNSET
    duration: Duration | UnsetType = UNSET
    summary: Summary | UnsetType = UNSET
    failure: Failure | UnsetType = UNSET


class ListedJob(Document, frozen=True):
    """A job as one of a list."""

    job_id: str
    job_kind: str
    project_id: str
    owner_id: str
    status: JobStatus
    progress: Progress
    started_at: Instant
    updated_at: Instant
    epoch: str
    offset: Offset
    ended_at: Instant | UnsetType = UNSET


class JobList(Document, frozen=True):
    """A page of jobs."""

    items: list[ListedJob]
    next_cursor: str | None


class JobHistory(Document, frozen=True):
    """A page of a job's events, oldest first."""

    job_id: str
    events: list[JobEvent]
    has_more: bool
    next_cursor: str | None


class UnreadCount(Document, frozen=True):
    """How much is unread, exactly. ``version`` never goes back for a user, on any device."""

    count: Annotated[int, Meta(ge=0)]
    version: Annotated[int, Meta(ge=0)]


class NotificationItem(Document, frozen=True):
    """A notification as its user sees it."""

    id: Uuid
    type: str
    title: str
    body: str
    severity: Severity
    created_at: Instant
    seen_at: Instant | None
    read_at: Instant | None
    dismissed_at: Instant | None
    scope: Scope
    link: str | UnsetType = UNSET
    data: dict[str, Any] | UnsetType = UNSET
    job_id: str | UnsetType = UNSET
    actor: str | UnsetType = UNSET
    expires_at: Instant | UnsetType = UNSET


class NotificationPage(Document, frozen=True):
    """A page of an inbox, newest first."""

    items: list[NotificationItem]
    next_cursor: str | None
    unread: UnreadCount


class MarkedNotifications(Document, frozen=True):
    """How many a mark changed, and what is unread now."""

    changed: Annotated[int, Meta(ge=0)]
    unread: UnreadCount


class PreferencesDocument(Document, frozen=True):
    """What a user does not want to be notified of."""

    muted_types: list[str]
    muted_topics: list[str]


class IssuedTicket(Document, frozen=True):
    """A ticket: good once, for 30 seconds."""

    ticket: str
    expires_at: Instant


class PublishReceipt(Document, frozen=True):
    """What became of a call's publications. ``ids``: of all of them, in their order."""

    accepted: Annotated[int, Meta(ge=0)]
    duplicates: Annotated[int, Meta(ge=0)]
    ids: list[Uuid]


class Liveness(Document, frozen=True):
    """The process answers."""

    status: Literal["ok"]


class Readiness(Document, frozen=True):
    """Whether the node takes clients, and the state of each store: ``ok`` or what is wrong."""

    status: Literal["ready", "draining", "unavailable"]
    dependencies: dict[str, str]
