"""A node in this process, which tells what it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from config.settings import Settings
from hub import app
from hub.gateways.http.edge import EdgeRunner
from tests.support.wait import eventually


@asynccontextmanager
async def serving(settings: Settings, **options: Any) -> AsyncIterator[web.AppRunner]:
    """A node, served in this process."""
    async with app.node(settings, **options) as application:
        runner = EdgeRunner(application, patience=settings.request_timeout, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            await eventually(lambda: ready(runner))
            yield runner
        finally:
            await runner.cleanup()


@pytest.fixture
async def runner(settings: Settings) -> AsyncIterator[web.AppRunner]:
    """As it is started."""
    async with serving(settings) as found:
        yield found


async def ready(runner: web.AppRunner) -> bool:
    """Whether the node has found its stores."""
    async with aiohttp.ClientSession() as http, http.get(address(runner, "/readyz")) as answer:
        return answer.status == 200


def address(runner: web.AppRunner, path: str) -> str:
    host, port = runner.addresses[0]
    return f"http://{host}:{port}{path}"


@pytest.fixture
def application(runner: web.AppRunner) -> web.Application:
    return runner.app
