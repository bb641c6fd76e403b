"""``admin``: what a node spends per delivery while an administrator looks, and while none does.

The same load is charged 80 ms of CPU in one heartbeat and 150 in another, on a virtual machine that
does nothing else: the machine is not always equally fast. So there are many short phases on one
node, with one crowd that is connected all the time, in the order without, with, with, without, and
again; and CPU is read sixteen times a heartbeat. What is done for administrators is done halfway
between two heartbeats, so always in the same slots: ``differs`` is what these cost beyond the slots
beside them, in the same heartbeat and so at the same speed, as a share of the heartbeat; the median
with an administrator less the median without. ``control`` is the same of slots in which nothing is
done for anybody. How far both can be trusted says a bootstrap of the heartbeats.

What somebody who looks would make every delivery dearer by, this cannot see. For that a twin runs
beside: a second hub of its own, with as many clients and the same load, at which nobody ever looks,
on the same core at the same time. ``all`` is by how much more the node uses for each second of its
twin while somebody looks than while nobody does, phases compared with the ones beside them;
whatever speed the machine has, it has for both. A phase of 50 s has the pings of all clients twice,
and whatever is done every few seconds as often as any other. How far that can be trusted says a
bootstrap of the pairs of phases.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from math import exp, log
from statistics import fmean, median
from typing import Final

import aiohttp

from bench.load.client import Row
from bench.measure import Steal, cpu_time
from bench.report import Column, View
from bench.runs import Crowd, crowd, feed_paced, started
from bench.servers.base import FeedShape, Server
from bench.servers.hub import Hub
from hub.services.admin.stats import EVERY

TARGET: Final = 3.0
"""Percent that an administrator who looks may cost."""

_ORDERS: Final = ((False, True), (True, False))  # whether somebody looks, by turns
_SETTLE: Final = 0.4  # seconds, at least, after an administrator came or went
_BETWEEN: Final = 0.25  # of a heartbeat: nodes count at its beginning, administrators hear halfway
_SLOTS: Final = 16  # of a heartbeat
_SERVED: Final = (3, 4)  # the slots before and after the moment in which administrators are served
_CONTROL: Final = (7, 8)
_RESAMPLES: Final = 400

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients, how many of them hear each event, and events a second; heartbeats (of 2 s)
    of a phase, and how many pairs of phases there are."""

    clients: int
    members: int
    rate: float
    beats: int
    pairs: int

    @property
    def rooms(self) -> list[str]:
        """Users' channels, or jobs when several clients are to hear an event."""
        kind = "user:u" if self.members == 1 else "job:b"
        return [f"{kind}{index}" for index in range(self.clients // self.members)]


Beat = list[float]
"""The seconds of CPU in each slot of a heartbeat."""

Kinds = tuple[Sequence[Beat], Sequence[Beat]]
"""The heartbeats without an administrator, and with one."""


@dataclass(slots=True)
class Phase:
    """What was measured while somebody looked, or nobody did."""

    looks: bool
    beats: Sequence[Beat]
    twin: Sequence[Beat]
    deliveries: int
    expected: int
    figures: int

    @property
    def relative(self) -> float:
        """What the node used for each second that its twin used."""
        return sum(map(sum, self.beats)) / sum(map(sum, self.twin))


async def measure(server: Server, load: Load, tell: Tell) -> AsyncIterator[Row]:
    """Two rows, with ``cpu_per_delivery`` (mean, microseconds); that with an administrator says by
    how many percent it ``differs``, and between what that lies (``differs_low`` and ``_high``)."""
    if not isinstance(server, Hub):
        raise TypeError("only the hub has administrators")
    async with (
        started(Hub) as twin,
        crowd(server, load.clients, load.rooms) as ready,
        crowd(twin, load.clients, load.rooms) as beside,
    ):
        await asyncio.gather(_play(ready, load, EVERY), _play(beside, load, EVERY))
        steal, phases = Steal.start(), list[Phase]()
        for number in range(load.pairs):
            for looks in _ORDERS[number % 2]:
                phases.append(await _phase(server, ready, beside, load, looks=looks))
            found = served(by_kind(phases)), relative(phases)
            tell("{} of {} pairs: {:+.2f} %, all {:+.2f} %".format(number + 1, load.pairs, *found))
        for row in rows(phases):
            yield row | {"members": load.members, "steal": round(steal.share(), 3)}


async def _phase(server: Hub, ready: Crowd, beside: Crowd, load: Load, *, looks: bool) -> Phase:
    async with administrator(server) if looks else nullcontext([0]) as seen:
        await asyncio.sleep(_SETTLE)
        await asyncio.sleep(EVERY - (time.time() - _BETWEEN * EVERY) % EVERY)
        figures = seen[0]
        beats, twin, row, _ = await asyncio.gather(
            _read(server.pid, load.beats),
            _read(beside.server.pid, load.beats),
            _play(ready, load, load.beats * EVERY),
            _play(beside, load, load.beats * EVERY),
        )
        return Phase(looks, beats, twin, row["deliveries"], row["expected"], seen[0] - figures)


async def _read(pid: int, beats: int) -> list[Beat]:
    """What the process uses from now on."""
    began, last = time.monotonic(), cpu_time(pid)
    found: list[float] = []
    for number in range(1, beats * _SLOTS + 1):
        await asyncio.sleep(began + number * EVERY / _SLOTS - time.monotonic())
        now = cpu_time(pid)
        found.append(now - last)
        last = now
    return [found[at : at + _SLOTS] for at in range(0, len(found), _SLOTS)]


def by_kind(phases: Sequence[Phase]) -> Kinds:
    """The heartbeats of the phases."""
    without = [beat for each in phases if not each.looks for beat in each.beats]
    return without, [beat for each in phases if each.looks for beat in each.beats]


def relative(phases: Sequence[Phase]) -> float:
    """By how many percent the node uses more, beside its twin, while an administrator looks."""
    return _percent(differences(phases))


def differences(phases: Sequence[Phase]) -> list[float]:
    """Of each pair of phases, the logarithm of what an administrator makes the node use, beside
    its twin."""
    pairs = zip(phases[::2], phases[1::2], strict=True)
    return [
        (log(one.relative) - log(other.relative)) * (1 if one.looks else -1) for one, other in pairs
    ]


def relative_interval(phases: Sequence[Phase]) -> tuple[float, float]:
    """Between what that lies in 95 % of resamples."""
    draw, found = random.Random(1), differences(phases)
    return _middle(_percent(draw.choices(found, k=len(found))) for _ in range(_RESAMPLES))


def _percent(logarithms: Sequence[float]) -> float:
    return 100 * (exp(fmean(logarithms)) - 1)


def _middle(found: Iterable[float]) -> tuple[float, float]:
    """What 95 % lie between."""
    ordered = sorted(found)
    return ordered[_RESAMPLES // 40], ordered[-_RESAMPLES // 40]


def served(kinds: Kinds) -> float:
    """By how many percent they do for what is done when administrators are served."""
    return _beyond(kinds, _SERVED)


def control(kinds: Kinds) -> float:
    """The same of another moment: what is above nothing is no administrator's."""
    return _beyond(kinds, _CONTROL)


def _beyond(kinds: Kinds, slots: Sequence[int]) -> float:
    without, with_one = (median(_excess(beat, slots) for beat in beats) for beats in kinds)
    return 100 * (with_one - without)


def _excess(beat: Beat, slots: Sequence[int]) -> float:
    """What two slots cost beyond the two on either side of them; of the whole, 0..1."""
    first, last = slots[0], slots[-1]
    beside = beat[first - 2 : first] + beat[last + 1 : last + 3]
    return (sum(beat[slot] for slot in slots) - sum(beside) / 2) / sum(beat)


def interval(kinds: Kinds, cost: Callable[[Kinds], float]) -> tuple[float, float]:
    """Between what a cost lies in 95 % of resamples."""
    draw, (without, with_one) = random.Random(1), kinds  # the same figures for the same heartbeats
    return _middle(
        cost((draw.choices(without, k=len(without)), draw.choices(with_one, k=len(with_one))))
        for _ in range(_RESAMPLES)
    )


def rows(phases: Sequence[Phase]) -> list[Row]:
    """What was measured, as ``measure`` tells it. ``noise``: by how many percent the heartbeats of
    one kind differ from their mean, at the median."""
    kinds, told = by_kind(phases), list[Row]()
    for looks, case in ((False, "nobody looks"), (True, "an administrator looks")):
        mine, beats = [each for each in phases if each.looks is looks], kinds[looks]
        deliveries = sum(each.deliveries for each in mine)
        typical = fmean(map(sum, beats))
        row: Row = {
            "case": case,
            "deliveries": deliveries,
            "expected": sum(each.expected for each in mine),
            "cpu_per_delivery": round(1e6 * typical * len(beats) / max(1, deliveries), 2),
            "noise": round(100 * median(abs(sum(each) / typical - 1) for each in beats), 1),
            "heartbeats": len(beats),
            "figures": sum(each.figures for each in mine),
        }
        if looks:
            row["target"] = TARGET
            found = {
                "differs": (served(kinds), interval(kinds, served)),
                "control": (control(kinds), interval(kinds, control)),
                "all": (relative(phases), relative_interval(phases)),
            }
            for name, (cost, (low, high)) in found.items():
                row |= {name: round(cost, 2), f"{name}_low": round(low, 2)}
                row[f"{name}_high"] = round(high, 2)
            row["pairs"] = [round(100 * each, 2) for each in differences(phases)]
        row["slots_us"] = [[round(1e6 * slot) for slot in beat] for beat in beats]
        told.append(row)
    return told


async def _play(ready: Crowd, load: Load, seconds: float) -> Row:
    events = round(load.rate * seconds)
    shape = FeedShape(ready.server.directory / "feed", events, load.members)
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
        Column("cpu_per_delivery", "CPU us", 1),
        Column("differs", "differs %", 2),
        Column("differs_low", "from", 2),
        Column("differs_high", "to", 2),
        Column("control", "control %", 2),
        Column("all", "all CPU %", 2),
        Column("all_low", "from", 2),
        Column("all_high", "to", 2),
        Column("noise", "beats vary %", 1),
        Column("figures", "seen", 0),
    ],
    headline=Column("cpu_per_delivery", "CPU microseconds per delivery", 1),
)
