"""Jobs: the snapshot that a job's events fold into, and what the hub derives for each event.

Everything here is pure: ``rebuild`` of the same start and events gives the same ``Job``.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from hub.domain import codes, publications, times
from hub.domain.events import Event

STATUSES: Final = (
    *("CREATED", "PLANNING", "PLANNED", "WAITING_APPROVAL", "GENERATING", "VALIDATING"),
    *("COMPLETED", "FAILED", "CANCELLED"),
)
"""What the contract calls them; jobs may have non-terminal ones of their own."""

TERMINAL: Final = frozenset(STATUSES[-3:])
"""Statuses that a job never leaves."""

RECENT_EVENTS: Final = 10
_ACTIVITIES: Final = 16
_GENERATION: Final = "GENERATION_JOB"
_ACTIVITY: Final = "GENERATING_SCENARIO"
_ANY_ACTIVITY: Final = "WORKING"
_FINISHES: Final = 21  # timestamps kept for the pace: 20 intervals


class Job(Struct, frozen=True, kw_only=True):
    """A job as its events made it. Counts are of finished things; ``percentage`` is only set
    for jobs that report it themselves; ``finishes`` are the times of the last scenarios.
    ``activity_ids`` and ``activity_entry``: the last activities, and the journal entry of the very
    last, to know a repeat by."""

    id: str
    kind: str
    project_id: str
    owner_id: str
    watcher_ids: list[str]
    important: bool
    total_scenarios: int
    total_features: int
    started_at: datetime
    updated_at: datetime
    status: str = "CREATED"
    completed_scenarios: int = 0
    completed_features: int = 0
    total_steps: int = 0
    percentage: float | None = None
    last_scenario: str | None = None
    activity: dict[str, Any] | None = None
    activity_ids: list[str] = []
    activity_entry: tuple[int, int] = (0, 0)
    recent: list[dict[str, Any]] = []
    finishes: list[datetime] = []
    outcome: dict[str, Any] | None = None
    ended_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether the job reached a terminal status."""
        return self.status in TERMINAL

    def progress(self) -> dict[str, Any]:
        """The ``progress`` object of contract section 3."""
        return {
            "completedScenarios": self.completed_scenarios,
            "totalScenarios": self.total_scenarios,
            "completedFeatures": self.completed_features,
            "totalFeatures": self.total_features,
            "percentage": self._percentage(),
        }

    def _percentage(self) -> float:
        if self.percentage is not None:
            return round(self.percentage, 2)
        if not self.total_scenarios:
            return 0.0
        return round(min(100.0, 100 * self.completed_scenarios / self.total_scenarios), 2)


def started(publication: publications.JobStarted, at: datetime) -> Job:
    """The job that ``publication`` starts."""
    return Job(
        id=publication.job_id,
        kind=publication.job_kind,
        project_id=publication.project_id,
        owner_id=publication.owner_id,
        watcher_ids=list(publication.watcher_ids),
        important=publication.important,
        total_scenarios=publication.totals.scenarios,
        total_features=publication.totals.features,
        started_at=at,
        updated_at=at,
    )


def activity_repeats(job: Job, publication: publications.Activity, entry: tuple[int, int]) -> bool:
    """Whether the activity, read from the journal at ``entry``, was taken before."""
    return entry <= job.activity_entry or str(publication.id) in job.activity_ids


def with_activity(
    job: Job, publication: publications.Activity, entry: tuple[int, int], at: datetime
) -> Job:
    """``job`` doing something else now; it makes no event."""
    detail = publication.activity
    doing = _ACTIVITY if job.kind == _GENERATION else _ANY_ACTIVITY
    activity = None if detail is None else {"type": doing, **msgspec.to_builtins(detail)}
    return msgspec.structs.replace(
        job,
        activity=activity,
        activity_ids=[*job.activity_ids, str(publication.id)][-_ACTIVITIES:],
        activity_entry=entry,
        updated_at=max(job.updated_at, at),
    )


def event_data(job: Job, publication: publications.JobEvent, at: datetime) -> dict[str, Any]:
    """The ``data`` of the event: what was published and what the hub derives (contract 10).

    Raises ``HubError`` CONFLICT when the job has ended: such a publication is a dead letter.
    """
    if job.ended:
        raise codes.HubError(codes.CONFLICT, f"job {job.id} is {job.status} already")
    match publication.data:
        case publications.StatusChanged() as changed:
            return {"previousStatus": job.status, **msgspec.to_builtins(changed)}
        case publications.JobCompleted() as completed:
            return {"status": "COMPLETED", "summary": _summary(job, completed, at)}
        case publications.JobFailed() as failed:
            return {
                "status": "FAILED",
                **msgspec.to_builtins(failed),
                "failedAt": job.status,
                "lastSuccessfulScenario": job.last_scenario,
            }
        case data:
            fields: dict[str, Any] = msgspec.to_builtins(data)
            return fields


def _summary(job: Job, completed: publications.JobCompleted, at: datetime) -> dict[str, Any]:
    return {
        "featuresGenerated": job.completed_features,
        "scenariosGenerated": job.completed_scenarios,
        "totalSteps": job.total_steps,
        "passed": completed.passed,
        "failed": completed.failed,
        "duration": times.iso_duration(at - job.started_at),
    }


SHOWS_PROGRESS: Final = frozenset({"SCENARIO_COMPLETED", "FEATURE_COMPLETED", "PROGRESS_UPDATED"})
"""Event types whose envelope carries ``progress``."""


def fold(job: Job, event: Event) -> Job:
    """``job`` after ``event``."""
    changes: dict[str, Any] = _changes(job, event)
    recent = [*job.recent, _recent(event)][-RECENT_EVENTS:]
    if changes.get("status") in TERMINAL:
        changes |= {"ended_at": event.timestamp, "activity": None}
    return msgspec.structs.replace(job, updated_at=event.timestamp, recent=recent, **changes)


def _changes(job: Job, event: Event) -> dict[str, Any]:
    data = event.data
    match event.type:
        case "SCENARIO_COMPLETED":
            return {
                "completed_scenarios": job.completed_scenarios + 1,
                "total_steps": job.total_steps + data["stepsCount"],
                "last_scenario": data["scenarioId"],
                "finishes": [*job.finishes, event.timestamp][-_FINISHES:],
            }
        case "FEATURE_COMPLETED":
            return {"completed_features": job.completed_features + 1}
        case "JOB_STATUS_CHANGED":
            return {"status": data["currentStatus"]}
        case "JOB_COMPLETED":
            return {"status": "COMPLETED", "outcome": data["summary"]}
        case "JOB_FAILED":
            return {"status": "FAILED", "outcome": data}
        case _:
            return {"percentage": data["percentage"]}


def rebuild(job: Job, events: Iterable[Event]) -> Job:
    """The job after all of ``events``, which continue where ``job`` stands."""
    for event in events:
        job = fold(job, event)
    return job


_RECENT_KEYS: Final = (
    *("scenarioId", "title", "featureId", "name", "previousStatus", "currentStatus"),
    *("status", "errorCode", "percentage"),
)


def _recent(event: Event) -> dict[str, Any]:
    shown: dict[str, Any] = {key: event.data[key] for key in _RECENT_KEYS if key in event.data}
    if event.type == "SCENARIO_COMPLETED":
        shown.pop("featureId")
    return {"type": event.type, **shown, "timestamp": times.wire(event.timestamp)}
