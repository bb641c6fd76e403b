"""The short form of ``python -m tests.fuzz``."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.embedded import MongoServer, RedisServer
from tests.fuzz.run import run_on


@pytest.mark.timeout(120)
async def test_a_hub_that_is_sent_nonsense_serves_the_others(
    redis_server: RedisServer, mongo_server: MongoServer, tmp_path: Path
) -> None:
    await redis_server.start()
    await mongo_server.start()
    report = await run_on(redis_server, mongo_server, 1500, 1, tmp_path)
    assert report.wrong == []
    assert sum(report.sent.values()) >= 1500
    assert set(report.sent) == {
        *("request", "poll", "stranger", "socket", "frame", "follower", "command"),
    }
    assert report.events > 10
