"""Two nodes and an ingest worker, and users on several devices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from config.settings import Settings
from hub import app, tokens
from hub.gateways.http.edge import EdgeRunner
from tests.conftest import JWT_SECRET
from tests.support.process import Program, environment
from tests.support.sioline import Line, line
from workers import Publisher


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """A node in this process; its URL."""
    async with app.node(settings) as application:
        runner = EdgeRunner(application, patience=settings.request_timeout, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            host, port = runner.addresses[0]
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()


class Device:
    """One connection of a user. ``unread``: the one of the highest version that it was told."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.acks: list[dict[str, Any]] = []

    @property
    def unread(self) -> dict[str, int]:
        told = [self.line.hello["unread"], *(ack["unread"] for ack in self.acks)]
        told += [each["data"]["unread"] for each in self.events if "unread" in each["data"]]
        return max(told, key=lambda each: each["version"])

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events so far."""
        events: list[dict[str, Any]] = self.line.named("event")
        return events

    def of(self, type_: str) -> list[dict[str, Any]]:
        """The data of all events of a type."""
        return [each["data"] for each in self.events if each["type"] == type_]

    async def until(self, true: Any) -> None:
        await self.line.until(true)

    async def counts(self, count: int) -> None:
        """Returns once it knows of this many unread."""
        await self.until(lambda: self.unread["count"] == count)

    async def mark(self, ids: Any, as_: str, **more: Any) -> dict[str, Any]:
        """Marks; the acknowledgement's data."""
        answer = await self.line.command("notifications:mark", {"ids": ids, "as": as_, **more})
        assert answer["ok"], answer
        self.acks.append(answer["data"])
        return self.acks[-1]

    async def list(self, **wanted: Any) -> dict[str, Any]:
        """A page."""
        answer = await self.line.command("notifications:list", wanted)
        assert answer["ok"], answer
        data: dict[str, Any] = answer["data"]
        return data


class House:
    """Two nodes with their users."""

    def __init__(self, urls: list[str], hub: Publisher, http: aiohttp.ClientSession) -> None:
        self.urls = urls
        self.hub = hub
        self.http = http
        self.stack = AsyncExitStack()

    async def device(self, user: str = "u1", at: int = 0, **how: Any) -> Device:
        """A connection to node ``at``."""
        token = tokens.mint(JWT_SECRET, user, projects=["p1"])
        return Device(await self.stack.enter_async_context(line(self.urls[at], token, **how)))

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: str = "u1",
        roles: tuple[str, ...] = ("user",),
        at: int = 0,
    ) -> tuple[int, Any]:
        """An HTTP request; its status and document."""
        token = tokens.mint(JWT_SECRET, user, roles=roles, projects=["p1"])
        headers = {"Authorization": f"Bearer {token}"}
        url = self.urls[at] + path
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            document = None if answer.status == 204 else await answer.json(content_type=None)
            return answer.status, document

    async def tell(self, *users: str, **what: Any) -> str:
        """Publishes a notification; its id."""
        to: dict[str, Any] = {"users": list(users)} if users else {}
        fields = {"type": "team.updated", "title": "Team", "body": "It changed.", **to, **what}
        return await self.hub.notify(**fields)


@asynccontextmanager
async def running_house(settings: Settings) -> AsyncIterator[House]:
    """Two nodes in this process, and an ingest worker in its own."""
    ingest = Program(["workers.ingest"], environment(settings))
    async with (
        serving(settings) as one,
        serving(settings) as two,
        Publisher(settings.redis_url or "") as hub,
        aiohttp.ClientSession() as http,
    ):
        starting = asyncio.create_task(ingest.start())
        try:
            await starting
            made = House([one, two], hub, http)
            async with made.stack:
                yield made
        finally:
            await ingest.stop()
