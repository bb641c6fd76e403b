"""The collection ``events``: the log of every channel."""

from collections.abc import Collection as Several
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import DeleteMany, UpdateMany
from pymongo.errors import BulkWriteError, DuplicateKeyError

from hub.domain.events import Event, Position
from hub.stores.heads import Head
from hub.stores.mongo import Collection, Database, Document, duplicates


class AlreadyStored(Exception):
    """An event's id or place in the log is taken: a repeat, or another writer was faster."""


class Events:
    """Appending to logs and reading ranges of them."""

    def __init__(self, db: Database) -> None:
        self._events: Collection = db["events"]

    async def append(self, events: Sequence[Event]) -> None:
        """Stores events in order, in one round trip; returns once a majority has journaled them.

        Raises ``AlreadyStored`` at the first whose id or (channel, offset) is taken; those before
        it are stored then, those after it are not.
        """
        if not events:
            return
        try:
            await self._events.insert_many([_document(event) for event in events], ordered=True)
        except BulkWriteError as error:
            duplicates(error)
            raise AlreadyStored from error
        except DuplicateKeyError as error:
            raise AlreadyStored from error

    async def expire(self, heads: Iterable[Head]) -> None:
        """Has the store remove all events of these logs once their heads are kept no longer, in
        one round trip; a repeat changes nothing."""
        updates = [
            UpdateMany(
                {"channel": head.channel, "epoch": head.epoch},
                {"$set": {"expireAt": head.kept_until}},
            )
            for head in heads
            if head.kept_until is not None
        ]
        if updates:
            await self._events.bulk_write(updates, ordered=False)

    async def sweep(self, before: Mapping[str, datetime]) -> None:
        """Removes events that the store was to remove at a time before, by channel, and has not
        yet; in one round trip."""
        if before:
            expired = [
                DeleteMany({"channel": channel, "expireAt": {"$lte": at}})
                for channel, at in before.items()
            ]
            await self._events.bulk_write(expired, ordered=False)

    async def by_ids(self, ids: Iterable[str]) -> dict[str, Event]:
        """Those of ``ids`` that are stored, in one round trip."""
        found = await self._events.find({"_id": {"$in": list(ids)}}).to_list()
        return {document["_id"]: _event(document) for document in found}

    async def after(
        self, channel: str, position: Position, *, limit: int, upto: int | None = None
    ) -> list[Event]:
        """Up to ``limit`` events that follow ``position``, oldest first."""
        last = position.offset + limit
        narrow = {"$gt": position.offset, "$lte": last if upto is None else min(upto, last)}
        query = {"channel": channel, "offset": narrow, "epoch": position.epoch}
        found = await self._events.find(query).sort("offset", 1).to_list()
        return [_event(document) for document in found]

    async def history(
        self,
        channel: str,
        after: Position,
        *,
        since: datetime | None,
        types: Several[str],
        limit: int,
    ) -> list[Event]:
        """Up to ``limit`` events that follow ``after``, with a time after ``since`` and a type out
        of ``types`` (empty: any), oldest first, in one round trip."""
        query: dict[str, Any] = {
            "channel": channel,
            "offset": {"$gt": after.offset},
            "epoch": after.epoch,
        }
        if since is not None:
            query["timestamp"] = {"$gt": since}
        if types:
            query["type"] = {"$in": list(types)}
        found = self._events.find(query, batch_size=limit + 1).sort("offset", 1).limit(limit)
        return [_event(document) for document in await found.to_list()]


def _document(event: Event) -> Document:
    document: Document = {
        "_id": event.id,
        "channel": event.channel,
        "epoch": event.epoch,
        "offset": event.offset,
        "type": event.type,
        "data": event.data,
        "timestamp": event.timestamp,
    }
    if event.job_id is not None:
        document["jobId"] = event.job_id
    if event.progress is not None:
        document["progress"] = event.progress
    return document


def _event(document: Document) -> Event:
    return Event(
        id=document["_id"],
        channel=document["channel"],
        epoch=document["epoch"],
        offset=document["offset"],
        type=document["type"],
        data=document["data"],
        timestamp=document["timestamp"],
        job_id=document.get("jobId"),
        progress=document.get("progress"),
    )
