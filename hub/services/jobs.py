"""Reading jobs: the snapshot and the history, for whoever may read the job's project."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.domain import channels, codes, ids, times
from hub.domain.events import Event, Position
from hub.domain.jobs import Job
from hub.domain.principal import Principal
from hub.domain.snapshot import poll_interval, snapshot
from hub.services.authorize import Authorizer, Claims
from hub.services.patience import patiently
from hub.stores.events import Events
from hub.stores.heads import Head, Heads, JobKey, key_of

__all__ = ["NO_CURSOR", "History", "JobKey", "Jobs", "Poll"]

NO_CURSOR: Final = "is no cursor that this resource gave"


@dataclass(frozen=True, slots=True)
class History:
    """One page of a job's events, oldest first; ``end``: what the next page follows, None when
    there is none yet."""

    events: list[Event]
    end: Position | None


@dataclass(frozen=True, slots=True)
class Poll:
    """What a poll found. The snapshot is made for those only that have an older one."""

    job: Job
    position: Position
    at: datetime

    @property
    def mark(self) -> str:
        """Changes whenever the job does: with an event, or with what it is doing. That time went
        by, which moves the estimate, is no change."""
        entry = "-".join(map(str, self.job.activity_entry))
        return f"{self.position.epoch}.{self.position.offset}.{entry}"

    @property
    def interval(self) -> int:
        """Seconds after which another poll is worth it."""
        return poll_interval(self.job, self.at)

    def snapshot(self) -> dict[str, Any]:
        """The snapshot of contract section 5."""
        return snapshot(self.job, self.position, self.at)


class Jobs:
    """What gateways ask about jobs. Everything raises ``HubError``: JOB_NOT_FOUND,
    INSUFFICIENT_PERMISSIONS, or UNAVAILABLE when MongoDB or who authorizes is out of reach."""

    def __init__(self, heads: Heads, events: Events, authorizer: Authorizer | None = None) -> None:
        self._heads = heads
        self._events = events
        self._authorizer = authorizer or Claims()

    async def authorize(self, who: Principal, job_id: str, kind: str | None = None) -> Head:
        """The head of a job that ``who`` may read; ``kind``: what it has to be, None for any."""
        (head,) = await self.authorize_all(who, [job_id], kind)
        return head

    async def authorize_all(
        self, who: Principal, job_ids: Sequence[str], kind: str | None = None
    ) -> list[Head]:
        """As ``authorize``, for many jobs in one round trip."""
        heads = []
        for verdict in await self.verdicts(who, job_ids, kind):
            if isinstance(verdict, codes.HubError):
                raise verdict
            heads.append(verdict)
        return heads

    async def verdicts(
        self, who: Principal, job_ids: Sequence[str], kind: str | None = None
    ) -> list[Head | codes.HubError]:
        """As ``authorize_all``; where ``who`` may not read a job, the refusal stands for it."""
        if not all(ids.is_user_id(job_id) for job_id in job_ids):
            raise codes.invalid("jobId", "is no job id")
        names = [channels.job_channel(job_id) for job_id in job_ids]
        async with patiently():
            heads = await self._heads.get_all(names)
        projects = {head.job.project_id for head in heads.values() if head.job is not None}
        readable = await self._authorizer.readable(who, projects)
        return [_verdict(readable, heads.get(name), kind) for name in names]

    async def unreadable(self, who: Principal, job_ids: Sequence[str]) -> set[str]:
        """Those jobs that there are and that ``who`` may not read, in one round trip."""
        async with patiently():
            heads = await self._heads.get_all([channels.job_channel(each) for each in job_ids])
        jobs = [head.job for head in heads.values() if head.job is not None]
        readable = await self._authorizer.readable(who, {job.project_id for job in jobs})
        return {job.id for job in jobs if job.project_id not in readable} & set(job_ids)

    async def poll(self, who: Principal, job_id: str, kind: str | None) -> Poll:
        """The job as it is now, at the cost of one indexed read."""
        head = await self.authorize(who, job_id, kind)
        if head.job is None:
            raise codes.HubError(codes.JOB_NOT_FOUND)
        return Poll(head.job, head.position, times.now())

    async def page(
        self,
        who: Principal,
        *,
        project: str | None,
        status: str | None,
        limit: int,
        before: JobKey | None,
    ) -> tuple[list[Head], JobKey | None]:
        """A page of at most ``limit`` jobs that ``who`` may read, those started last first, and
        what the next page stands behind, None at the end. What is started meanwhile moves nothing.
        Raises INSUFFICIENT_PERMISSIONS for a ``project`` that ``who`` may not read. Without one it
        holds those of the projects that the token names, as far as ``who`` may read them."""
        if project is not None and not await self._authorizer.readable(who, [project]):
            raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS)
        projects = who.projects if project is None else [project]
        if projects is not None and not projects:
            return [], None
        async with patiently():
            found = await self._heads.jobs(projects, status, before=before, limit=limit + 1)
        page = found[:limit]
        end = key_of(page[-1]) if len(found) > limit else None
        readable = await self._authorizer.readable(who, {_project(head) for head in page})
        return [head for head in page if _project(head) in readable], end

    async def history(
        self,
        who: Principal,
        job_id: str,
        kind: str | None,
        *,
        after: Position | None,
        since: datetime | None,
        types: Collection[str],
        limit: int,
    ) -> History:
        """A page of at most ``limit`` events after the one that was the ``end`` of another page. An
        offset names a place that nothing moves, so what is written meanwhile is on later pages."""
        async with patiently():
            head = await self.authorize(who, job_id, kind)
            if after is not None and after.epoch != head.epoch:
                raise codes.invalid("cursor", NO_CURSOR)  # of a job that was started anew since
            found = await self._events.history(
                head.channel,
                after or Position(head.epoch, 0),
                since=since,
                types=types,
                limit=limit + 1,
            )
        page = found[:limit]
        return History(page, page[-1].position if len(found) > limit else None)


def _verdict(
    readable: Collection[str], head: Head | None, kind: str | None
) -> Head | codes.HubError:
    if head is None or head.job is None or kind not in (None, head.job.kind):
        return codes.HubError(codes.JOB_NOT_FOUND)
    if head.job.project_id not in readable:
        return codes.HubError(codes.INSUFFICIENT_PERMISSIONS)
    return head


def _project(head: Head) -> str:
    return "" if head.job is None else head.job.project_id
