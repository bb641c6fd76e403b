"""The list of nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from hub.broker import keys as key_names
from hub.broker.connect import command, open_redis
from hub.broker.nodes import LEASE, UNKNOWN, Node, Nodes, this_node
from hub.embedded import RedisServer
from tests.support.wait import eventually


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    async with open_redis(server.url) as client:
        yield client


@asynccontextmanager
async def beating(redis: Redis, address: str, lease: float = LEASE) -> AsyncIterator[Nodes]:
    """A node that is on the list."""
    nodes = Nodes(redis, this_node(address), lease=lease)
    running = asyncio.create_task(nodes.run())
    try:
        await eventually(lambda: listed(nodes, nodes.me.id))
        yield nodes
    finally:
        running.cancel()
        await asyncio.wait([running])


async def listed(nodes: Nodes, node_id: str) -> bool:
    return node_id in [each.id for each in await nodes.alive()]


async def test_every_node_is_listed_with_what_it_says_of_itself(redis: Redis) -> None:
    assert await Nodes(redis, this_node("")).alive() == []
    async with beating(redis, "a:1") as one, beating(redis, "b:2") as two:
        assert one.me.id != two.me.id
        expected = sorted([one.me, two.me], key=lambda node: node.id)
        assert await one.alive() == await two.alive() == expected
        assert {node.address for node in expected} == {"a:1", "b:2"}
        two.drain()

        async def draining() -> bool:
            return [node.draining for node in await one.alive() if node.id == two.me.id] == [True]

        await eventually(draining, limit=2)  # at once, not at the next beat
    await two.leave()
    assert [node.id for node in await one.alive()] == [one.me.id]


async def test_a_node_that_died_is_gone_by_itself_and_one_that_lives_stays(redis: Redis) -> None:
    async with beating(redis, "a:1", lease=0.9) as lives:
        async with beating(redis, "b:2", lease=0.9) as dies:
            pass
        assert await listed(lives, dies.me.id)
        left = await command(redis.pttl(key_names.node(dies.me.id)))
        assert 0 < left <= 900

        async def gone() -> bool:
            return not await listed(lives, dies.me.id)

        await eventually(gone, limit=3)
        assert await listed(lives, lives.me.id)
        members = await command(redis.smembers(key_names.NODES))
        assert members == {lives.me.id.encode()}


def test_a_lease_ends_within_fifteen_seconds() -> None:
    assert LEASE <= 15


async def test_an_emptied_redis_has_the_node_again(redis: Redis) -> None:
    async with beating(redis, "a:1", lease=0.9) as one:
        await command(redis.flushall())
        await eventually(lambda: listed(one, one.me.id), limit=3)


async def test_a_lease_that_cannot_be_read_is_passed_over(redis: Redis) -> None:
    async with beating(redis, "a:1", lease=0.9) as one:
        await command(redis.sadd(key_names.NODES, "short", "junk", b"\xff"))
        await command(redis.set(key_names.node("short"), b'{"id": "short"}'))
        await command(redis.set(key_names.node("junk"), b"junk"))

        async def beats() -> bool:
            return (await one.beaten([one.me.id]))[one.me.id] < 0.2

        await eventually(beats)
        await asyncio.sleep(0.9)  # a lease
        await eventually(beats)
        assert await one.alive() == sorted(
            [one.me, Node("short", started_at=UNKNOWN)], key=lambda node: node.id
        )


async def test_one_knows_when_a_heart_beat_last(redis: Redis) -> None:
    async with beating(redis, "a:1") as one:
        pass
    await command(redis.pexpire(key_names.node(one.me.id), 12_000))
    found = await one.beaten([one.me.id, "gone"])
    assert list(found) == [one.me.id]
    assert 3 <= found[one.me.id] < 4
