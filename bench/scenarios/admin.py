"""``admin``: what a node spends per delivery while an administrator looks, and while none does.

Many short phases on one node, in the order without, with, with, without, and again: what the
machine does meanwhile falls on both. It only ever adds, so of each kind the lower quartile counts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from statistics import quantiles

import aiohttp

from bench.load.client import Row
from bench.measure import Steal, cpu_time
from bench.report import Column, View
from bench.runs import Crowd, crowd, feed_paced
from bench.servers.base import FeedShape, Server
from bench.servers.hub import Hub

_ORDER = (False, True, True, False)
_SETTLE = 0.5  # seconds after an administrator connected


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients, each with its own room; deliveries a second; seconds of a phase, and how
    often there are four of them."""

    clients: int
    rate: float
    seconds: float
    times: int


async def measure(server: Server, load: Load) -> AsyncIterator[Row]:
    """Two rows, each with ``cpu_per_delivery`` (microseconds); ``differs`` (percent) of the one
    with an administrator."""
    if not isinstance(server, Hub):
        raise TypeError("only the hub has administrators")
    rooms = [f"user:u{index}" for index in range(load.clients)]
    async with crowd(server, load.clients, rooms) as ready:
        await _play(ready, load, 2.0)
        costs: dict[bool, list[float]] = {False: [], True: []}
        figures, deliveries, expected, steal = 0, 0, 0, Steal.start()
        for looks in _ORDER * load.times:
            async with administrator(server) if looks else nullcontext([0]) as seen:
                await asyncio.sleep(_SETTLE)
                before = cpu_time(server.pid)
                row = await _play(ready, load, load.seconds)
                used = cpu_time(server.pid) - before
                costs[looks].append(1e6 * used / max(1, row["deliveries"]))
                deliveries += row["deliveries"]
                expected += row["expected"]
                figures += seen[0]
        cost = {looks: quantiles(found)[0] for looks, found in costs.items()}
        for looks, case in ((False, "nobody looks"), (True, "an administrator looks")):
            yield {
                "case": case,
                "deliveries": deliveries,
                "expected": expected,
                "cpu_per_delivery": round(cost[looks], 2),
                "differs": round(100 * (cost[looks] / cost[False] - 1), 2),
                "spread": round(100 * (max(costs[looks]) / min(costs[looks]) - 1), 1),
                "figures": figures if looks else 0,
                "steal": round(steal.share(), 3),
            }


async def _play(ready: Crowd, load: Load, seconds: float) -> Row:
    shape = FeedShape(ready.server.directory / "feed", round(load.rate * seconds), 1)
    return await feed_paced(ready, shape, load.rate, seconds)


@asynccontextmanager
async def administrator(server: Hub) -> AsyncIterator[list[int]]:
    """Somebody on ``/admin``; the number says how often figures came."""
    url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
    seen = [0]
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as ws:
        await ws.send_str("40/admin," + json.dumps({"token": server.admin_token()}))

        async def read() -> None:
            async for message in ws:
                if message.data == "2":
                    await ws.send_str("3")
                seen[0] += message.data.startswith('42/admin,["stats"')

        reading = asyncio.create_task(read())
        try:
            yield seen
        finally:
            reading.cancel()
            await asyncio.wait([reading])


VIEW = View(
    "Administrators: what one who looks costs",
    [
        Column("cpu_per_delivery", "CPU us per delivery", 1),
        Column("differs", "differs by %", 2),
        Column("spread", "phases differ by %", 1),
        Column("figures", "figures seen", 0),
    ],
    headline=Column("cpu_per_delivery", "CPU microseconds per delivery", 1),
)
