"""The order in which a supervisor starts and stops what it keeps."""

from __future__ import annotations

import asyncio

import pytest

from hub.supervisor import StartError, Supervisor

NAMES = ("a", "b", "c")


class Service:
    """Writes down what happens to it; ``together``: starts and stops only beside all others."""

    def __init__(self, name: str, log: list[str], together: asyncio.Barrier | None = None) -> None:
        self.name = name
        self.fails = False
        self._log = log
        self._together = together
        self._ended = asyncio.Event()

    async def start(self) -> None:
        if self.fails:
            raise StartError(f"{self.name} fails")
        await self._meet()
        self._log.append(f"+{self.name}")

    async def wait(self) -> int:
        await self._ended.wait()
        return 0

    async def stop(self) -> None:
        await self._meet()
        self._log.append(f"-{self.name}")

    def kill(self) -> None:
        self._ended.set()

    async def _meet(self) -> None:
        if self._together is not None:
            await self._together.wait()


async def run_once(supervisor: Supervisor) -> None:
    """Starts everything and, once it is started, stops it."""

    def started() -> None:
        running.cancel()

    running = asyncio.create_task(supervisor.run(on_started=started))
    async with asyncio.timeout(5):
        await running


async def test_each_needs_those_before_it() -> None:
    log: list[str] = []
    supervisor = Supervisor([Service(name, log) for name in NAMES])
    with pytest.raises(asyncio.CancelledError):
        await run_once(supervisor)
    assert log == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_independent_ones_start_and_stop_at_the_same_time() -> None:
    log: list[str] = []
    together = asyncio.Barrier(len(NAMES))
    services = [Service(name, log, together) for name in NAMES]
    with pytest.raises(asyncio.CancelledError):
        await run_once(Supervisor(services, independent=True))
    assert sorted(log[:3]) == ["+a", "+b", "+c"]
    assert sorted(log[3:]) == ["-a", "-b", "-c"]


@pytest.mark.parametrize("independent", [False, True])
async def test_one_that_cannot_start_stops_all(independent: bool) -> None:
    log: list[str] = []
    services = [Service(name, log) for name in NAMES]
    services[1].fails = True
    with pytest.raises(StartError, match="b fails"):
        await run_once(Supervisor(services, independent=independent))
    assert {"-a", "-b", "-c"} <= set(log)
