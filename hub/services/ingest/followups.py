"""What a publication causes on other channels: publications of their own, with derived ids, so
that a repeat causes the same ones again."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote
from uuid import UUID

import msgspec

from hub.domain import channels, ids
from hub.domain.events import Event
from hub.domain.jobs import Job
from hub.domain.publications import Notification, Recipients

_BODY_AT_MOST: Final = 2000  # characters: with all else, a message never outgrows a publication


def copies(origin: str, publication: Notification) -> Iterator[Notification]:
    """One notification for each addressee but the first, whose channel has the original."""
    for user in list(dict.fromkeys(publication.users))[1:]:
        yield _for_user(origin, publication, user)


def of_job_event(job: Job, event: Event) -> Iterator[Notification]:
    """What the owner and the watchers of an important job are told when it ends."""
    if not (job.important and event.type in ("JOB_COMPLETED", "JOB_FAILED")):
        return
    message = _completed(job, event) if event.type == "JOB_COMPLETED" else _failed(job, event)
    for user in dict.fromkeys([job.owner_id, *job.watcher_ids]):
        yield _for_user(event.id, message, user)


def _for_user(origin: str, message: Notification, user: str) -> Notification:
    return msgspec.structs.replace(
        message,
        id=UUID(ids.derived_id(origin, channels.user_channel(user))),
        to=Recipients(users=[user]),
    )


def _completed(job: Job, event: Event) -> Notification:
    summary = event.data["summary"]
    return Notification(
        id=UUID(event.id),
        to="all",
        type="job.completed",
        title="Job completed",
        body=f"{summary['passed']} passed, {summary['failed']} failed in {summary['duration']}",
        severity="SUCCESS" if not summary["failed"] else "WARNING",
        link=_link(job),
        data={"summary": summary},
        job_id=job.id,
    )


def _failed(job: Job, event: Event) -> Notification:
    return Notification(
        id=UUID(event.id),
        to="all",
        type="job.failed",
        title="Job failed",
        body=_shortened(event.data["message"]) or event.data["errorCode"],
        severity="ERROR",
        link=_link(job),
        data={key: event.data[key] for key in ("errorCode", "failedAt", "lastSuccessfulScenario")},
        job_id=job.id,
    )


def _link(job: Job) -> str:
    return f"/v1/jobs/{quote(job.id, safe=':@+=')}/progress"


def _shortened(text: str) -> str:
    """The whole of it is in the job's event."""
    return text if len(text) <= _BODY_AT_MOST else f"{text[: _BODY_AT_MOST - 1]}…"
