"""The MongoDB client and the indexes that the collections rely on."""

import asyncio
import contextlib
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from hub.domain.patience import PATIENCE
from hub.stores.timing import Timing

Document = dict[str, Any]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]

_CLOSING: Final = 1.0
_READ_TIMEOUT: Final = PATIENCE - 0.1  # it fails by itself before anybody gives it up

WRITE_TIMEOUT: Final = 15.0
"""Seconds ingest waits for a batch to be written."""


def open_mongo(url: str, *, timeout: float = _READ_TIMEOUT) -> AsyncMongoClient[Document]:
    """A client for ``url``, not connected yet. Writes are acknowledged by a majority and
    journaled; no operation takes longer than ``timeout`` seconds. Raises ``PyMongoError``."""
    return AsyncMongoClient(
        url,
        w="majority",
        journal=True,
        tz_aware=True,
        timeoutMS=int(timeout * 1000),
        serverSelectionTimeoutMS=int(timeout * 1000),
        connectTimeoutMS=int(timeout * 1000),
        uuidRepresentation="standard",
        appname="hub",
        event_listeners=[Timing()],
    )


async def close_mongo(client: AsyncMongoClient[Document]) -> None:
    """Closes a client, whose monitors would wait for a server that hangs for ten seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSING):
            await client.close()


def _inbox_index(name: str, *narrower: str) -> IndexModel:
    """One that gives a page of an inbox in its order, out of what is kept and counts."""
    equal = ("recipient", "dismissed", "expired", *narrower)
    keys = [(key, ASCENDING) for key in equal] + [("createdAt", DESCENDING), ("id", DESCENDING)]
    return IndexModel(keys, name=name)


INDEXES: Final[dict[str, list[IndexModel]]] = {
    "events": [
        IndexModel([("channel", ASCENDING), ("offset", ASCENDING)], name="log", unique=True),
        IndexModel(
            [("channel", ASCENDING), ("timestamp", ASCENDING), ("offset", ASCENDING)], name="since"
        ),
        IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0),
    ],
    "channels": [
        IndexModel(
            [("job.project_id", ASCENDING), ("job.started_at", DESCENDING)],
            name="jobs",
            partialFilterExpression={"job": {"$exists": True}},
        ),
        IndexModel(
            [("job.started_at", DESCENDING), ("_id", DESCENDING)],
            name="recent_jobs",
            partialFilterExpression={"job": {"$exists": True}},
        ),
        IndexModel(
            [("job.status", ASCENDING), ("job.started_at", DESCENDING), ("_id", DESCENDING)],
            name="job_status",
            partialFilterExpression={"job": {"$exists": True}},
        ),
        IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0),
    ],
    "audit": [IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0)],
    "notifications": [
        _inbox_index("inbox"),
        _inbox_index("unread", "read"),
        _inbox_index("types", "type"),
        IndexModel([("recipient", ASCENDING), ("scope", ASCENDING)], name="touched"),
        IndexModel(
            [("recipient", ASCENDING), ("expired", ASCENDING), ("endsAt", ASCENDING)], name="ends"
        ),
        IndexModel(
            [("recipient", ASCENDING), ("dedupeKey", ASCENDING), ("read", ASCENDING)],
            name="dedupe",
            partialFilterExpression={"dedupeKey": {"$exists": True}},
        ),
        IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0),
    ],
    "announcements": [
        IndexModel(
            [("channel", ASCENDING), ("expired", ASCENDING), ("offset", ASCENDING)], name="current"
        ),
        IndexModel([("expired", ASCENDING), ("endsAt", ASCENDING)], name="ends"),
        IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0),
    ],
}
"""Every index by collection. Unique keys begin with the shard key."""


async def ensure_indexes(db: Database) -> None:
    """Creates what is missing; harmless when all is there."""
    for name, indexes in INDEXES.items():
        await db[name].create_indexes(indexes)
