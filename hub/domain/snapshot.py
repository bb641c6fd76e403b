"""What a poll of a job answers: the snapshot of the progress requirements (contract section 5)."""

from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, Final

from hub.domain import times
from hub.domain.events import Position
from hub.domain.jobs import Job

_LONGEST: Final = 100 * 365 * 86_400  # seconds; an estimate beyond it says no more

_IDLE: Final = timedelta(seconds=60)


def poll_interval(job: Job, now: datetime) -> int:
    """Seconds until a client that polls should ask again: 10 when nothing is to be expected soon
    (the job has ended, waits for an approval, or nothing moved for a minute), 3 while it brings
    results, 2 at the start."""
    if job.ended or job.status == "WAITING_APPROVAL" or now - job.updated_at > _IDLE:
        return 10
    moves = job.completed_scenarios or job.completed_features or job.percentage
    return 3 if moves or job.status in ("GENERATING", "VALIDATING") else 2


def snapshot(job: Job, position: Position, now: datetime) -> dict[str, Any]:
    """The job at ``position`` as JSON. ``now`` only moves ``estimatedTimeRemaining``."""
    remaining = time_remaining(job, now)
    answer = {
        "jobId": job.id,
        "jobKind": job.kind,
        "projectId": job.project_id,
        "status": job.status,
        "progress": job.progress(),
        "currentActivity": job.activity,
        "recentEvents": job.recent,
        "estimatedTimeRemaining": None if remaining is None else times.iso_duration(remaining),
        "startedAt": times.wire(job.started_at),
        "updatedAt": times.wire(job.updated_at),
        "epoch": position.epoch,
        "offset": position.offset,
    }
    if job.ended_at is not None:
        answer["endedAt"] = times.wire(job.ended_at)
        answer["duration"] = times.iso_duration(job.ended_at - job.started_at)
    if job.outcome is not None:
        answer["summary" if job.status == "COMPLETED" else "failure"] = job.outcome
    return answer


def summary(job: Job, position: Position) -> dict[str, Any]:
    """The job at ``position`` as one of a list."""
    answer = {
        "jobId": job.id,
        "jobKind": job.kind,
        "projectId": job.project_id,
        "ownerId": job.owner_id,
        "status": job.status,
        "progress": job.progress(),
        "startedAt": times.wire(job.started_at),
        "updatedAt": times.wire(job.updated_at),
        "epoch": position.epoch,
        "offset": position.offset,
    }
    if job.ended_at is not None:
        answer["endedAt"] = times.wire(job.ended_at)
    return answer


def time_remaining(job: Job, now: datetime) -> timedelta | None:
    """How long the job will still take, None while unknown.

    The pace is the median time between the last 20 finished scenarios, so that one slow outlier
    does not move it. What is left is the pace for each scenario after the one in work, and of
    that one what its pace leaves: it shrinks while nothing happens, and stops at the former.
    """
    left = job.total_scenarios - job.completed_scenarios
    if job.ended or not job.finishes or left <= 0:
        return None
    marks = job.finishes if len(job.finishes) > 1 else [job.started_at, *job.finishes]
    pace = median((later - earlier).total_seconds() for earlier, later in pairwise(marks))
    in_work = max(0.0, pace - (now - marks[-1]).total_seconds())
    return timedelta(seconds=min(_LONGEST, pace * (left - 1) + in_work))
