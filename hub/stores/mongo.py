"""The MongoDB client and the indexes that the collections rely on."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

from bson.codec_options import TypeDecoder, TypeRegistry
from bson.int64 import Int64
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from hub.domain.patience import PATIENCE
from hub.stores.timing import Timing

Document = dict[str, Any]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]

_CLOSING: Final = 1.0
_DUPLICATE_KEY: Final = 11000
_READ_TIMEOUT: Final = PATIENCE - 0.1  # it fails by itself before anybody gives it up

AT_ONCE: Final = 50_000
"""Short documents that come in one round trip: else the first one brings 101."""

WRITE_TIMEOUT: Final = 15.0
"""Seconds ingest waits for a batch to be written."""


class _PlainInt(TypeDecoder):
    """Integers beyond 32 bits come back as a class of the driver's own, which nothing encodes."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


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
        type_registry=TypeRegistry([_PlainInt()]),
        event_listeners=[Timing()],
    )


async def close_mongo(client: AsyncMongoClient[Document]) -> None:
    """Closes a client, whose monitors would wait for a server that hangs for ten seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSING):
            await client.close()


def duplicates(error: BulkWriteError) -> Sequence[Document]:
    """The writes that met what is there already; raises ``error`` if any failed otherwise, or if
    what was written is not safe yet."""
    failed: Sequence[Document] = error.details["writeErrors"]
    others = any(each["code"] != _DUPLICATE_KEY for each in failed)
    if others or error.details.get("writeConcernErrors"):
        raise error
    return failed


def _newest_first(name: str, *equal: str) -> IndexModel:
    """One that gives a page in its order. What has ended is told by the last key, unread."""
    keys = [(key, ASCENDING) for key in ("recipient", *equal)]
    keys += [("createdAt", DESCENDING), ("id", DESCENDING), ("endsAt", ASCENDING)]
    return IndexModel(keys, name=name)


def _jobs_index(name: str, *narrower: str) -> IndexModel:
    """One that gives a page of a list of jobs in its order."""
    keys = [(key, ASCENDING) for key in narrower]
    keys += [("job.started_at", DESCENDING), ("_id", DESCENDING)]
    return IndexModel(keys, name=name, partialFilterExpression={"job": {"$exists": True}})


def _untold() -> IndexModel:
    """One of what will end, or has ended without anybody being told, in that order."""
    keys = [("told", ASCENDING), ("endsAt", ASCENDING)]
    return IndexModel(keys, name="untold", partialFilterExpression={"told": False})


INDEXES: Final[dict[str, list[IndexModel]]] = {
    "events": [
        IndexModel([("channel", ASCENDING), ("offset", ASCENDING)], name="log", unique=True),
        IndexModel(
            [("channel", ASCENDING), ("timestamp", ASCENDING), ("offset", ASCENDING)], name="since"
        ),
        IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0),
    ],
    "channels": [
        _jobs_index("jobs"),
        _jobs_index("jobs_of_project", "job.project_id"),
        _jobs_index("jobs_of_project_with_status", "job.project_id", "job.status"),
        IndexModel(
            [("job.status", ASCENDING), ("job.started_at", DESCENDING), ("_id", DESCENDING)],
            name="job_status",
            partialFilterExpression={"job": {"$exists": True}},
        ),
        IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0),
    ],
    "audit": [IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0)],
    "notifications": [
        _newest_first("kept", "dismissed", "expired"),
        _newest_first("new", "dismissed", "expired", "read"),
        _newest_first("typed", "dismissed", "expired", "type", "read"),
        _newest_first("scoped", "scope", "dismissed", "expired", "read"),
        IndexModel(
            [("recipient", ASCENDING), ("expired", ASCENDING), ("endsAt", ASCENDING)], name="ends"
        ),
        IndexModel(
            [
                *((key, ASCENDING) for key in ("recipient", "dedupeKey")),
                *((key, ASCENDING) for key in ("read", "dismissed", "expired", "endsAt")),
            ],
            name="keyed",
            partialFilterExpression={"dedupeKey": {"$exists": True}},
        ),
        _untold(),
        IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0),
    ],
    "announcements": [
        IndexModel([("channel", ASCENDING), ("gone", ASCENDING)], name="counting"),
        IndexModel([("channel", ASCENDING), ("came", ASCENDING)], name="since"),
        IndexModel([("gone", ASCENDING), ("endsAt", ASCENDING)], name="over"),
        _untold(),
        IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0),
    ],
    "untold": [IndexModel([("at", ASCENDING)], name="oldest")],
}
"""Every index by collection. Unique keys begin with the shard key. Keys are in the order equality,
sort, range, so that each query reads ranges of one index and nothing beside them.

Of ``notifications``: ``kept`` serves the lists ALL and DISMISSED; ``new`` the list UNREAD, and the
count without a document, as it has ``endsAt``; ``typed`` every list by type, of which those that
are not UNREAD merge two ranges, read and not; ``scoped`` the newest by scope, all that is marked up
to a place, and, as it has ``id``, what was touched without a document; ``ends`` what has ended;
``keyed`` both sides of a dedupe key; ``untold`` what ended without anybody being told, across all
recipients. What has an id is found by ``_id``; the audit reads all of a recipient by any of these.

Of ``announcements``: ``counting`` serves what counts on a channel and what ended there, ``since``
what came there; ``over`` and ``untold`` what has ended.
"""


async def ensure_indexes(db: Database) -> None:
    """Creates what is missing; harmless when all is there."""
    for name, indexes in INDEXES.items():
        await db[name].create_indexes(indexes)
