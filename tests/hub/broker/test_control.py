"""Telling and asking all nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from hub.broker import control
from hub.broker.connect import open_redis
from hub.broker.control import BLOCK, Control, Later
from hub.broker.keys import CONTROL, answers
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
        said = await a.control.ask("note", "last", ["a", "b"], within=5)
        assert said == {"a": b'"a did"', "b": b'"b did"'}
        for each in (a, b):
            each.orders.clear()
        for number in range(5):
            await (a, b)[number % 2].control.tell("note", number)
        await eventually(lambda: a.has(0, 1, 2, 3, 4))
        await eventually(lambda: b.has(0, 1, 2, 3, 4))


async def test_who_does_not_answer_is_not_waited_for_longer(server: RedisServer) -> None:
    async with nodes(server, "a") as (a,):
        said = await a.control.ask("note", {}, ["a", "gone"], within=0.5)
        assert list(said) == ["a"]
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


async def test_what_is_no_order_and_no_answer_is_passed_over(
    server: RedisServer, sync_redis: Any
) -> None:
    async with nodes(server, "a") as (a,):
        for fields in ({"o": b"{"}, {"o": b"\xff"}, {"o": b'{"kind": "note"}'}, {"p": b"?"}):
            sync_redis.xadd(CONTROL, fields)
        asked = asyncio.create_task(a.control.ask("note", 1, ["a", "b"], within=1))

        async def stray() -> bool:
            found = sync_redis.xrevrange(CONTROL, count=1)[0][1].get(b"o", b"{}")
            question = msgspec.json.decode(found).get("question")
            return bool(question) and sync_redis.rpush(answers(question), b"{", b"[]", b"\xff") > 0

        await eventually(stray)
        assert await asked == {"a": b'"a did"'}


async def test_what_takes_long_holds_up_nothing_and_is_answered(server: RedisServer) -> None:
    async with nodes(server, "a") as (a,):
        go_on, begun = asyncio.Event(), asyncio.Queue[object]()

        async def begin(body: bytes) -> Later:
            number = msgspec.json.decode(body)
            begun.put_nowait(number)

            async def over() -> object:
                await go_on.wait()
                return number

            return Later(over)

        a.control.on("long", begin)
        long = []
        for number in range(20):
            long.append(asyncio.create_task(a.control.ask("long", number, ["a"], within=10)))
            assert await begun.get() == number
        assert await a.control.ask("note", 1, ["a"], within=5) == {"a": b'"a did"'}
        assert not any(each.done() for each in long)
        go_on.set()
        assert [await each for each in long] == [{"a": b"%d" % number} for number in range(20)]


async def test_of_what_takes_long_not_too_much_is_begun(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_LATER_AT_MOST", 3)
    async with nodes(server, "a") as (a,):
        go_on, begun = asyncio.Semaphore(0), asyncio.Queue[object]()

        async def begin(body: bytes) -> Later:
            begun.put_nowait(body)
            return Later(go_on.acquire)

        a.control.on("long", begin)
        a.orders.clear()
        for _ in range(5):
            await a.control.tell("long", None)
        await a.control.tell("note", "last")
        for _ in range(3):
            await begun.get()
        assert a.orders == []
        for _ in range(2):
            assert begun.empty()
            go_on.release()
            await begun.get()
        go_on.release()
        await eventually(lambda: a.has("last"))


async def test_who_is_doubted_is_waited_for_no_longer_than_a_moment(server: RedisServer) -> None:
    async with nodes(server, "a") as (a,):
        clock = asyncio.get_running_loop().time
        began = clock()
        found = await a.control.ask("note", 1, ["a", "gone"], within=5, doubted=["gone"])
        assert list(found) == ["a"]
        assert clock() - began < 1
        found = await a.control.ask("note", 1, ["a"], within=5, doubted=["a"])
        assert list(found) == ["a"]  # it answers within that


async def test_old_orders_are_not_kept(server: RedisServer, sync_redis: Any) -> None:
    sync_redis.xadd(CONTROL, {"o": b"{}"}, id="1-0")
    async with nodes(server, "a") as (a,):
        await a.control.tell("note", 1)
        assert sync_redis.xrange(CONTROL, count=1)[0][0] != b"1-0"
        assert 0 < sync_redis.ttl(CONTROL) <= 600
