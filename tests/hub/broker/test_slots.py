"""The slots of jobs, on a real Redis: never more than there are, and none lost for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.settings import Settings
from hub.broker import slots as slots_module
from hub.broker.connect import open_redis
from hub.broker.keys import Keys
from hub.broker.slots import Slots
from hub.embedded import RedisServer
from tests.support.wait import eventually

KEYS = Keys(16)
JOB, OTHER = "job:j1", "job:j2"


class Client:
    """A holder that notes what it lost."""

    def __init__(self, slot: str) -> None:
        self.slot = slot
        self.lost: list[str] = []
        self.there = True

    def shows_life(self) -> bool:
        return self.there

    def evicted(self, channel: str) -> None:
        self.lost.append(channel)


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    opened = open_redis(settings.redis_url or "")
    yield opened
    await opened.aclose()


@asynccontextmanager
async def running(node: Slots) -> AsyncIterator[None]:
    """Renews and frees; at the end the node dies."""
    task = asyncio.create_task(node.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def takes(node: Slots, client: Client, channel: str = JOB) -> bool:
    return channel in await node.take(client, [channel])


async def test_fifty_on_three_nodes_at_once_get_five(redis: Redis) -> None:
    nodes = [Slots(redis, KEYS, 5) for _ in range(3)]
    rush = [takes(nodes[n % 3], Client(f"c{n}")) for n in range(50)]
    assert sum(await asyncio.gather(*rush)) == 5
    assert sum(map(len, nodes)) == 5
    assert await redis.hlen(KEYS.slots(JOB)) == 5


async def test_one_client_has_one_slot_of_each_job(redis: Redis) -> None:
    node = Slots(redis, KEYS, 1)
    client = Client("a")
    assert await node.take(client, [JOB, OTHER]) == {JOB, OTHER}
    assert await node.take(client, [JOB, OTHER]) == {JOB, OTHER}
    assert not await takes(node, Client("b"))
    node.free(client, JOB)
    assert await node.take(Client("b"), [JOB, OTHER]) == {JOB}


async def test_a_freed_slot_is_free_on_other_nodes(redis: Redis) -> None:
    one, two = Slots(redis, KEYS, 1), Slots(redis, KEYS, 1)
    client = Client("a")
    async with running(one):
        assert await takes(one, client)
        assert not await takes(two, Client("b"))
        one.free(client, JOB)
        await eventually(lambda: takes(two, Client("b")))


async def test_who_comes_back_takes_its_own_slot_over(redis: Redis) -> None:
    one, two = Slots(redis, KEYS, 1), Slots(redis, KEYS, 1)
    broken, back = Client("pid"), Client("pid")
    assert await takes(one, broken)
    assert await takes(two, back)
    await one.renew()
    assert broken.lost == [JOB]
    one.free(broken, JOB)
    await one._flush()
    await two.renew()
    assert back.lost == []
    assert not await takes(one, Client("b"))


async def test_slots_of_a_dead_node_run_out_and_those_of_a_living_one_do_not(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots_module, "TTL", 0.6)
    monkeypatch.setattr(slots_module, "RENEWAL", 0.1)
    dead, alive = Slots(redis, KEYS, 1), Slots(redis, KEYS, 1)
    client, keeps = Client("a"), Client("k")
    assert await takes(dead, client)
    assert await takes(alive, keeps, OTHER)
    async with running(alive):
        await eventually(lambda: takes(alive, Client("b")))
        assert not await takes(dead, Client("c"), OTHER)
    assert keeps.lost == []
    await dead.renew()  # it was only suspended: another one has its slot
    assert client.lost == [JOB]
    assert len(dead) == 0


async def test_a_redis_that_comes_back_empty_is_told_again(
    redis: Redis, redis_server: RedisServer
) -> None:
    node = Slots(redis, KEYS, 1)
    assert await takes(node, Client("a"))
    await redis.flushall()
    await node.renew()
    assert not await takes(Slots(redis, KEYS, 1), Client("b"))
    redis_server.kill()
    with pytest.raises(RedisError):
        await takes(node, Client("c"), OTHER)
    assert len(node) == 1
    await redis_server.start()


async def test_closing_gives_everything_back(redis: Redis) -> None:
    node = Slots(redis, KEYS, 5)
    assert await node.take(Client("a"), [JOB, OTHER]) == {JOB, OTHER}
    await node.close()
    assert await redis.keys("*:slots:*") == []


async def test_who_left_while_it_was_let_in_has_no_slot(redis: Redis) -> None:
    node = Slots(redis, KEYS, 1)
    client = Client("a")
    taking = asyncio.create_task(node.take(client, [JOB]))
    await asyncio.sleep(0)
    node.free(client, JOB)
    await taking
    assert await takes(node, Client("b"))


async def test_who_shows_no_life_has_no_slot_until_it_does(redis: Redis) -> None:
    node = Slots(redis, KEYS, 1)
    silent, other = Client("silent"), Client("other")
    assert await takes(node, silent)
    silent.there = False
    await node.renew()
    assert await takes(node, other)
    node.free(other, JOB)
    await node._flush()
    await node.renew()  # it does not come back by itself
    assert await redis.hlen(KEYS.slots(JOB)) == 0
    silent.there = True
    await node.renew()
    assert not await takes(node, other)
    assert silent.lost == []


async def test_who_comes_back_to_life_too_late_has_lost_its_slot(redis: Redis) -> None:
    node = Slots(redis, KEYS, 1)
    silent, other = Client("silent"), Client("other")
    assert await takes(node, silent)
    silent.there = False
    await node.renew()
    assert await takes(node, other)
    silent.there = True
    await node.renew()
    assert (silent.lost, other.lost) == ([JOB], [])
    assert await redis.hkeys(KEYS.slots(JOB)) == [b"other"]
