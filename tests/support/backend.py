"""A user's backend that says who may read which project."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class Backend:
    """It answers by ``allowed`` (user, project), or as ``answer`` says; while ``gate`` is shut, not
    at all."""

    def __init__(self) -> None:
        self.url = ""
        self.allowed: set[tuple[str, str]] = set()
        self.questions: list[dict[str, Any]] = []
        self.answer: Callable[[], web.Response] | None = None
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        app = web.Application()
        app.router.add_post("/may", self._may)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def start(self) -> None:
        """Serves on a free port."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/may"

    async def stop(self) -> None:
        """Nobody answers any more."""
        self.gate.set()
        await self._runner.cleanup()

    async def _may(self, request: web.Request) -> web.Response:
        question = await request.json()
        self.questions.append(question)
        self.arrived.set()
        await self.gate.wait()
        if self.answer is not None:
            return self.answer()
        key = question["userId"], question["projectId"]
        return web.json_response({"allowed": key in self.allowed})


@asynccontextmanager
async def backend() -> AsyncIterator[Backend]:
    """A running one."""
    running = Backend()
    await running.start()
    try:
        yield running
    finally:
        await running.stop()
