"""Nodes are killed while clients change what they follow: who is told that it recovered has lost
nothing and gets nothing twice, whatever it was just about to say or to hear."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from hub.domain.ids import uuid7
from hub.domain.publications import TopicEvent
from tests.e2e.test_recovery import Pair, pair
from tests.support.sioline import Line, line
from tests.support.stores import opened
from tests.support.system import System

TOPICS = [f"topic:t{number}" for number in range(4)]
CLIENTS = 12
KILLS = 2


class Walker:
    """A client that subscribes and unsubscribes at random, and checks everything it is sent."""

    def __init__(self, both: Pair, token: str, dice: random.Random) -> None:
        self.both = both
        self.token = token
        self.dice = dice
        self.has: dict[str, int] = {}  # what it follows, and up to where it has that
        self.asked: dict[str, str] = {}  # commands without an answer yet, by channel
        self.connects: list[bool] = []
        self.last: Line | None = None

    async def live(self, stop: asyncio.Event) -> None:
        """Connects again and again."""
        while not stop.is_set():
            try:
                async with line(self.both.front.url, self.token, back=self.last) as current:
                    self._arrive(current)
                    self.last = current
                    await self._walk(current, stop)
            except (aiohttp.ClientError, ConnectionError, AssertionError) as error:
                if isinstance(error, AssertionError) and "in vain" not in str(error):
                    raise
                await asyncio.sleep(0.05)

    async def _walk(self, current: Line, stop: asyncio.Event) -> None:
        done = 1
        while not (current.closed or stop.is_set()):
            if self.dice.random() < 0.1:
                await self._say_something(current)
            await asyncio.sleep(self.dice.random() * 0.02)
            done = self._take(current, done)
        self._take(current, done)

    def _arrive(self, current: Line) -> None:
        hello = current.hello
        at = {each["channel"]: each["offset"] for each in hello["channels"]}
        recovered = self.last is not None and current.pid == self.last.pid
        assert hello["recovered"] is recovered
        self.connects.append(recovered)
        if not recovered:
            self.has, self.asked = at, {}
            return
        sure = {name: offset for name, offset in self.has.items() if name not in self.asked}
        assert {name: at.get(name) for name in sure} == sure
        for name, command in self.asked.items():
            if name in self.has and name in at:
                assert at[name] == self.has[name]
            if command == "subscribe" and name in self.has:
                assert name in at
        assert set(at) <= set(self.has) | set(self.asked)
        self.has, self.asked = at, {}

    async def _say_something(self, current: Line) -> None:
        channel = self.dice.choice(TOPICS)
        if channel in self.asked:
            return
        command = self.dice.choice(["subscribe", "subscribe", "unsubscribe"])
        number = await current.send(command, {"channel": channel})
        self.asked[channel] = command
        current.waiting[number] = channel

    def _take(self, current: Line, done: int) -> int:
        for entry in current.log[done:]:
            if entry[0] == "ack":
                channel = current.waiting.pop(entry[1])
                self._answered(channel, self.asked.pop(channel), entry[2])
            else:
                assert entry[0] == "event", entry
                channel, offset = entry[1]["channel"], entry[1]["offset"]
                if channel in self.has:
                    assert offset == self.has[channel] + 1, f"{entry}, has {self.has}"
                    self.has[channel] = offset
                else:
                    assert channel in self.asked, f"not asked for: {entry}"
        return len(current.log)

    def _answered(self, channel: str, command: str, answer: Any) -> None:
        assert answer["ok"], answer
        if command == "unsubscribe":
            self.has.pop(channel, None)
        else:
            self.has[channel] = answer["data"]["offset"]


async def publish(system: System, stop: asyncio.Event) -> None:
    """Something on every topic, all the time."""
    dice = random.Random(5)
    async with opened(system.settings) as stores:
        while not stop.is_set():
            some = dice.sample(TOPICS, 2)
            await stores.publish(
                [TopicEvent(id=UUID(uuid7()), topic_name=n, type="NEWS", data={}) for n in some]
            )
            await asyncio.sleep(0.01)


@pytest.mark.timeout(180)
async def test_killed_in_the_middle_of_everything(system: System) -> None:
    stop = asyncio.Event()
    async with pair(system) as both, asyncio.TaskGroup() as tasks:
        walkers = [Walker(both, system.token(f"u{n}"), random.Random(n)) for n in range(CLIENTS)]
        tasks.create_task(publish(system, stop))
        for walker in walkers:
            tasks.create_task(walker.live(stop))
        for turn in range(KILLS):
            async with asyncio.timeout(30):
                while any(len(walker.connects) <= turn for walker in walkers):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1)
            await both.kill_first()
            await both.nodes[1].start()
        async with asyncio.timeout(30):
            while any(len(walker.connects) <= KILLS for walker in walkers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        stop.set()
    back = [recovered for walker in walkers for recovered in walker.connects[1:]]
    assert sum(back) > len(back) / 2
