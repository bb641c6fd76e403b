"""The collection ``announcements``: what went to a topic or to all, each stored once."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from hub.domain.inbox import Announcement
from hub.stores.mongo import AT_ONCE, Collection, Database, Document

_DUPLICATE_KEY: Final = 11000
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
        writes = [
            UpdateOne({"_id": each.id}, {"$setOnInsert": _document(each)}, upsert=True)
            for each in announcements
        ]
        try:
            await self._announcements.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            if any(each["code"] != _DUPLICATE_KEY for each in error.details["writeErrors"]):
                raise

    async def current(self, channels: Iterable[str]) -> list[Announcement]:
        """What counts on ``channels``, without the long parts of what it says: one range of an
        index for each channel, in one round trip."""
        wanted = list(channels)
        if not wanted:
            return []
        query = {"channel": {"$in": wanted}, "expired": False}
        cursor = self._announcements.find(query, dict.fromkeys(_LONG, 0), batch_size=AT_ONCE)
        return [_announcement(document) for document in await cursor.to_list()]

    async def get(self, ids: Iterable[str]) -> dict[str, Announcement]:
        """Those of ``ids`` that there are, whole."""
        wanted = list(ids)
        if not wanted:
            return {}
        found = await self._announcements.find({"_id": {"$in": wanted}}).to_list()
        return {document["_id"]: _announcement(document) for document in found}

    async def expire(self, now: datetime) -> None:
        """Notes of what has ended by ``now`` that it does not count any more."""
        query = {"expired": False, "endsAt": {"$lte": now}}
        await self._announcements.update_many(query, {"$set": {"expired": True}})

    async def ended(self, now: datetime, limit: int) -> list[tuple[str, str]]:
        """Up to ``limit`` (channel, id) of what has ended by ``now`` and nobody was told."""
        query = {"told": False, "endsAt": {"$lte": now}}
        cursor = self._announcements.find(query, {"channel": 1}).sort("endsAt", 1).limit(limit)
        return [(document["channel"], document["_id"]) for document in await cursor.to_list()]

    async def told(self, ids: Sequence[str]) -> None:
        """Notes that it is told of their end."""
        where = {"_id": {"$in": list(ids)}}
        await self._announcements.update_many(where, {"$set": {"told": True}})


def _document(announcement: Announcement) -> Document:
    return {
        "channel": announcement.channel,
        "epoch": announcement.epoch,
        "offset": announcement.offset,
        "createdAt": announcement.created_at,
        "endsAt": announcement.ends_at,
        "content": announcement.content,
        "critical": announcement.critical,
        "expired": announcement.expired,
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
        document["expired"],
    )
