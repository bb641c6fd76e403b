"""The subscription to what managers publish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from hub.broker.emitters import Emitters
from hub.broker.keys import EMITTERS, Keys
from hub.embedded import RedisServer
from tests.hub.broker.proxy import Proxy
from tests.support import topologies
from tests.support.wait import eventually


@asynccontextmanager
async def hearing(url: str, heard: list[bytes]) -> AsyncIterator[None]:
    """Emitters at work; not subscribed yet."""
    emitters = Emitters(url, Keys(16), heard.append)
    running = asyncio.create_task(emitters.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        await emitters.close()
    assert running.cancelled()


async def until_heard(redis: Redis, heard: list[bytes]) -> None:
    """Publishes until something new is heard."""
    heard.clear()

    async def new() -> bool:
        await redis.publish(EMITTERS, b"x")
        return bool(heard)

    await eventually(new)


async def test_messages_come_in_order_however_many(server: RedisServer) -> None:
    heard: list[bytes] = []
    async with hearing(server.url, heard), Redis.from_url(server.url) as redis:
        await until_heard(redis, heard)
        heard.clear()
        sent = [b"%d" % number for number in range(3000)]
        async with redis.pipeline(transaction=False) as pipe:
            for each in sent:
                pipe.publish(EMITTERS, each)
            await pipe.execute()

        async def all_there() -> bool:
            return len(heard) >= len(sent)

        await eventually(all_there)
        assert [each for each in heard if each != b"x"] == sent


@pytest.mark.parametrize("how", ["closed", "frozen"])
async def test_a_lost_connection_is_made_again(server: RedisServer, how: str) -> None:
    heard: list[bytes] = []
    proxy = Proxy(server.port)
    async with proxy.serving(), Redis.from_url(server.url) as redis, hearing(proxy.url, heard):
        await until_heard(redis, heard)
        if how == "frozen":
            proxy.freeze()
        else:
            await redis.client_kill_filter(_type="pubsub")
        await until_heard(redis, heard)


async def test_one_who_may_not_subscribe_does_not_ask_all_the_time(
    server: RedisServer, sync_redis: SyncRedis
) -> None:
    sync_redis.acl_setuser(
        "limited",
        enabled=True,
        passwords=["+secret"],
        categories=["+@all"],
        keys=["*"],
        channels=["hub:*"],
    )
    try:
        proxy = Proxy(server.port)
        async with proxy.serving():
            url = f"redis://limited:secret@127.0.0.1:{proxy.port}"
            async with hearing(url, []):
                await asyncio.sleep(1)
        assert proxy.accepted == 1
    finally:
        sync_redis.acl_deluser("limited")


async def test_in_a_cluster_every_server_passes_it_on(tmp_path: Path) -> None:
    heard: list[bytes] = []
    async with topologies.cluster(tmp_path) as cluster, hearing(cluster.url, heard):
        for member in cluster.primaries:
            async with member.client() as redis:
                await until_heard(redis, heard)
