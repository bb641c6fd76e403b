"""The run: a hub of its own, the attackers, and two clients that must not notice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from pydantic import SecretStr

from config.settings import Settings
from hub.embedded import MongoServer, RedisServer
from tests.conftest import JWT_SECRET
from tests.fuzz.attackers import Attacker
from tests.fuzz.malice import JOB, Malice
from tests.support import protocol
from tests.support.doors import RawClient, address, raw
from tests.support.jsclient import JsClient, js_client
from tests.support.system import System, running_system
from tests.support.wait import eventually
from workers import Publisher

WARM_UP: Final = 0.2
"""The share of the packets after which memory is measured first."""

GROWTH: Final = 24 * 1024 * 1024
"""Bytes that the node may have more at the end: buffers that grew to what was needed."""

_ATTACKERS: Final = 12
_USERS: Final = 200
_STEADY: Final = 0.05  # seconds between the events that the others get
_LATE: Final = 60.0

Tell = Callable[[str], None]


@dataclass
class Report:
    """What came of it. ``wrong``: what must not have happened; empty is good."""

    seed: int
    sent: Counter[str] = field(default_factory=Counter)
    seconds: float = 0
    events: int = 0
    memory: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        total, ways = sum(self.sent.values()), dict(sorted(self.sent.items()))
        lines = [
            f"seed {self.seed}: {total} packets in {self.seconds:.0f} s",
            "  " + ", ".join(f"{count} {way}" for way, count in ways.items()),
            f"  {self.events} events, to a stock client and a raw follower",
            "  memory: " + ", ".join(f"{each / 2**20:.1f}" for each in self.memory) + " MiB",
        ]
        return "\n".join(lines + [f"  WRONG: {each}" for each in self.wrong])


class Budget:
    """Packets that are left to send. ``at``: what to do when so many were taken."""

    def __init__(self, packets: int, at: dict[int, Callable[[], None]]) -> None:
        self._packets = packets
        self._taken = 0
        self._at = at

    def take(self, wanted: int) -> int:
        """So many may be sent now; 0 at the end."""
        given = min(wanted, self._packets - self._taken)
        self._taken += given
        for due in [each for each in self._at if each <= self._taken]:
            self._at.pop(due)()
        return given


async def run(packets: int, seed: int, folder: Path, tell: Tell = lambda _: None) -> Report:
    """A whole run on stores of its own, kept in ``folder`` with the logs."""
    redis, mongo = RedisServer(folder / "redis"), MongoServer(folder / "mongo")
    await redis.start()
    await mongo.start()
    try:
        return await run_on(redis, mongo, packets, seed, folder, tell)
    finally:
        await redis.stop()
        await mongo.stop()


async def run_on(
    redis: RedisServer,
    mongo: MongoServer,
    packets: int,
    seed: int,
    folder: Path,
    tell: Tell = lambda _: None,
) -> Report:
    """As ``run``, on stores that run already."""
    settings = Settings(
        redis_url=redis.url,
        mongo_url=mongo.url,
        mongo_db=f"fuzz_{seed}",
        jwt_secret=SecretStr(JWT_SECRET),
    )
    log = folder / "hub.log"
    env = {
        "HUB_LOG_FORMAT": "json",
        "HUB_RATE_COMMANDS": "100000/second",
        "HUB_RATE_CONNECTS": "1000000/second",
        "HUB_MAX_CONNECTIONS_PER_JOB": "1000",
        "HUB_MAX_CONNECTIONS_PER_USER": "100",
    }
    report = Report(seed)
    async with running_system(settings, redis, mongo, log, **env) as system:
        await _attack(system, packets, report, tell)
        if not system.node.alive:
            report.wrong.append("the node is gone")
    report.wrong += _complaints(log)
    return report


async def _attack(system: System, packets: int, report: Report, tell: Tell) -> None:
    def measure() -> None:
        report.memory.append(_memory(system.node.pid))
        tell(f"{time.monotonic() - began:6.1f} s  {report.memory[-1] / 2**20:.1f} MiB")

    marks = [round(packets * (WARM_UP + (1 - WARM_UP) * part / 4)) for part in range(4)]
    budget = Budget(packets, dict.fromkeys(marks, measure))
    users = [system.token(f"fuzz{number}") for number in range(_USERS)]
    port = urlsplit(system.url).port or 0
    attackers = []
    for number in range(_ATTACKERS):
        malice = Malice(f"{report.seed}/{number}")
        some = Malice(f"{report.seed}/{number}/users")
        attackers.append(
            Attacker(port, malice, lambda some=some: some.pick(*users), budget.take, number)  # type: ignore[misc]
        )
    began = time.monotonic()
    async with _Others(system) as others:
        async with asyncio.TaskGroup() as tasks:
            for attacker in attackers:
                tasks.create_task(attacker.run())
        report.seconds = time.monotonic() - began
        report.wrong += await others.missing()
        report.wrong += dict.fromkeys(protocol.take())
        report.events = others.told
        await _quiet(system)
        measure()
    for attacker in attackers:
        del attacker.sent["now"]
        report.sent += attacker.sent
    growth = report.memory[-1] - report.memory[0]
    if growth > GROWTH:
        report.wrong.append(f"memory grew by {growth / 2**20:.1f} MiB")


class _Others:
    """A stock client and a raw follower, who get a steady stream of a job's events."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._stack = contextlib.AsyncExitStack()
        self.told = 0

    async def __aenter__(self) -> _Others:
        enter = self._stack.enter_async_context
        settings = self._system.settings
        self._hub = await enter(Publisher(settings.redis_url or ""))
        self._job = self._hub.job(JOB, project_id="p1", owner_id="owner")
        await self._job.start(total_scenarios=100_000)
        await self._tell()
        self._http = await enter(aiohttp.ClientSession())
        token = self._system.token("good", projects=["p1"])
        url = address(self._system.url, JOB, "jobs")

        async def known() -> bool:
            headers = {"Authorization": f"Bearer {token}"}
            async with self._http.get(url, headers=headers) as answer:
                return answer.status == 200

        await eventually(known)
        self._js: JsClient = await enter(
            js_client(self._system.url, token, follow=[f"job:{JOB}"], transports=["websocket"])
        )
        await self._js.until(lambda client: client.named("subscribed"))
        self._raw: RawClient = await enter(raw(self._http, url, token))
        self._work = [
            asyncio.create_task(each) for each in (self._keep_telling(), self._keep_hearing())
        ]
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._stack.aclose()

    async def _tell(self) -> None:
        self.told += 1
        await self._job.scenario_completed(
            scenario_id=f"s{self.told}",
            feature_id="f",
            feature_name="F",
            title="…",
            steps_count=1,
        )

    async def _keep_telling(self) -> None:
        while True:
            await self._tell()
            await asyncio.sleep(_STEADY)

    async def _keep_hearing(self) -> None:
        while await self._raw.next() is not None:
            pass

    async def missing(self) -> list[str]:
        """What the two did not get once, in order, on one connection."""
        telling, hearing = self._work
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        wrong: list[str] = []
        expected = list(range(1, self.told + 1))
        try:
            last = {self.told}
            await self._js.until(lambda c: last <= set(c.offsets(f"job:{JOB}")), _LATE)
            async with asyncio.timeout(_LATE):
                while not hearing.done() and self._offsets()[-1:] != expected[-1:]:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except (AssertionError, TimeoutError):
            wrong.append("the others wait in vain for the last event")
        for who, seen in (
            ("stock client", self._js.offsets(f"job:{JOB}")),
            ("raw", self._offsets()),
        ):
            if seen != expected:
                wrong.append(f"{who}: not each of {self.told} events once, in order: {_odd(seen)}")
        bad = ("disconnect", "reset", "closing", "connect_error")
        return wrong + [f"stock client: {each}" for each in self._js.log if each[0] in bad]

    def _offsets(self) -> list[int]:
        return [event["offset"] for event in self._raw.messages]


