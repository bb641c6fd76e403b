"""``connect``: a crowd arrives as fast as it is let in, waits, and most of it leaves at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from bench.load.client import LoadClient, Row
from bench.report import Column, View
from bench.runs import Meter
from bench.servers.base import Follower, Server


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients come, how many at a time, and how many of them leave together.

    ``settle``: seconds until memory is read and the crowd leaves, and then during which the leaving
    is charged while a client that stayed times its answers.
    """

    clients: int
    window: int
    dropped: int
    settle: float


async def measure(server: Server, load: Load) -> AsyncIterator[Row]:
    """A row for the arrival (and the memory it takes) and one for the leaving."""
    followers = (Follower(index, f"user:u{index}") for index in range(load.clients))
    async with LoadClient(server.port) as client:
        meter = Meter(server)
        arrived = await client.connect(map(server.plan, followers), load.window)
        arrival = meter.read()
        await client.wait(load.settle)
        settled = meter.read()
        yield {
            "case": f"{load.clients} clients arrive",
            **arrived,
            **arrival,
            "connects_per_second": round(arrived["ready"] / arrived["wall"]),
            "cpu_per_thousand": round(1000 * arrival["server_cpu"] / load.clients, 3),
            "kb_per_client": round(1024 * settled["rss_grown_mb"] / load.clients, 1),
        }
        meter = Meter(server)
        left = await client.drop(load.dropped, load.settle, server.probe)
        yield {"case": f"{load.dropped} of them leave at once", **left, **meter.read()}


ARRIVAL = View(
    "Connect: a crowd arrives",
    [
        Column("connects_per_second", "connects/s", 0),
        Column("cpu_per_thousand", "CPU s per 1000", 3),
        Column("kb_per_client", "KB per client", 1),
    ],
    headline=Column("connects_per_second", "connects per second", 0),
    lower_is_better=False,
)

LEAVING = View(
    "Connect: most of it leaves at once",
    [
        Column("server_cpu", "CPU s", 2),
        Column("worst_probe_ms", "longest stall ms", 1),
        Column("rss_mb", "server MB after", 0),
    ],
    headline=Column("server_cpu", "CPU seconds", 2),
)
