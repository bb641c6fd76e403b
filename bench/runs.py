"""Rounds: every contender in turn, started anew each time: all share a drift of the machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load.client import LoadClient, Row
from bench.measure import Steal, usage
from bench.profile import Profiler
from bench.servers.base import FeedShape, Follower, Server, ServerFactory

Show = Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class Crowd:
    """A server with its clients connected, as a scenario gets it."""

    server: Server
    load: LoadClient
    rooms: Sequence[str]
    connected: Row


async def feed(ready: Crowd, shape: FeedShape, *, low: int, seconds: float, pace: int) -> Row:
    """Play a feed in a closed loop; see :meth:`bench.load.client.LoadClient.feed`.

    One burst is sent when nothing is due; with ``low``, as many bursts when at most that many
    deliveries are.
    """
    server = ready.server
    made = await server.feed(ready.rooms, shape)
    row = await ready.load.feed(
        made.file,
        server.redis_port,
        loop=made.loop,
        burst=made.records_per_burst * (low or 1),
        low=low,
        seconds=seconds,
        pace=pace,
    )
    server.played(ready.rooms, shape, row["records"])
    return row


async def feed_paced(ready: Crowd, shape: FeedShape, rate: float, seconds: float) -> Row:
    """Play a feed at ``rate`` events a second, whatever becomes of them."""
    server = ready.server
    made = await server.feed(ready.rooms, shape)
    row = await ready.load.pace(
        made.file, server.redis_port, loop=made.loop, rate=rate, seconds=seconds
    )
    server.played(ready.rooms, shape, row["records"])
    return row


class Meter:
    """What the server spends between two moments."""

    def __init__(self, server: Server) -> None:
        self._profiler = server.profiler
        if self._profiler is not None:
            self._profiler.start(server.pid, server.name)
        self._pid = server.pid
        self._steal = Steal.start()
        self._before = usage(server.pid)

    def read(self) -> Row:
        """``server_cpu`` in seconds, ``rss_mb``, and ``steal`` (0..1) of the whole machine."""
        now = usage(self._pid)
        if self._profiler is not None:
            self._profiler.stop()
        spent = now.since(self._before)
        return {
            "server_cpu": round(spent.cpu_seconds, 3),
            "rss_mb": round(now.rss_bytes / 2**20, 1),
            "rss_grown_mb": round(spent.rss_bytes / 2**20, 3),
            "steal": round(self._steal.share(), 3),
        }


@asynccontextmanager
async def crowd(server: Server, clients: int, rooms: Sequence[str]) -> AsyncIterator[Crowd]:
    """``clients`` clients on a running server, spread evenly over ``rooms``."""
    await server.prepare(rooms)
    async with LoadClient(server.port) as load:
        followers = (Follower(index, rooms[index % len(rooms)]) for index in range(clients))
        connected = await load.connect(server.plan(follower) for follower in followers)
        await load.wait(0.5)  # what the connects left to do is not what follows is charged with
        yield Crowd(server, load, rooms, connected)


@asynccontextmanager
async def started(factory: ServerFactory) -> AsyncIterator[Server]:
    """A contender in a directory of its own that goes with it."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as directory:
        async with factory(Path(directory)) as server:
            yield server


Measure = Callable[[Server], AsyncIterator[Row]]


async def interleaved(
    command: str,
    factories: Sequence[ServerFactory],
    rounds: int,
    measure: Measure,
    show: Show,
    profiler: Profiler | None = None,
) -> list[Row]:
    """Every contender ``rounds`` times, in turn; each row is shown as soon as it is there.
    ``profiler``: samples those that are Python while they are metered."""
    rows: list[Row] = []
    for number in range(1, rounds + 1):
        for factory in factories:
            async with started(factory) as server:
                server.profiler = profiler if server.python else None
                async for measured in measure(server):
                    about: Row = {
                        "command": command,
                        "variant": server.name,
                        "round": number,
                        "includes": server.includes,
                    }
                    rows.append(about | measured)
                    show(rows[-1])
    return rows


def append_lines(file: Path, row: Row) -> None:
    """Add a row to a file of JSON lines."""
    with file.open("a") as out:
        out.write(json.dumps(row) + "\n")
