"""The collection ``channels``: where each channel's log ends, and what its events add up to.

A head is changed by the writer of the channel's partition alone, and never goes back: a write
that does not lead further is ignored, so that a writer which was suspended does no harm.

The head of a job that has ended says until when the job is kept. From then on readers do not find
it, whenever the store gets to removing it; the writer does, for ``REMEMBERED`` longer, so that a
repeat of the job's start is known by it.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Collection as Several
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from pymongo import DESCENDING, UpdateOne
from pymongo.errors import BulkWriteError

from hub.domain import times
from hub.domain.events import Position
from hub.domain.jobs import TERMINAL, Job
from hub.domain.patience import PATIENCE
from hub.stores.coalescing import CoalescedReads
from hub.stores.mongo import Collection, Database, Document, duplicates

REMEMBERED: Final = timedelta(days=1)
"""How long the head of a job stays after the job is not kept any more."""

_READ_AT_ONCE: Final = 64  # callers share a read up to here: of jobs, that is 130 KB


JobKey = tuple[datetime, str]
"""Where a job stands in a list: when it was started, and its channel."""


class Head(Struct, frozen=True):
    """The end of a channel's log. ``job``: a job channel's snapshot at that offset. ``kept_until``:
    of a job that has ended, when it is gone for everybody (rule RN10.05.3)."""

    channel: str
    epoch: str
    offset: int = 0
    job: Job | None = None
    kept_until: datetime | None = None

    def kept_at(self, at: datetime) -> bool:
        """Whether it is there for readers at that moment."""
        return self.kept_until is None or at < self.kept_until

    @property
    def position(self) -> Position:
        """Where the log ends."""
        return Position(self.epoch, self.offset)


def key_of(head: Head) -> JobKey:
    """Where a job stands in a list."""
    if head.job is None:
        raise ValueError(head.channel)
    return head.job.started_at, head.channel


class Heads:
    """Reading and advancing heads. ``clock``: by which jobs are not kept any more."""

    def __init__(self, db: Database, clock: Callable[[], datetime] = times.now) -> None:
        self._channels: Collection = db["channels"]
        self._clock = clock
        self._coalesced = CoalescedReads(self._find, keys_at_once=_READ_AT_ONCE)

    async def read(self, channels: Iterable[str]) -> dict[str, Head]:
        """The heads of those of ``channels`` that have one, in one round trip; for writers, of
        jobs that are not kept any more too."""
        found = await self._find(list(channels))
        return {channel: _head(document) for channel, document in found.items()}

    async def get(self, channel: str) -> Head | None:
        """The head of one channel, if it is kept, in a round trip shared with others who ask at the
        moment. Raises TimeoutError after ``PATIENCE``, however often those others had to begin
        anew."""
        return (await self.get_all((channel,))).get(channel)

    async def get_all(self, channels: Sequence[str]) -> dict[str, Head]:
        """As ``get``, for many."""
        async with asyncio.timeout(PATIENCE):
            found = await self._coalesced.get(channels)
        heads = [_head(found[channel]) for channel in channels if channel in found]
        now = self._clock()
        return {head.channel: head for head in heads if head.kept_at(now)}

    async def jobs(
        self,
        projects: Several[str] | None,
        status: str | None,
        *,
        before: JobKey | None,
        limit: int,
    ) -> list[Head]:
        """Up to ``limit`` heads of kept jobs, those started last first, in one round trip: of these
        ``projects`` (None: of any), with this ``status`` (None: any), behind ``before``."""
        query: dict[str, Any] = {
            "job": {"$exists": True},
            "keptUntil": {"$not": {"$lte": self._clock()}},
        }
        if projects is not None:
            query["job.project_id"] = {"$in": sorted(projects)}
        if status is not None:
            query["job.status"] = status
        if before is not None:
            at, channel = before
            query["job.started_at"] = {"$lte": at}
            query["$or"] = [
                {"job.started_at": {"$lt": at}},
                {"job.started_at": at, "_id": {"$lt": channel}},
            ]
        order = [("job.started_at", DESCENDING), ("_id", DESCENDING)]
        found = self._channels.find(query, batch_size=limit + 1).sort(order).limit(limit)
        return [_head(document) for document in await found.to_list()]

    async def running(self) -> int:
        """How many jobs have not ended."""
        query = {"job": {"$exists": True}, "job.status": {"$nin": sorted(TERMINAL)}}
        return await self._channels.count_documents(query)

    async def advance(self, heads: Sequence[Head]) -> None:
        """Stores heads, in one round trip; one that is further already stays as it is. That of a
        job which was started anew replaces what is left of its former life, in another."""
        if not heads:
            return
        updates = [UpdateOne(_behind(head), _update(head), upsert=True) for head in heads]
        try:
            await self._channels.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            # An upsert that found another head than it looks for tries to insert and collides.
            others = [heads[each["index"]] for each in duplicates(error)]
            await self._replace([head for head in others if head.job is not None])

    async def _replace(self, heads: Sequence[Head]) -> None:
        """Stores heads over what is left of former lives, where that is what is stored."""
        updates = [UpdateOne(_former(head), _update(head)) for head in heads]
        if updates:
            await self._channels.bulk_write(updates, ordered=False)

    async def _find(self, channels: list[str]) -> dict[str, Document]:
        """The documents by channel. MongoDB's own size of a first batch is 101 documents: more
        would take a second round trip."""
        found = self._channels.find({"_id": {"$in": channels}}, batch_size=len(channels) + 1)
        return {document["_id"]: document for document in await found.to_list()}


def _behind(head: Head) -> Document:
    """Matches what ``head`` goes on from."""
    life = {} if head.job is None else {"epoch": head.epoch}
    return {"_id": head.channel, **life, "offset": {"$lte": head.offset}}


def _former(head: Head) -> Document:
    """Matches what is left of a job's former life."""
    assert head.job is not None  # noqa: S101 - as chosen above
    return {"_id": head.channel, "keptUntil": {"$lte": head.job.started_at}}


def _update(head: Head) -> Document:
    fields: dict[str, Any] = {"epoch": head.epoch, "offset": head.offset}
    if head.job is None:
        return {"$set": fields}
    fields["job"] = msgspec.to_builtins(head.job, builtin_types=(datetime,))
    if head.kept_until is None:
        return {"$set": fields, "$unset": {"keptUntil": "", "expireAt": ""}}
    fields |= {"keptUntil": head.kept_until, "expireAt": head.kept_until + REMEMBERED}
    return {"$set": fields}


def _head(document: Document) -> Head:
    job = document.get("job")
    return Head(
        document["_id"],
        document["epoch"],
        document["offset"],
        None if job is None else msgspec.convert(job, Job),
        document.get("keptUntil"),
    )
