"""What becomes of a stream whose client does not read, and how it ends."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any, cast

import pytest

from config.values import Rate
from hub.delivery.message import Message, Notice, Reset
from hub.domain import codes, times
from hub.domain.allowance import Allowance
from hub.domain.events import Encoded
from hub.domain.principal import Principal, Role
from hub.gateways.heartbeats import Heartbeats
from hub.gateways.stream import JobStream
from hub.gateways.streams import Streams
from hub.services.channels import Channels

JOB = "job:j1"
LIMIT = 2000


class Left:
    """Where a stream joined: it notes who left, and gives the job's snapshot."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.summaries: list[Reset] = []

    def unsubscribe(self, follower: object, channel: str) -> None:
        del follower
        self.left.append(channel)

    async def summary(self, channel: str) -> Reset:
        assert channel == JOB
        return self.summaries.pop(0)


class Line:
    """A connection that keeps what is sent."""

    def __init__(self) -> None:
        self.sent = b""
        self.aborted = False

    def send(self, data: bytes) -> None:
        self.sent += data

    def abort(self) -> None:
        self.aborted = True

    def said(self) -> list[Any]:
        """The offsets, resets in brackets."""
        found = [json.loads(each) for each in self.sent.splitlines()]
        return [[f["offset"]] if f["type"] == "RESET" else f["offset"] for f in found]


class Plain(JobStream):
    """A stream of lines."""

    ending: str | None = None

    def form(self, what: Message | Notice | Reset) -> bytes:
        if isinstance(what, Message):
            return what.envelope + b"\n"
        assert isinstance(what, Reset)
        return what._typed + b"\n"

    def say_end(self) -> None:
        self.ending = "end"

    def say_closing(self, code: codes.Code, retry_after: float | None, message: str | None) -> None:
        self.ending = code.name

    def ping(self) -> None:
        pass


class Scene:
    def __init__(self) -> None:
        self.channels = Left()
        self.host = Streams(cast("Channels", self.channels), LIMIT, Rate(20, 1))
        at = times.now() + timedelta(hours=1)
        who = Principal("u1", frozenset({Role.USER}), None, at)
        self.line = Line()
        self.stream = Plain(self.host, Heartbeats(60, 60), who, JOB)

    def begin(self) -> Scene:
        self.stream.begin(self.line)
        return self

    def deliver(self, *offsets: int, type_: str = "X") -> None:
        self.stream.deliver([event(offset, type_) for offset in offsets])

    def ending(self) -> str | None:
        """How it ended, if it has."""
        return self.stream.ending

    async def settled(self) -> None:
        """Nothing that it owns is under way."""
        while self.host._tasks:
            await asyncio.gather(*self.host._tasks)


def event(offset: int, type_: str = "X") -> Message:
    body = {"type": type_, "offset": offset, "data": {"currentStatus": None, "pad": "x" * 300}}
    return Message(JOB, "e", Encoded(offset, json.dumps(body).encode()))


async def test_queued_events_give_way_to_one_reset_and_then_it_is_live_again() -> None:
    scene = Scene().begin()
    scene.deliver(1)
    scene.stream.blocked()
    for offset in range(2, 30):
        scene.deliver(offset)
        assert scene.stream._outbox.bytes <= LIMIT
    assert scene.line.said() == [1]
    scene.channels.summaries = [Reset(JOB, "e", 29, {"status": "GENERATING"})]
    scene.stream.writable()
    await scene.settled()
    scene.deliver(30)
    assert scene.line.said() == [1, [29], 30]
    assert scene.ending() is None


async def test_what_fits_is_sent_in_order_once_the_client_reads() -> None:
    scene = Scene().begin()
    scene.stream.blocked()
    scene.deliver(1, 2)
    scene.deliver(3)
    scene.stream.writable()
    scene.deliver(4)
    assert scene.line.said() == [1, 2, 3, 4]


async def test_it_ends_when_the_last_event_was_sent_and_not_before() -> None:
    scene = Scene().begin()
    scene.stream.blocked()
    scene.deliver(1, type_="JOB_COMPLETED")
    assert scene.ending() is None
    scene.stream.writable()
    assert scene.ending() == "end"
    assert scene.line.said() == [1]
    assert scene.channels.left == [JOB]
    assert len(scene.host) == 0


async def test_it_ends_when_the_last_event_gave_way_to_a_reset() -> None:
    scene = Scene().begin()
    scene.stream.blocked()
    scene.deliver(*range(1, 10))
    scene.deliver(10, type_="JOB_FAILED")
    scene.channels.summaries = [Reset(JOB, "e", 10, {"status": "FAILED"})]
    scene.stream.writable()
    await scene.settled()
    assert scene.line.said() == [[10]]
    assert scene.ending() == "end"


@pytest.mark.parametrize("blocked", [True, False])
async def test_a_client_that_gives_no_sign_of_life_is_cut_off(blocked: bool) -> None:
    scene = Scene().begin()
    if blocked:
        scene.stream.blocked()
    scene.stream.timed_out()
    assert scene.ending() == ("SLOW_CONSUMER" if blocked else None)
    assert scene.line.aborted is not blocked
    assert scene.channels.left == [JOB]


async def test_it_tells_that_it_is_active_and_that_it_left() -> None:
    scene, left = Scene().begin(), list[str]()
    scene.stream.on_leave = lambda: left.append("left")
    before = scene.stream.activity
    scene.stream.warn()
    assert scene.stream.activity == before
    scene.deliver(1)
    assert scene.stream.activity != before
    scene.stream.send_away(codes.KICKED, "why", None)
    assert (scene.ending(), set(left)) == ("KICKED", {"left"})


async def test_one_that_lost_its_slot_before_it_began_says_nothing() -> None:
    scene = Scene()
    scene.stream.evicted(JOB)
    scene.begin()
    scene.deliver(1)
    assert (scene.line.said(), scene.line.aborted, len(scene.host)) == ([], True, 0)


def test_an_allowance_is_so_much_at_once_and_as_much_again() -> None:
    allowance = Allowance(Rate(3, 1))
    assert [allowance.take(now) for now in (10, 10, 10, 10)] == [True, True, True, False]
    assert [allowance.take(now) for now in (10.34, 10.34)] == [True, False]
    assert [allowance.take(now) for now in (99, 99, 99, 99)] == [True, True, True, False]
