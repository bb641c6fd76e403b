"""Shared fixtures: real servers for the session, fresh state and settings for each test."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from config.logs import setup_logging
from config.settings import Rate, Settings
from hub import ports
from hub.embedded import MongoServer, RedisServer
from tests.support import protocol, secrecy
from tests.support.stores import emptied

PLENTY = Rate(100_000, 1)
JWT_SECRET = "a-secret-for-tests-of-at-least-32-bytes"


def pytest_sessionstart() -> None:
    """Nodes in this process log as they do in theirs, and no secret of the run may be in it."""
    setup_logging("INFO", "console")
    logging.getLogger("bare").setLevel(logging.WARNING)  # the library by itself says too much
    secrecy.remember(JWT_SECRET)
    secrecy.remember_signed()
    protocol.listen_to_http()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails the test after which something secret is in a log (``tests/support/secrecy.py``), and
    that in which a message did not fit the documents (``tests/support/protocol.py``)."""
    report = yield
    if (misfits := protocol.take()) and not report.failed:
        report.outcome = "failed"
        report.longrepr = "not as described:\n" + "\n".join(dict.fromkeys(misfits))
    leaks = secrecy.leaks(report.capstderr)
    folder: Any = getattr(item, "funcargs", {}).get("tmp_path")
    if report.when == "teardown" and isinstance(folder, Path):
        leaks += secrecy.leaks_of(folder)
    if leaks and not report.failed:
        report.outcome = "failed"
        report.longrepr = "secrets in the log:\n" + "\n".join(dict.fromkeys(leaks))
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def redis_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    """A private Redis of this test session. A test may kill it; the next one finds it running."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MongoServer]:
    """A private MongoDB wire server of this test session, likewise."""
    server = MongoServer(tmp_path_factory.mktemp("mongo"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def settings(redis_server: RedisServer, mongo_server: MongoServer) -> Settings:
    """Settings of a hub whose stores are empty."""
    await redis_server.start()
    await mongo_server.start()
    settings = Settings(
        redis_url=redis_server.url,
        mongo_url=mongo_server.url,
        mongo_db="test",
        jwt_secret=SecretStr(JWT_SECRET),
        log_format="console",
        rate_commands=Rate(1000, 1),  # tests are in a hurry, and all of one address
        rate_user_commands=PLENTY,
        rate_connects=PLENTY,
        rate_requests=PLENTY,
        rate_publishes=PLENTY,
    )
    await emptied(settings)
    return settings


@pytest.fixture
def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    return ports.free_port()
