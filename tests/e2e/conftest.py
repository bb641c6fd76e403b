"""One hub per test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from hub.embedded import MongoServer, RedisServer
from tests.support.system import System, running_system


@pytest.fixture
async def system(
    settings: Settings, redis_server: RedisServer, mongo_server: MongoServer
) -> AsyncIterator[System]:
    """A running node and ingest worker."""
    async with running_system(settings, redis_server, mongo_server) as running:
        yield running
