"""Reading jobs: the snapshot and the history, for whoever may read the job's project."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.domain import channels, codes, ids, times
from hub.domain.events import Event, Position
from hub.domain.jobs import Job
from hub.domain.principal import Principal
from hub.domain.snapshot import poll_interval, snapshot
from hub.services.patience import patiently
from hub.stores.events import Events
from hub.stores.heads import Head, Heads


@dataclass(frozen=True, slots=True)
class History:
    """One page of a job's events, oldest first; ``next_after``: the offset that the next page
    follows, None at the end."""

    events: list[Event]
    next_after: int | None


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
    INSUFFICIENT_PERMISSIONS, or UNAVAILABLE when MongoDB is out of reach."""

    def __init__(self, heads: Heads, events: Events) -> None:
        self._heads = heads
        self._events = events

    async def authorize(self, who: Principal, job_id: str, kind: str | None = None) -> Head:
        """The head of a job that ``who`` may read; ``kind``: what it has to be, None for any."""
        (head,) = await self.authorize_all(who, [job_id], kind)
        return head

    async def authorize_all(
        self, who: Principal, job_ids: Sequence[str], kind: str | None = None
    ) -> list[Head]:
        """As ``authorize``, for many jobs in one round trip."""
        if not all(ids.is_user_id(job_id) for job_id in job_ids):
            raise codes.invalid("jobId", "is no job id")
        names = [channels.job_channel(job_id) for job_id in job_ids]
        async with patiently():
            heads = await self._heads.get_all(names)
        return [_permitted(who, heads.get(name), kind) for name in names]

    async def unreadable(self, who: Principal, job_ids: Sequence[str]) -> set[str]:
        """Those jobs that there are and that ``who`` may not read, in one round trip."""
        async with patiently():
            heads = await self._heads.get_all([channels.job_channel(each) for each in job_ids])
        jobs = [head.job for head in heads.values() if head.job is not None]
        return {job.id for job in jobs if not who.may_read_project(job.project_id)} & set(job_ids)

    async def poll(self, who: Principal, job_id: str, kind: str | None) -> Poll:
        """The job as it is now, at the cost of one indexed read."""
        head = await self.authorize(who, job_id, kind)
        if head.job is None:
            raise codes.HubError(codes.JOB_NOT_FOUND)
        return Poll(head.job, head.position, times.now())

    async def history(
        self,
        who: Principal,
        job_id: str,
        kind: str | None,
        *,
        after: int,
        since: datetime | None,
        types: Collection[str],
        limit: int,
    ) -> History:
        """A page of at most ``limit`` events after the offset ``after``."""
        async with patiently():
            head = await self.authorize(who, job_id, kind)
            found = await self._events.history(
                head.channel, after=after, since=since, types=types, limit=limit + 1
            )
        page = found[:limit]
        return History(page, page[-1].offset if len(found) > limit else None)


def _permitted(who: Principal, head: Head | None, kind: str | None) -> Head:
    if head is None or head.job is None or kind not in (None, head.job.kind):
        raise codes.HubError(codes.JOB_NOT_FOUND)
    if not who.may_read_project(head.job.project_id):
        raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS)
    return head
