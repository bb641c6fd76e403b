"""The stores that a node needs: how it asks whether they are there, and prepares them."""

import asyncio
from typing import Final

from pymongo.errors import PyMongoError
from redis.asyncio import Redis

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker.connect import command, honour_cancellation
from hub.broker.live import LiveChannels
from hub.services.health import Check
from hub.stores.mongo import Database, ensure_indexes

_AGAIN: Final = 0.5
_log = get_logger(__name__)


def checks(redis: Redis, db: Database, live: LiveChannels) -> dict[str, Check]:
    """What ``/readyz`` asks, by name."""

    async def live_connection() -> None:
        if not live.connected:
            raise ConnectionError

    return {
        "redis": lambda: command(redis.ping()),
        "live": live_connection,
        "mongo": lambda: db.command("ping"),
    }


def needed_to_connect(db: Database, live: LiveChannels) -> dict[str, Check]:
    """What nobody can connect without. In a cluster, one server that is heard will do: it may be
    the one that matters."""

    async def redis() -> None:
        while live.deaf:  # noqa: ASYNC110 - asked once in a while, by one task
            await asyncio.sleep(0.05)

    return {"redis": redis, "mongo": lambda: db.command("ping")}


async def prepare(db: Database) -> None:
    """Creates the indexes, however long MongoDB takes to appear."""
    trouble = Trouble(_log, "node.mongo_unreachable", "node.mongo_back")
    while True:
        honour_cancellation()
        try:
            await ensure_indexes(db)
        except PyMongoError as error:
            honour_cancellation()
            trouble.failed(error)
            await asyncio.sleep(_AGAIN)
        else:
            trouble.worked()
            return
