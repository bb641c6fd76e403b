"""Telling and asking all nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from hub.broker.connect import open_redis
from hub.broker.control import BLOCK, Control
from hub.embedded import RedisServer
from tests.support.wait import eventually


class Heard:
    """A node that notes what it is told, and answers with its name."""

    def __init__(self, redis: Redis, reading: Redis, name: str) -> None:
        self.control = Control(redis, reading, name)
        self.orders: list[object] = []
        self.control.on("note", self._note)
        self.control.on("fail", self._fail)

    async def _note(self, body: bytes) -> object:
        self.orders.append(msgspec.json.decode(body))
        return f"{self.control.node} did"

    async def _fail(self, body: bytes) -> object:
        raise ValueError(body)

    async def has(self, *orders: object) -> bool:
        return self.orders == [*orders]


@asynccontextmanager
async def nodes(server: RedisServer, *names: str) -> AsyncIterator[list[Heard]]:
    """Nodes that listen."""
    async with open_redis(server.url) as redis, open_redis(server.url, timeout=3 * BLOCK) as block:
        found = [Heard(redis, block, name) for name in names]
        running = [asyncio.create_task(each.control.run()) for each in found]
        try:
            for each in found:  # it listens once it has heard something

                async def up(one: Heard = each) -> bool:
                    await one.control.tell("note", "are you there?")
                    return bool(one.orders)

                await eventually(up)
            yield found
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)


async def test_every_node_carries_out_what_any_is_told_in_order(server: RedisServer) -> None:
    async with nodes(server, "a", "b") as (a, b):
        answers = await a.control.ask("note", "last", ["a", "b"], within=5)
        assert answers == {"a": b'"a did"', "b": b'"b did"'}
        for each in (a, b):
            each.orders.clear()
        for number in range(5):
            await (a, b)[number % 2].control.tell("note", number)
        await eventually(lambda: a.has(0, 1, 2, 3, 4))
        await eventually(lambda: b.has(0, 1, 2, 3, 4))


async def test_who_does_not_answer_is_not_waited_for_longer(server: RedisServer) -> None:
    async with nodes(server, "a") as (a,):
        answers = await a.control.ask("note", {}, ["a", "gone"], within=0.5)
        assert list(answers) == ["a"]
        assert await a.control.ask("fail", {}, ["a"], within=0.3) == {}
        assert await a.control.ask("of a newer version", {}, ["a"], within=0.3) == {}
        assert list(await a.control.ask("note", {}, ["a"], within=5)) == ["a"]


@pytest.mark.timeout(60)
async def test_what_was_told_while_a_node_was_cut_off_is_carried_out_when_it_is_back(
    server: RedisServer, sync_redis: SyncRedis
) -> None:
    async with nodes(server, "a", "b") as (a, b):
        await a.control.ask("note", "last", ["a", "b"], within=5)
        b.orders.clear()
        # Its connections are cut, again and again, while the orders are given.
        for number in range(20):
            sync_redis.client_kill_filter(_type="normal", skipme=True)
            await a.control.tell("note", number)
        await eventually(lambda: b.has(*range(20)))
