"""A node in this process, which tells what it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from config.settings import Settings
from hub import app
from hub.gateways.http.edge import EdgeRunner
from tests.support.nodes import ready
from tests.support.wait import eventually


@asynccontextmanager
async def serving(settings: Settings, **options: Any) -> AsyncIterator[web.AppRunner]:
    """A node, served in this process."""
    async with app.node(settings, **options) as application:
        runner = EdgeRunner(application, patience=settings.request_timeout, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            await eventually(lambda: ready(address(runner, "")))
            yield runner
        finally:
            await runner.cleanup()


@pytest.fixture
async def runner(settings: Settings) -> AsyncIterator[web.AppRunner]:
    """As it is started."""
    async with serving(settings) as found:
        yield found


def address(runner: web.AppRunner, path: str) -> str:
    host, port = runner.addresses[0]
    return f"http://{host}:{port}{path}"


@pytest.fixture
def application(runner: web.AppRunner) -> web.Application:
    return runner.app
