"""``publish``: how fast one publisher gets its events accepted, one after the other.

The hub's publish returns once the journal holds the event (contract section 8); those of the others
return once Redis has passed it on to whoever listens. ``through`` is the rate at which the events
then reached a single client: for the hub, after all of them were stored.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from bench.load.client import Row
from bench.measure import cores
from bench.report import Column, View
from bench.runs import Meter, crowd
from bench.servers.base import Server

ROOM = "job:bench"
_SECONDS = 120.0  # the longest that a run may take


@dataclass(frozen=True, slots=True)
class Load:
    """How many events are published."""

    events: int


async def measure(server: Server, load: Load) -> AsyncIterator[Row]:
    """One row: ``accepted`` and ``through``, both events a second."""
    async with crowd(server, 1, [ROOM]) as ready:
        meter = Meter(server)
        program = server.publisher(ROOM, load.events, 0)
        await ready.load.begin()
        try:
            await program.start(cores()[1])
            row = await ready.load.collect(load.events, _SECONDS, quiet=10)
            published = json.loads(await program.result(_SECONDS))
        finally:
            await program.stop()
        yield {
            "case": f"{load.events} events, one publisher, one client",
            "stored": server.stores,
            **row,
            **meter.read(),
            "accepted": round(published["published"] / published["seconds"]),
            "through": round(row["deliveries"] / max(row["seconds"], 1e-3)),
        }


VIEW = View(
    "Publish: one event after the other",
    [
        Column("stored", "stored"),
        Column("accepted", "accepted/s", 0),
        Column("through", "delivered/s", 0),
        Column("p50_ms", "p50 ms", 1),
    ],
    headline=Column("accepted", "events accepted per second", 0),
    lower_is_better=False,
)
