"""``convergence``: how soon two devices of a user, on two nodes, know the same unread count.

Changes come one at a time, notifications and marks in turn; either device marks every other time.
The time of a mark is that from the device's call until it has its answer and the other one was told
the same count and version; of a notification, from the worker's call until both were told.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp

from bench.clients.pair import Known, Pair
from bench.load.client import Row
from bench.measure import Steal
from bench.report import Column, View
from bench.servers.base import Server
from bench.servers.hub import Hub
from workers import Publisher

TARGET: Final = 200.0
"""Milliseconds that the 99th percentile may have."""

_USER: Final = "u1"
_WARM: Final = 20  # changes that are not measured
_TOLD_EVERY: Final = 100
_SPENT: Final = re.compile(r'hub_store_seconds_sum{(?=[^}]*"mongo")(?![^}]*"(ping|other)")')

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Load:
    """How many changes there are, and how many a second at most."""

    changes: int
    rate: float


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a change, in milliseconds: ``both`` until both knew; of a mark, ``answered``
    until the device that asked did, and ``other`` until the other one."""

    both: float
    answered: float | None = None
    other: float | None = None


async def measure(server: Server, load: Load, tell: Tell) -> AsyncIterator[Row]:
    """Three rows: of marks, of notifications, and of both."""
    if not isinstance(server, Hub):
        raise TypeError("only the hub counts what is unread")
    other = await server.grow(2)
    places = [f"http://127.0.0.1:{port}" for port in (server.port, other.port, server.metrics_port)]
    async with (
        aiohttp.ClientSession() as http,
        Publisher(server.redis_url) as publisher,
        Pair(places[:2], server.user_token(_USER)) as pair,
    ):
        play = _Play(publisher, pair, await pair.start(), load.rate)
        await play.changes(_WARM, lambda _: None)
        before, steal = await _spent(http, places), Steal.start()
        made = await play.changes(load.changes, tell)
        after = await _spent(http, places)
        spent = [1000 * (b - a) / load.changes for a, b in zip(before, after, strict=True)]
        databases = {
            "node_mongo_ms": round(sum(spent[:2]), 1),
            "ingest_mongo_ms": round(spent[2], 1),
        }
        share = {"steal": round(steal.share(), 3)}
        for case, which in (("marks", made[1::2]), ("notifications", made[::2])):
            yield {"case": f"{len(which)} {case}", **_figures(which), **share}
        yield {"case": f"{len(made)} changes", **_figures(made), **databases, **share}


class _Play:
    """Makes changes, one after the other."""

    def __init__(self, publisher: Publisher, pair: Pair, unread: int, rate: float) -> None:
        self._publisher = publisher
        self._pair = pair
        self._unread = unread
        self._pause = 1 / rate
        self._last = ""
        self._marks = 0

    async def changes(self, count: int, tell: Tell) -> list[Change | None]:
        """Beginning with a notification; None stands for one that did not converge."""
        made: list[Change | None] = []
        for number in range(count):
            due = time.monotonic() + self._pause
            made.append(await (self._mark() if number % 2 else self._notify()))
            if (number + 1) % _TOLD_EVERY == 0:
                tell(f"{number + 1} of {count} changes")
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        return made

    async def _notify(self) -> Change | None:
        self._unread += 1
        began = 1000 * time.monotonic()
        self._last = await self._publisher.notify(
            users=[_USER], type="bench.convergence", title="Nova equipe", body="b" * 100
        )
        known = await self._pair.converge(self._unread)
        return None if known is None else Change(max(known.told) - began)

    async def _mark(self) -> Change | None:
        self._unread -= 1
        device, as_ = self._marks % 2, ("READ", "DISMISSED")[self._marks // 2 % 2]
        self._marks += 1
        known = await self._pair.mark(device, self._last, as_, self._unread)
        return None if known is None else _marked(known, 1 - device)


def _marked(known: Known, other: int) -> Change:
    answered, told = known.answered - known.asked, known.told[other] - known.asked
    return Change(max(answered, told), answered, told)


def _figures(made: Sequence[Change | None]) -> Row:
    found = [each for each in made if each is not None]
    both = sorted(each.both for each in found)
    row: Row = {"deliveries": len(found), "expected": len(made)}
    if both:
        row |= {f"p{share}_ms": _at(both, share) for share in (50, 95, 99)}
        row |= {"max_ms": round(both[-1], 1), "on_time": round(_on_time(both), 4)}
        row["target_ms"] = TARGET
    answered = sorted(each.answered for each in found if each.answered is not None)
    others = sorted(each.other for each in found if each.other is not None)
    if answered:
        row |= {"answered_p50_ms": _at(answered, 50), "other_p50_ms": _at(others, 50)}
    return row


def _at(sorted_ms: Sequence[float], percent: int) -> float:
    """A percentile: the smallest of them that so many percent do not exceed."""
    return round(sorted_ms[max(0, -(-len(sorted_ms) * percent // 100) - 1)], 1)


def _on_time(sorted_ms: Sequence[float]) -> float:
    return sum(each <= TARGET for each in sorted_ms) / len(sorted_ms)


async def _spent(http: aiohttp.ClientSession, places: Sequence[str]) -> list[float]:
    """Seconds that each process has waited for MongoDB; what it asked at once is added up."""
    return [_seconds((await _metrics(http, each)).splitlines()) for each in places]


async def _metrics(http: aiohttp.ClientSession, place: str) -> str:
    async with http.get(f"{place}/metrics") as answer:
        return await answer.text()


def _seconds(lines: Sequence[str]) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if _SPENT.match(line))


VIEW: Final = View(
    "Convergence: until two devices on two nodes know the same unread count",
    [
        Column("p50_ms", "p50 ms"),
        Column("p95_ms", "p95 ms"),
        Column("p99_ms", "p99 ms"),
        Column("max_ms", "max ms"),
        Column("answered_p50_ms", "answer p50"),
        Column("other_p50_ms", "other p50"),
        Column("node_mongo_ms", "nodes' database ms"),
        Column("ingest_mongo_ms", "ingest's database ms"),
    ],
    headline=Column("p99_ms", "p99 ms"),
)
