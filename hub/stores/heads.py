"""The collection ``channels``: where each channel's log ends, and what its events add up to.

A head is changed by the writer of the channel's partition alone, and never goes back: a write
that does not lead further is ignored, so that a writer which was suspended does no harm.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from hub.domain.events import Position
from hub.domain.jobs import Job
from hub.domain.patience import PATIENCE
from hub.stores.coalescing import CoalescedReads
from hub.stores.mongo import Collection, Database, Document

_DUPLICATE_KEY: Final = 11000
_READ_AT_ONCE: Final = 64  # callers share a read up to here: of jobs, that is 130 KB


class Head(Struct, frozen=True):
    """The end of a channel's log. ``job``: a job channel's snapshot at that offset."""

    channel: str
    epoch: str
    offset: int = 0
    job: Job | None = None

    @property
    def position(self) -> Position:
        """Where the log ends."""
        return Position(self.epoch, self.offset)


class Heads:
    """Reading and advancing heads."""

    def __init__(self, db: Database) -> None:
        self._channels: Collection = db["channels"]
        self._coalesced = CoalescedReads(self._find, keys_at_once=_READ_AT_ONCE)

    async def read(self, channels: Iterable[str]) -> dict[str, Head]:
        """The heads of those of ``channels`` that have one, in one round trip."""
        found = await self._find(list(channels))
        return {channel: _head(document) for channel, document in found.items()}

    async def get(self, channel: str) -> Head | None:
        """The head of one channel, in a round trip shared with others who ask at the moment. Raises
        TimeoutError after ``PATIENCE``, however often those others had to begin anew."""
        return (await self.get_all((channel,))).get(channel)

    async def get_all(self, channels: Sequence[str]) -> dict[str, Head]:
        """As ``read``, in a round trip shared with others who ask at the moment; as ``get``."""
        async with asyncio.timeout(PATIENCE):
            found = await self._coalesced.get(channels)
        return {channel: _head(found[channel]) for channel in channels if channel in found}

    async def advance(self, heads: Sequence[Head]) -> None:
        """Stores heads, in one round trip; one that is further already stays as it is."""
        if not heads:
            return
        updates = [
            UpdateOne(
                {"_id": head.channel, "offset": {"$lte": head.offset}},
                {"$set": _document(head)},
                upsert=True,
            )
            for head in heads
        ]
        try:
            await self._channels.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            # An upsert that found its head further along tries to insert and collides.
            if any(each["code"] != _DUPLICATE_KEY for each in error.details["writeErrors"]):
                raise

    async def _find(self, channels: list[str]) -> dict[str, Document]:
        """The documents by channel. MongoDB's own size of a first batch is 101 documents: more
        would take a second round trip."""
        found = self._channels.find({"_id": {"$in": channels}}, batch_size=len(channels) + 1)
        return {document["_id"]: document for document in await found.to_list()}


def _document(head: Head) -> Document:
    fields: dict[str, Any] = {"epoch": head.epoch, "offset": head.offset}
    if head.job is not None:
        fields["job"] = msgspec.to_builtins(head.job, builtin_types=(datetime,))
    return fields


def _head(document: Document) -> Head:
    job = document.get("job")
    return Head(
        document["_id"],
        document["epoch"],
        document["offset"],
        None if job is None else msgspec.convert(job, Job),
    )
