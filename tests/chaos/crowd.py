"""Stock JavaScript Socket.IO clients, many in one process, that write down what they get."""

from __future__ import annotations

import asyncio
import itertools
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hub import tokens
from tests.chaos.cast import ALL, JOBS, PROJECT, TOPICS, user
from tests.chaos.checker import Began, Entry, Event, Seen, Told
from tests.chaos.cluster import SECRET
from tests.chaos.marks import Mark, marks_of
from tests.support.overheard import entries

_SCRIPT: Final = Path(__file__).with_name("js") / "clients.mjs"
_ANSWER: Final = 20.0
_JOBS_EACH: Final = 2
_TRANSPORTS: Final[dict[str, list[str] | None]] = {
    "default": None,
    "websocket": ["websocket"],
    "polling": ["polling"],
}
_WAYS: Final = {"recovered": False, "by offset": True}
"""How a client comes back: by connection state recovery, or without it, by its offsets."""


DEVICES: Final = 2
"""Clients of each user."""


@dataclass(frozen=True, slots=True)
class Casting:
    """One client. ``user``: whose it is. ``own``: the channels that its connect
    follows; ``channels``: by command."""

    kind: str
    user: str
    own: list[str]
    channels: list[str]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def follows(self) -> list[str]:
        """All of its channels."""
        return [*self.own, *self.channels]


def cast(count: int) -> Iterator[Casting]:
    """The clients: transports and ways to come back in turn, ``DEVICES`` for each user."""
    kinds = itertools.cycle(itertools.product(_WAYS, _TRANSPORTS))
    for number, (way, transport) in zip(range(count), kinds, strict=False):
        jobs = [JOBS[(number + more) % len(JOBS)] for more in range(_JOBS_EACH)]
        topic = TOPICS[number % len(TOPICS)]
        name = user(number // DEVICES)
        own = [f"user:{name}", ALL]
        followed = [*(f"job:{job}" for job in jobs), f"topic:{topic}"]
        options = {
            "token": tokens.mint(SECRET, name, projects=[PROJECT]),
            "own": own,
            "channels": followed,
            "resume": _WAYS[way],
            "transports": _TRANSPORTS[transport],
        }
        yield Casting(f"socket.io {transport}, {way}", name, own, followed, options)


@dataclass(frozen=True, slots=True)
class Service:
    """How well clients were served. Seconds: ``silence`` without an event, ``away`` without a
    connection, ``wait`` for the answer to a command. ``recovered`` and ``afresh``: how often they
    were connected again, and how. ``refusals``: by code."""

    silence: float = 0
    away: float = 0
    wait: float = 0
    recovered: int = 0
    afresh: int = 0
    refusals: dict[str, int] = field(default_factory=dict)


class Crowd:
    """The running clients."""

    def __init__(self, process: Process, castings: Sequence[Casting]) -> None:
        self._process = process
        self._castings = castings
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._ended = False

    def __len__(self) -> int:
        return len(self._castings)

    async def pump(self) -> None:
        """Reads their answers until they end; then nobody waits for one any more."""
        assert self._process.stdout is not None
        async for number, answer in entries(self._process.stdout):
            self._asked.pop(number).set_result(answer)
        self._ended = True
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(_ended())

    async def ask(self, action: str, *args: Any) -> Any:
        """Has them do something; what came of it. Raises ``RuntimeError`` when they are gone."""
        assert self._process.stdin is not None
        if self._ended:
            raise _ended()
        number = next(self._ids)
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps([number, action, *args]).encode() + b"\n")
        async with asyncio.timeout(_ANSWER):
            return await asked

    async def all_follow(self) -> bool:
        """Whether each of them was told that it follows each of its channels."""
        return bool(await self.ask("ready") == len(self))

    async def have(self, ends: dict[str, int]) -> bool:
        """Whether each has each of its channels up to there."""
        positions = await self.ask("positions")
        return all(
            at.get(channel, {}).get("offset", -1) >= ends.get(channel, 0)
            for casting, at in zip(self._castings, positions, strict=True)
            for channel in casting.follows
        )

    @property
    def users(self) -> list[str]:
        """Whose clients they are, in their order."""
        return [each.user for each in self._castings]

    async def has_marked(self) -> bool:
        """Whether each mark was answered, or given up."""
        return bool(await self.ask("marking") == 0)

    async def report(self) -> tuple[list[Seen], Service, list[Mark]]:
        """What each of them went through, and what they marked."""
        reports = await self.ask("report")
        seen = [
            Seen(f"client {number}", casting.kind, casting.follows, list(_entries(report)))
            for number, (casting, report) in enumerate(zip(self._castings, reports, strict=True))
        ]
        marks = [
            mark
            for casting, report in zip(self._castings, reports, strict=True)
            for mark in marks_of(casting.user, report["marks"])
        ]
        return seen, _service(reports), marks


def _ended() -> RuntimeError:
    return RuntimeError("the process of the JavaScript clients has ended; it said why above")


def _entries(report: dict[str, Any]) -> Iterator[Entry]:
    for what, channel, epoch, offset, *id_ in report["entries"]:
        match what:
            case "b":
                yield Began(channel, epoch, offset)
            case "r":
                yield Told(channel, epoch, offset)
            case _:
                yield Event(channel, epoch, offset, *id_)


def _service(reports: Sequence[dict[str, Any]]) -> Service:
    again = [recovered for each in reports for recovered in each["connects"][1:]]
    refusals: dict[str, int] = {}
    for each in reports:
        for code, times in each["refusals"].items():
            refusals[code] = refusals.get(code, 0) + times
    longest = {
        name: max(each[name] for each in reports) / 1000 for name in ("silence", "away", "wait")
    }
    return Service(
        **longest, recovered=sum(again), afresh=len(again) - sum(again), refusals=refusals
    )


@asynccontextmanager
async def crowd(url: str, castings: Sequence[Casting], *, bare: bool) -> AsyncIterator[Crowd]:
    """Running clients."""
    process = await asyncio.create_subprocess_exec(
        "node", str(_SCRIPT), stdin=PIPE, stdout=PIPE, limit=1 << 28
    )
    assert process.stdin is not None
    settings = {"url": url, "bare": bare, "clients": [each.options for each in castings]}
    process.stdin.write(json.dumps(settings).encode() + b"\n")
    made = Crowd(process, castings)
    pump = asyncio.create_task(made.pump())
    try:
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await pump
