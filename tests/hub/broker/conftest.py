"""Fixtures of the broker's tests: a Redis of the session, and a client that blocks the loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from redis import Redis as SyncRedis

from hub.embedded import RedisServer


@pytest.fixture
async def server(redis_server: RedisServer) -> AsyncIterator[RedisServer]:
    """A running, empty Redis."""
    await redis_server.start()
    with SyncRedis(port=redis_server.port) as redis:
        redis.flushall()
    yield redis_server
    await redis_server.start()


@pytest.fixture
def sync_redis(server: RedisServer) -> Iterator[SyncRedis]:
    """A client without asyncio: what it does, it does before the event loop's next turn."""
    with SyncRedis(port=server.port) as redis:
        yield redis
