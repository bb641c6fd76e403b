"""The collection ``announcements``: what went to a topic or to all, each stored once."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import UpdateMany
from pymongo.errors import BulkWriteError

from hub.domain.inbox import NEVER, Announcement, Everybody
from hub.stores.mongo import AT_ONCE, Collection, Database, Document, duplicates

_GRACE: Final = timedelta(days=30)  # as for notifications
_LONG: Final = ("content.title", "content.body", "content.link", "content.data")


class Announcements:
    """Writing and reading announcements."""

    def __init__(self, db: Database) -> None:
        self._announcements: Collection = db["announcements"]

    async def insert_once(self, announcements: Sequence[Announcement]) -> None:
        """Stores announcements in one round trip; those that are stored stay as they are."""
        if not announcements:
            return
        try:
            await self._announcements.insert_many(
                [_document(each) for each in announcements], ordered=False
            )
        except BulkWriteError as error:
            duplicates(error)

    async def current(self, channels: Sequence[str], everybody: int) -> list[Announcement]:
        """What counts on ``channels`` at a version of everybody's, and what is to count later or
        has ended since; in one round trip. Here, and wherever several are read, without the long
        parts of what they say."""
        return await self._find({"channel": {"$in": channels}, "gone": {"$gt": everybody}})

    async def since(self, channels: Sequence[str], everybody: int) -> list[Announcement]:
        """What came to ``channels`` or ended there after a version of everybody's, or is not dated
        yet; in two round trips at once."""
        gone = {"$gt": everybody, "$lt": NEVER}
        found = await asyncio.gather(
            self._find({"channel": {"$in": channels}, "came": {"$gt": everybody}}),
            self._find({"channel": {"$in": channels}, "gone": gone}),
        )
        return [each for several in found for each in several]

    async def last_gone(self, channels: Sequence[str], everybody: int) -> dict[str, int]:
        """Of each channel where one has ended by a version of everybody's: when the last one did.
        Index entries only."""
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"channel": {"$in": channels}, "gone": {"$lte": everybody}}},
            {"$group": {"_id": "$channel", "last": {"$max": "$gone"}}},
        ]
        cursor = await self._announcements.aggregate(pipeline)
        return {each["_id"]: each["last"] for each in await cursor.to_list()}

    async def _find(self, query: Document) -> list[Announcement]:
        cursor = self._announcements.find(query, dict.fromkeys(_LONG, 0), batch_size=AT_ONCE)
        return [_announcement(document) for document in await cursor.to_list()]

    async def get(self, ids: Iterable[str]) -> dict[str, Announcement]:
        """Those of ``ids`` that there are, whole."""
        wanted = list(ids)
        if not wanted:
            return {}
        found = await self._announcements.find({"_id": {"$in": wanted}}).to_list()
        return {document["_id"]: _announcement(document) for document in found}

    async def over(self, now: datetime, limit: int) -> list[str]:
        """Up to ``limit`` ids of what has ended by ``now`` and is not dated so."""
        query = {"gone": NEVER, "endsAt": {"$lte": now}}
        cursor = self._announcements.find(query, {"_id": 1}).sort("endsAt", 1).limit(limit)
        return [document["_id"] for document in await cursor.to_list()]

    async def date(self, noted: Everybody) -> None:
        """Writes to announcements since when they count, and do not any more; once each."""
        writes = [
            UpdateMany({"_id": {"$in": ids}, name: NEVER}, {"$set": {name: version}})
            for name, dates in (("came", noted.came), ("gone", noted.gone))
            for version, ids in _by_version(dates)
        ]
        if writes:
            await self._announcements.bulk_write(writes, ordered=False)

    async def ended(self, now: datetime, limit: int) -> list[tuple[str, str]]:
        """Up to ``limit`` (channel, id) of what has ended by ``now`` and nobody was told."""
        query = {"told": False, "endsAt": {"$lte": now}}
        cursor = self._announcements.find(query, {"channel": 1}).sort("endsAt", 1).limit(limit)
        return [(document["channel"], document["_id"]) for document in await cursor.to_list()]

    async def told(self, ids: Sequence[str]) -> None:
        """Notes that it is told of their end."""
        where = {"_id": {"$in": list(ids)}}
        await self._announcements.update_many(where, {"$set": {"told": True}})


def _by_version(dates: Mapping[str, int]) -> Iterable[tuple[int, list[str]]]:
    found: dict[int, list[str]] = {}
    for id_, version in dates.items():
        found.setdefault(version, []).append(id_)
    return found.items()


def _document(announcement: Announcement) -> Document:
    return {
        "_id": announcement.id,
        "channel": announcement.channel,
        "epoch": announcement.epoch,
        "offset": announcement.offset,
        "createdAt": announcement.created_at,
        "endsAt": announcement.ends_at,
        "content": announcement.content,
        "critical": announcement.critical,
        "came": announcement.came,
        "gone": announcement.gone,
        "told": False,
        "expireAt": announcement.ends_at + _GRACE,
    }


def _announcement(document: Document) -> Announcement:
    return Announcement(
        document["_id"],
        document["channel"],
        document["epoch"],
        document["offset"],
        document["createdAt"],
        document["endsAt"],
        document["content"],
        document["critical"],
        document["came"],
        document["gone"],
    )
