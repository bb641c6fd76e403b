"""``inbox``: what the calls of a large inbox ask of the database.

One user has very many notifications, and there are many announcements. Of each call are told: the
commands and round trips, the documents and bytes that came back, the indexes whose ranges it reads
(``bench/plans.py``; where there is a real ``mongod``, also the keys and documents that it examined)
and the time. The calls are made in process, on the services that every door calls.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from pymongo import AsyncMongoClient

from bench.load.client import Row
from bench.measure import Steal
from bench.plans import examined, explanations, queries, serving, without_state
from bench.report import Column, View
from bench.servers.base import Server
from bench.servers.hub import Hub
from bench.subject import CALLS, Subject, Tell, subject
from bench.watch import Asked, Watch
from hub.embedded import MongoServer, RedisServer

_DATABASE: Final = "bench"
SCAN: Final = "a scan"


class HubStores(Hub):
    """The stores alone: the services run in this process, so that what they ask can be listened
    to, and nothing else does."""

    includes = "the hub's inbox services and stores, in process; database commands only"

    async def _start(self, stack: AsyncExitStack) -> None:
        redis = RedisServer(self.directory / "redis")
        mongo = MongoServer(self.directory / "mongo")
        for server in (redis, mongo):
            stack.push_async_callback(server.stop)
            await server.start()
        self.redis_port, self.mongo_url = redis.port, mongo.url
        self.explains = mongo.program == "mongod"


@dataclass(frozen=True, slots=True)
class Load:
    """How much is stored, how often each call is made, and for how many seconds all that are
    marked at once may take."""

    notifications: int
    announcements: int
    times: int
    patience: float


async def measure(server: Server, load: Load, tell: Tell) -> AsyncIterator[Row]:
    """A row per call; then of some again, once the user has touched every announcement."""
    if not isinstance(server, HubStores):
        raise TypeError("only the hub has inboxes")
    watch = Watch()
    async with subject(server.mongo_url, server.redis_url, _DATABASE, watch) as inbox:
        await inbox.fill(load.notifications, load.announcements, tell)
        meter = _Meter(server, watch, inbox)
        for name, call in CALLS.items():
            yield await meter.row(name, call, load.times)
        await inbox.touch()
        tell("every announcement is touched")
        for name in ("list, first page", "unread count, counted"):
            yield await meter.row(f"{name}, all touched", CALLS[name], load.times)
        tell(f"marking all, for at most {load.patience:g} s each time")
        for name in ("mark all", "mark all again"):
            try:
                async with asyncio.timeout(load.patience):
                    row = await meter.row(name, Subject.mark_all, 1)
            except TimeoutError:
                tell(f"{name}: given up")
                return
            yield row


class _Meter:
    """Makes calls and listens."""

    def __init__(self, server: HubStores, watch: Watch, inbox: Subject) -> None:
        self._server = server
        self._watch = watch
        self._inbox = inbox

    async def row(self, name: str, call: Callable[[Subject], Awaitable[Any]], times: int) -> Row:
        """The costs of a call: the first one is weighed, the time is that of the others."""
        watch, steal, took = self._watch, Steal.start(), []
        for number in range(times + (times > 1)):
            watch.weighs = number == 0
            watch.clear()
            began = time.monotonic()
            await call(self._inbox)
            took.append(1000 * (time.monotonic() - began))
            if number == 0:
                asked, documents, size, trips = (
                    watch.asked,
                    watch.documents,
                    watch.size,
                    watch.trips,
                )
        looks = await self._examined(asked)
        used = list(dict.fromkeys(plans(asked)))
        return {
            "phase": "inbox",
            "case": name,
            "deliveries": times,
            "expected": times,
            "commands": len(asked),
            "trips": trips,
            "documents": documents,
            "kilobytes": round(size / 1024, 1),
            "keys_examined": looks[0] if looks else None,
            "documents_examined": looks[1] if looks else None,
            "indexes": used,
            "ranges": SCAN not in used,
            "p50_ms": round(median(took[1:] or took), 1),
            "steal": round(steal.share(), 3),
        }

    async def _examined(self, asked: list[Asked]) -> tuple[int, int] | None:
        """Keys and documents that a real MongoDB looks at for these commands."""
        if not self._server.explains:
            return None
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self._server.mongo_url)
        async with client:
            orders = [order for each in asked for order in explanations(each.command)]
            found = [examined(await client[_DATABASE].command(order)) for order in orders]
        return sum(keys for keys, _ in found), sum(documents for _, documents in found)


def plans(asked: list[Asked]) -> Iterator[str]:
    """For each query that was asked, an index that serves it by ranges alone, or ``a scan``."""
    for each in asked:
        for collection, where, sort in queries(each.command):
            narrowed = without_state(where) if "update" in each.command else where
            found = serving(collection, narrowed, sort)
            if not found and "aggregate" in each.command:
                found = serving(collection, without_state(where), sort)
            yield found[0] if found else SCAN


VIEW: Final = View(
    "Inbox: what a call asks of the database",
    [
        Column("commands", "commands", 0),
        Column("trips", "round trips", 0),
        Column("documents", "documents", 0),
        Column("kilobytes", "KB"),
        Column("ranges", "index ranges only"),
        Column("keys_examined", "keys seen", 0),
        Column("documents_examined", "documents seen", 0),
        Column("p50_ms", "p50 ms"),
    ],
    headline=Column("documents", "documents returned", 0),
)
