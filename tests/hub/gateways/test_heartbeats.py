"""Heartbeats on a loop whose clock leaps to the next timer: exact, and no waiting."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.gateways.heartbeats import Heartbeats

MILLISECOND = 0.001
LATE = 1.5 * MILLISECOND
"""What falls due within a millisecond may be done together."""


class _Leap(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0
        return super().select(0)


class LeapingLoop(asyncio.SelectorEventLoop):
    """Waiting takes no time. ``block``: what a loop does that is busy for so many seconds."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now

    def block(self, seconds: float) -> None:
        self._leap.now += seconds


@dataclass(eq=False)
class Session:
    """A session whose every beat is checked against what is due. ``reaction``: what it does inside
    ``ping`` or ``timed_out``."""

    name: int
    world: World
    ping_due: float | None = None
    pong_due: float | None = None
    reaction: Callable[[], None] | None = None

    def start(self) -> None:
        self.world.heartbeats.start(self)
        self.ping_due, self.pong_due = self.world.loop.time() + self.world.interval, None

    def stop(self) -> None:
        self.world.heartbeats.stop(self)
        self.ping_due = self.pong_due = None

    def ping(self) -> None:
        now = self.world.loop.time()
        self.world.log.append(("ping", self.name))
        self.world.check_time(self.ping_due, now)
        assert self.ping_due is not None
        self.pong_due = max(self.ping_due + self.world.timeout, now + self.world.timeout / 2)
        self.ping_due = None
        self._react()

    def timed_out(self) -> None:
        self.world.log.append(("timed out", self.name))
        self.world.check_time(self.pong_due, self.world.loop.time())
        self.pong_due = None
        self._react()

    def _react(self) -> None:
        reaction, self.reaction = self.reaction, None
        if reaction is not None:
            reaction()


