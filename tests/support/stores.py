"""Opened stores of a test's settings, and a way to run ingest batches by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandListener
from redis.asyncio import Redis

from config.settings import Settings
from hub.broker.connect import open_redis
from hub.broker.hotlog import HotLog
from hub.broker.journal import Entry, Journal, PartitionReader
from hub.broker.keys import Keys
from hub.domain.publications import AnyPublication
from hub.services.inbox.stores import inbox_stores
from hub.services.ingest.batch import Ingest, Stores
from hub.stores.events import Events
from hub.stores.heads import Heads
from hub.stores.mongo import Database, ensure_indexes


@dataclass
class Opened:
    """Everything that a test may want to look into."""

    settings: Settings
    redis: Redis
    db: Database
    keys: Keys
    stores: Stores
    hot_log: HotLog
    journal: Journal

    def ingest(self, **options: Any) -> Ingest:
        """Processing over these stores."""
        return Ingest(self.stores, self.hot_log, self.journal, self.keys.partitions, **options)

    async def publish(self, publications: Iterable[AnyPublication]) -> None:
        """Puts publications on their journals."""
        await self.journal.append(publications)

    async def drain(self, ingest: Ingest, *, redelivered: bool = False) -> None:
        """Processes all journals until they are empty."""
        found = True
        while found:
            found = False
            for partition in range(self.keys.partitions):
                reader = PartitionReader(self.redis, self.keys, partition)
                entries = await self.entries(reader, redelivered=redelivered)
                if entries:
                    found = True
                    await ingest.process(reader, entries, redelivered=redelivered)

    async def end(self, collection: str, where: dict[str, Any]) -> None:
        """Lets the time pass at which these notifications or announcements end."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        await self.db[collection].update_many(where, {"$set": {"endsAt": past}})
        counted = {"counted": {"$ne": None}}
        await self.db["inboxes"].update_many(counted, {"$set": {"counted.until": past}})

    @staticmethod
    async def entries(reader: PartitionReader, *, redelivered: bool = False) -> list[Entry]:
        """What a reader finds, without waiting."""
        if redelivered:
            return await reader.pending(500)
        return await reader.next(500, None) or await reader.next(500, None)


async def emptied(settings: Settings) -> None:
    """Takes everything out of both stores. Collections and indexes stay: making and dropping them
    takes the stand-in for MongoDB seconds."""
    async with Redis.from_url(settings.redis_url or "") as redis:
        await redis.flushall()
    async with AsyncMongoClient[dict[str, Any]](
        settings.mongo_url, serverMonitoringMode="poll"
    ) as mongo:
        db = mongo[settings.mongo_db]
        for name in await db.list_collection_names():
            await db[name].delete_many({})


@asynccontextmanager
async def opened(
    settings: Settings, listeners: list[CommandListener] | None = None
) -> AsyncIterator[Opened]:
    """The stores behind ``settings``."""
    redis = open_redis(settings.redis_url or "", timeout=5)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        settings.mongo_url,
        w="majority",
        journal=True,
        tz_aware=True,
        event_listeners=listeners or [],
        serverMonitoringMode="poll",
    )
    db = client[settings.mongo_db]
    keys = Keys(settings.partitions)
    try:
        await ensure_indexes(db)
        inboxes = inbox_stores(db)
        stores = Stores(Events(db), Heads(db), inboxes)
        journal = Journal(redis, keys)
        yield Opened(settings, redis, db, keys, stores, HotLog(redis, keys), journal)
    finally:
        await redis.aclose()
        await client.close()
