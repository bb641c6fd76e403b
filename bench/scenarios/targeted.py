"""``targeted``: events for one client each, every client in a room or user channel of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from bench.load.client import Row
from bench.report import Column, View
from bench.runs import Crowd, Meter, crowd, feed
from bench.scenarios.fanout import with_costs
from bench.servers.base import FeedShape, Server

_PACE = 300  # microseconds between looks at the sockets: see load/src/main.c
_EMITS_PER_TURN = 50  # of contenders that emit in process
_AHEAD = 1024  # events on their way at most, of contenders fed by Redis
_FASTEST = 6e-6  # seconds per delivery; no contender needs more events than this allows


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients, each with its own room, and for how long."""

    clients: int
    seconds: float


async def measure(server: Server, load: Load) -> AsyncIterator[Row]:
    """One row: ``rate`` (deliveries a second) and ``cpu_per_million`` (seconds)."""
    rooms = [f"user:u{index}" for index in range(load.clients)]
    async with crowd(server, load.clients, rooms) as ready:
        await _play(ready, min(1.0, load.seconds / 2))  # warm before it is charged
        meter = Meter(server)
        row = await _play(ready, load.seconds)
        case = f"{load.clients} clients, a room each"
        measured = with_costs({"case": case, **row, **meter.read()})
        measured["per_cpu_second"] = round(1e6 / max(measured["cpu_per_million"], 1e-3))
        yield measured


async def _play(ready: Crowd, seconds: float) -> Row:
    server = ready.server
    if server.event_source == "process":
        order = {"seconds": seconds, "room": "user:u{}", "rooms": len(ready.rooms), "members": 1}
        order |= {"burst": _EMITS_PER_TURN, "rate": 0}
        await ready.load.begin()
        await ready.load.send(0, "42" + json.dumps(["run", order]))
        return await ready.load.collect(0, seconds + 60, quiet=5, pace=_PACE)
    shape = FeedShape(server.directory / "feed", round(seconds / _FASTEST), 1)
    return await feed(ready, shape, low=_AHEAD // 2, seconds=seconds, pace=_PACE)


VIEW = View(
    "Targeted: every event is for one client",
    [
        Column("rate", "deliveries/s", 0),
        Column("per_cpu_second", "per server CPU s", 0),
        Column("cpu_per_million", "CPU s per million", 1),
        Column("server_busy", "server busy %", 0),
        Column("client_busy", "client busy %", 0),
    ],
    headline=Column("per_cpu_second", "deliveries per second of server CPU", 0),
    lower_is_better=False,
)