@dataclass
class World:
    """Sessions and their heartbeat."""

    loop: LeapingLoop
    interval: float
    timeout: float
    log: list[tuple[str, int]] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    busy_until: float = 0.0

    def __post_init__(self) -> None:
        self.heartbeats = Heartbeats(self.interval, self.timeout)
        self.sessions = [Session(name, self) for name in range(4)]
        self.loop.set_exception_handler(lambda _, context: self.failures.append(_error(context)))

    def check_time(self, due: float | None, now: float) -> None:
        assert due is not None, "not due at all"
        assert due <= now <= max(due, self.busy_until) + LATE, f"{now - due} s late"

    def check_nothing_forgotten(self) -> None:
        now = self.loop.time()
        for session in self.sessions:
            for due in (session.ping_due, session.pong_due):
                assert due is None or now <= max(due, self.busy_until) + LATE, "forgotten"

    def block(self, seconds: float) -> None:
        self.loop.block(seconds)
        self.busy_until = self.loop.time()

    async def idle(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        assert not self.failures, self.failures
        self.check_nothing_forgotten()

    @property
    def timers(self) -> int:
        """How many are pending."""
        return sum(not handle.cancelled() for handle in self.loop._scheduled)  # type: ignore[attr-defined]


def _error(context: dict[str, Any]) -> BaseException:
    error: BaseException = context.get("exception") or AssertionError(context["message"])
    return error


def play(scene: Callable[[World], Any], interval: float = 0.025, timeout: float = 0.020) -> World:
    """Runs ``scene``."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, LeapingLoop)
        world = World(loop, interval, timeout)
        runner.run(scene(world))
        return world


def test_pings_come_after_the_interval_in_the_order_of_the_connects() -> None:
    async def scene(world: World) -> None:
        for session in reversed(world.sessions):
            session.start()
            await world.idle(0.003)
        assert world.log == []
        await world.idle(0.012)
        assert world.log == []
        await world.idle(0.012)

    assert play(scene).log == [("ping", name) for name in (3, 2, 1, 0)]


def test_a_pong_begins_the_interval_anew() -> None:
    async def scene(world: World) -> None:
        session = world.sessions[0]
        session.start()
        for _ in range(5):
            await world.idle(0.027)
            session.start()
        assert world.log == [("ping", 0)] * 5
        await world.idle(0.023)
        assert len(world.log) == 5

    play(scene)


def test_silence_is_noticed_once() -> None:
    async def scene(world: World) -> None:
        world.sessions[0].start()
        await world.idle(0.044)
        assert world.log == [("ping", 0)]
        await world.idle(0.003)
        assert world.log == [("ping", 0), ("timed out", 0)]
        await world.idle(1)
        assert len(world.log) == 2
        assert world.timers == 0

    play(scene)


def test_a_late_ping_leaves_no_more_than_was_announced_and_no_less_than_half() -> None:
    async def scene(world: World) -> None:
        first, second = world.sessions[:2]
        first.start()
        world.block(0.025 + 0.005)
        await world.idle(0.002)
        assert world.log == [("ping", 0)]
        await world.idle(0.014)
        assert world.log == [("ping", 0), ("timed out", 0)], "25 ms and 20 ms after the start"
        second.start()
        world.block(0.5)
        await world.idle(0.009)
        assert world.log[2:] == [("ping", 1)]
        await world.idle(0.003)
        assert world.log[2:] == [("ping", 1), ("timed out", 1)]

    play(scene)


def test_the_interval_holds_although_a_long_timeout_is_running() -> None:
    """The timer that waits for the one's pong must not make the other wait."""

    async def scene(world: World) -> None:
        silent, lively = world.sessions[:2]
        silent.start()
        await world.idle(0.015)
        lively.start()
        await world.idle(0.012)
        assert world.log == [("ping", 0), ("ping", 1)]

    play(scene, interval=0.010, timeout=1.0)


def test_stopping_stops_everything() -> None:
    async def scene(world: World) -> None:
        for session in world.sessions:
            session.start()
        await world.idle(0.010)
        for session in world.sessions:
            session.stop()
        assert world.timers == 0
        await world.idle(1)
        assert world.log == []

    play(scene)


@pytest.mark.parametrize("last", [True, False], ids=["the last one", "one of several"])
@pytest.mark.parametrize("moment", ["ping", "timed out"])
def test_a_session_that_stops_inside_its_own_beat(moment: str, last: bool) -> None:
    async def scene(world: World) -> None:
        session, other = world.sessions[:2]
        session.start()
        if not last:
            other.start()
        if moment == "timed out":
            await world.idle(0.030)
        session.reaction = session.stop
        await world.idle(1)
        assert world.log.count((moment, 0)) == 1
        assert world.log.count(("timed out", 1)) == (not last)
        assert world.timers == 0

    play(scene)


@pytest.mark.parametrize("action", ["stop", "start"])
@pytest.mark.parametrize("moment", ["ping", "timed out"])
def test_what_one_does_to_another_that_is_due_in_the_same_beat(moment: str, action: str) -> None:
    async def scene(world: World) -> None:
        one, other = world.sessions[:2]
        one.start()
        other.start()
        if moment == "timed out":
            await world.idle(0.030)
            world.log.clear()
        one.reaction = getattr(other, action)
        await world.idle(0.022)
        assert world.log == ([] if moment == "ping" else [("timed out", 0)])
        await world.idle(0.006)
        assert world.log == [(moment, 0)]
        await world.idle(0.025)
        assert world.log.count(("ping", 1)) == (action == "start")

    play(scene)


def test_one_timer_however_much_happens_inside_a_beat() -> None:
    async def scene(world: World) -> None:
        one, other = world.sessions[:2]

        def swap() -> None:
            one.stop()
            other.start()

        one.start()
        one.reaction = swap
        await world.idle(0.030)
        assert world.timers == 1, "and the one of this sleep is over"
        await world.idle(0.030)
        assert world.log == [("ping", 0), ("ping", 1)]

    play(scene)


def test_a_beat_that_fails_takes_nobody_elses() -> None:
    async def scene(world: World) -> None:
        one, other = world.sessions[:2]

        def fail() -> None:
            raise RuntimeError("a failing ping")

        one.start()
        other.start()
        one.reaction = fail
        await asyncio.sleep(0.030)
        assert world.log == [("ping", 0), ("ping", 1)]
        assert [str(error) for error in world.failures] == ["a failing ping"]

    play(scene)


durations = st.integers(1, 60).map(lambda number: number * MILLISECOND)
names = st.integers(0, 3)
simple = st.tuples(st.sampled_from(["start", "start", "stop"]), names)
blocking = st.tuples(st.just("block"), durations)
waiting = st.tuples(st.just("wait"), durations)
reacting = st.tuples(st.just("react"), names, simple)
scenes = st.lists(simple | waiting | reacting | blocking, min_size=5, max_size=40)


@settings(max_examples=300, deadline=None)
@given(durations, durations, scenes)
def test_no_beat_is_early_late_or_forgotten(
    interval: float, timeout: float, steps: list[tuple[Any, ...]]
) -> None:
    async def scene(world: World) -> None:
        for step in steps:
            match step:
                case "wait", seconds:
                    await world.idle(seconds)
                case "block", seconds:
                    world.block(seconds)
                case "react", name, (what, whom):
                    world.sessions[name].reaction = getattr(world.sessions[whom], what)
                case what, name:
                    getattr(world.sessions[name], what)()
            assert world.timers <= 1
        for session in world.sessions:
            session.reaction = None
        await world.idle(interval + 2 * timeout + 10 * MILLISECOND)
        assert all(each.ping_due is each.pong_due is None for each in world.sessions)
        assert world.timers == 0

    play(scene, interval, timeout)
