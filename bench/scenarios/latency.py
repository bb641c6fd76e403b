"""``latency``: from the publisher's call to a client's socket, many clients in one room.

``full``: a publisher process does what the contender's users do. For the hub that is the whole way:
journal, ingest, database, live channel, socket. ``live`` leaves the publisher and the hub's storing
out: ready-made Redis messages (bare and node alone: an emit in process) are timed to the socket.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from bench.load.client import Row
from bench.measure import cores
from bench.report import Column, View
from bench.runs import Crowd, Meter, crowd, feed_paced
from bench.servers.base import FeedShape, Server

ROOM = "job:bench"


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients follow the room, and how fast and how long events come."""

    clients: int
    rate: float
    seconds: float
    path: str = "full"

    @property
    def events(self) -> int:
        """Events in one run."""
        return max(1, round(self.rate * self.seconds))


async def measure(server: Server, load: Load) -> AsyncIterator[Row]:
    """One row with ``p50_ms``, ``p99_ms``, ``max_ms`` and what the delivering process spent."""
    async with crowd(server, load.clients, [ROOM]) as ready:
        play = _published if load.path == "full" else _live
        await play(ready, replace(load, seconds=min(1.0, load.seconds)))  # everything warm first
        meter = Meter(server)
        row = await play(ready, load)
        yield {
            "case": f"{load.clients} clients, {load.rate:g} events/s, {load.path}",
            "path": load.path,
            "stored": server.stores and load.path == "full",
            "rate": load.rate,
            **row,
            **meter.read(),
            "reached": round(row["deliveries"] / load.clients / max(row["seconds"], 1e-3), 1),
        }


async def _published(ready: Crowd, load: Load) -> Row:
    program = ready.server.publisher(ROOM, load.events, load.rate)
    await ready.load.begin()
    try:
        await program.start(cores()[1])
        row = await ready.load.collect(load.events * load.clients, load.seconds + 30, quiet=5)
        published = json.loads(await program.result(60))
    finally:
        await program.stop()
    return {**row, "published": published["published"], "publishing": published["seconds"]}


async def _live(ready: Crowd, load: Load) -> Row:
    server, members = ready.server, load.clients
    if server.event_source == "process":
        order = {"seconds": load.seconds, "room": ROOM, "rooms": 1, "members": members}
        order |= {"burst": 1, "rate": load.rate}
        await ready.load.begin()
        await ready.load.send(0, "42" + json.dumps(["run", order]))
        return await ready.load.collect(0, load.seconds + 30, quiet=5)
    shape = FeedShape(server.directory / "feed", load.events, members)
    return await feed_paced(ready, shape, load.rate, load.seconds)


VIEW = View(
    "Publish-to-client latency",
    [
        Column("stored", "stored"),
        Column("p50_ms", "p50 ms"),
        Column("p99_ms", "p99 ms"),
        Column("max_ms", "max ms"),
        Column("reached", "events/s", 1),
        Column("server_cpu", "node CPU s", 2),
        Column("rss_mb", "node MB", 0),
    ],
    headline=Column("p50_ms", "p50 ms"),
)