def _odd(seen: list[int]) -> str:
    lacks = sorted(set(range(1, max(seen, default=0) + 1)) - set(seen))[:5]
    twice = [offset for offset, times in Counter(seen).items() if times > 1][:5]
    return f"{len(seen)} seen, lacks {lacks}, twice {twice}"


async def _quiet(system: System) -> None:
    """Waits until the node answers, and the attackers' connections are gone."""
    async with aiohttp.ClientSession() as http:

        async def ready() -> bool:
            async with http.get(f"{system.url}/readyz") as answer:
                return answer.status == 200

        await eventually(ready, limit=_LATE)


def _memory(pid: int) -> int:
    """Resident bytes of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def _complaints(log: Path) -> list[str]:
    """Lines of the log that no bad packet may cause."""
    return list(dict.fromkeys(_complaint(line) for line in _bad_lines(log)))[:20]


def _bad_lines(log: Path) -> Iterator[str]:
    for line in log.read_text(errors="replace").splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            yield line
            continue
        if entry.get("level") in ("error", "critical") or "exception" in entry:
            yield line


def _complaint(line: str) -> str:
    with contextlib.suppress(ValueError):
        entry = json.loads(line)
        error = [
            (each["exc_type"], each["frames"][-1:] or each["exc_value"])
            for each in entry.get("exception", [])
        ]
        return f"log: {entry.get('event')} {error}"
    return f"log: {line[:300]}"
