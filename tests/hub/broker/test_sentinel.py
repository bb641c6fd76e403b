"""The broker under a real Sentinel that makes the replica the primary."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import RedisError

from hub.broker.connect import command, open_redis
from hub.broker.journal import PartitionReader
from hub.broker.sync import open_sync_redis
from tests.hub.broker.listening import KEYS, Heard, listening
from tests.hub.broker.publishing import CHANNELS, Publishing
from tests.support import topologies
from tests.support.topologies import Watched

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """A primary, its replica and a Sentinel."""
    async with topologies.watched(tmp_path_factory.mktemp("sentinel")) as running:
        yield running


@pytest.mark.parametrize("dead", [True, False], ids=["killed", "demoted"])
async def test_a_failover_is_survived(watched: Watched, *, dead: bool) -> None:
    heard, redis = Heard(), open_redis(watched.url)
    publishing = Publishing(redis)
    channel = CHANNELS[3]
    reader = PartitionReader(redis, KEYS, 3)
    assert await reader.next(1, None) == []
    async with listening(watched.url, heard) as live:
        await live.follow(channel)
        task = asyncio.create_task(publishing.on(3))
        await heard.until(lambda: len(heard.offsets(channel)) > 10)
        assert heard.offsets(channel) == list(range(1, len(heard.offsets(channel)) + 1))
        if dead:
            watched.primary.kill()
        else:
            await watched.sentinel.ask("SENTINEL", "FAILOVER", watched.service)
        await heard.until(lambda: heard.restored >= 1 and live.connected, 40)
        told = publishing.told[3]
        await heard.until(lambda: publishing.told[3] > told + 10, 20)
        publishing.stop()
        await task
        last = publishing.told[3]
        await heard.until(lambda: heard.offsets(channel)[-1:] == [last])
        assert heard.offsets(channel)[-10:] == list(range(last - 9, last + 1))
        assert (await watched.replica.ask("ROLE"))[0] == b"master"
        assert await reader.next(1, None)
        assert await command(redis.ping())
        sync = open_sync_redis(watched.url, timeout=2)
        await asyncio.to_thread(sync.xadd, "a", {"p": b"x"})
        sync.close()
        assert await redis.xlen("a") == 1
    await redis.aclose()


async def test_without_a_sentinel_the_error_is_one_of_redis() -> None:
    redis = open_redis("redis+sentinel://127.0.0.1:1/hubs", timeout=0.3)
    with pytest.raises(RedisError, match="knows a working primary of 'hubs'"):
        await redis.get("a")
    await redis.aclose()
