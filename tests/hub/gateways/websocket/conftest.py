"""Fixtures: production runs on uvloop and tests elsewhere on asyncio's own loop, whose transports
differ in when they write, pause and close. So here it is both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from tests.hub.gateways.websocket.wire import Server, self_signed, serving


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops of every test in this folder."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1, with its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["plain", "tls"])
async def server(request: pytest.FixtureRequest, certificate: Path) -> AsyncIterator[Server]:
    """A server without compression."""
    async with serving(certificate=certificate if request.param == "tls" else None) as running:
        yield running
