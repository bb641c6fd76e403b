"""``fanout``: what one delivery costs the delivering process when a whole room hears an event.

``single``: one event at a time. Contenders fed by Redis get the next one when all clients have the
one before; those that emit in process emit one in each turn of their event loop, without a pause.
``burst of 8``: eight events at once, which a server may write to a client together.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from bench.load.client import Row
from bench.report import Column, View
from bench.runs import Crowd, Meter, crowd, feed
from bench.servers.base import FeedShape, Server

ROOM = "job:bench"
_FASTEST = 0.4e-6  # seconds per delivery; no contender needs more events than this allows,
_MOST_EVENTS = 25_000  # nor more than these a second
_IN_PROCESS_PACE = 4000  # microseconds between looks at the sockets: see load/src/main.c
_FEED_PACE = 300


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients share the room, how many events come together, and for how long."""

    clients: int
    bursts: tuple[int, ...]
    seconds: float


async def measure(server: Server, load: Load) -> AsyncIterator[Row]:
    """A row per burst size: ``cpu_per_million`` (seconds) and ``rate`` (deliveries a second)."""
    async with crowd(server, load.clients, [ROOM]) as ready:
        for burst in load.bursts:
            together = "single" if burst == 1 else f"burst of {burst}"
            # Everything warm (and a JIT compiled) before it is charged.
            await _play(ready, load, burst, min(1.0, load.seconds / 2))
            meter = Meter(server)
            row = await _play(ready, load, burst, load.seconds)
            yield with_costs(
                {
                    "case": f"{load.clients} clients, {together}",
                    "burst": burst,
                    **row,
                    **meter.read(),
                }
            )


def with_costs(row: Row) -> Row:
    """Add what a delivery costs and how busy the server was."""
    row["cpu_per_million"] = round(row["server_cpu"] * 1e6 / max(1, row["deliveries"]), 3)
    row["rate"] = round(row["deliveries"] / max(row["seconds"], 1e-3))
    row["server_busy"] = round(100 * row["server_cpu"] / max(row["wall"], 1e-3), 1)
    row["client_busy"] = round(100 * row["client_cpu"] / max(row["wall"], 1e-3), 1)
    return row


async def _play(ready: Crowd, load: Load, burst: int, seconds: float) -> Row:
    server, members = ready.server, load.clients
    if server.event_source == "process":
        order = {"seconds": seconds, "room": ROOM, "rooms": 1, "members": members}
        order |= {"burst": burst, "rate": 0}
        await ready.load.begin()
        await ready.load.send(0, "42" + json.dumps(["run", order]))
        return await ready.load.collect(0, seconds + 60, quiet=5, pace=_IN_PROCESS_PACE)
    most = round(seconds * min(1 / (members * _FASTEST), _MOST_EVENTS))
    shape = FeedShape(server.directory / "feed", max(burst, most), members, burst)
    return await feed(ready, shape, low=0, seconds=seconds, pace=_FEED_PACE)


VIEW = View(
    "Fan-out: one room, everybody hears every event",
    [
        Column("cpu_per_million", "CPU s per million", 2),
        Column("rate", "deliveries/s", 0),
        Column("server_busy", "server busy %", 0),
        Column("client_busy", "client busy %", 0),
        Column("rss_mb", "server MB", 0),
    ],
    headline=Column("cpu_per_million", "CPU seconds per million deliveries", 1),
)
