"""A crowd is let in a few at a time, and not at all where it would wait in vain."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from hub.domain import codes
from hub.gateways.sio.server import Client, SocketServer
from tests.support.sioline import Line, line
from tests.support.wait import eventually

AT_ONCE, CLIENTS = 3, 10


class Door:
    """A namespace that lets nobody in before it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.inside = self.most = self.came = 0

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        self.inside += 1
        self.came += 1
        self.most = max(self.most, self.inside)
        try:
            await self.open.wait()
        finally:
            self.inside -= 1
        return {}

    async def connected(self, client: Client) -> None:
        client.emit("hello", {})

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        """Nobody sends any."""

    def closing(self, client: Client, code: codes.Code, retry_after: float) -> None:
        """Nobody is sent away."""

    async def disconnected(self, client: Client, reason: str) -> None:
        """Nothing to forget."""


@asynccontextmanager
async def serving(door: Door) -> AsyncIterator[tuple[SocketServer, str]]:
    """A server, and its address."""
    server, app = SocketServer(connects_at_once=AT_ONCE), web.Application()
    server.register("/", door)
    server.attach(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, handle_signals=False)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    try:
        yield server, f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        await server.eio.stop()
        await runner.cleanup()


async def test_so_many_at_a_time_and_everybody_in_the_end() -> None:
    door = Door()
    async with serving(door) as (_, url), AsyncExitStack() as stack:

        async def come() -> Line:
            return await stack.enter_async_context(line(url, "t", described=False))

        coming = [asyncio.create_task(come()) for _ in range(CLIENTS)]

        async def full() -> bool:
            return door.inside == AT_ONCE

        await eventually(full)
        door.open.set()
        lines = await asyncio.gather(*coming)
        assert door.most == AT_ONCE
        assert all(each.named("hello") for each in lines)


async def test_those_who_wait_are_refused_at_once_when_it_is_in_vain() -> None:
    door, away = Door(), asyncio.Event()

    def admit(namespace: str) -> None:
        assert namespace == "/"
        if away.is_set():
            raise codes.HubError(codes.UNAVAILABLE, retry_after=2)

    async with serving(door) as (server, url), AsyncExitStack() as stack:
        server.admit = admit

        async def come() -> Line:
            return await stack.enter_async_context(line(url, "t", described=False))

        coming = [asyncio.create_task(come()) for _ in range(CLIENTS)]

        async def full() -> bool:
            return door.inside == AT_ONCE

        await eventually(full)
        away.set()
        door.open.set()
        lines = await asyncio.gather(*coming)
        refused = [each.refusal["code"] for each in lines if each.refusal is not None]
        assert refused == ["UNAVAILABLE"] * (CLIENTS - AT_ONCE)


async def test_who_left_while_waiting_is_not_let_in() -> None:
    door = Door()
    async with serving(door) as (server, url), AsyncExitStack() as stack:

        async def come() -> Line:
            return await stack.enter_async_context(line(url, "t", described=False))

        coming = [asyncio.create_task(come()) for _ in range(AT_ONCE)]

        async def full() -> bool:
            return door.inside == AT_ONCE

        await eventually(full)
        async with aiohttp.ClientSession() as http:
            address = f"{url}/socket.io/?EIO=4&transport=websocket"
            waiting = [await http.ws_connect(address) for _ in range(CLIENTS)]
            for each in waiting:
                await each.receive()
                await each.send_str("40")
                await each.close()

        async def all_gone() -> bool:
            return sum(each.attended for each in server.eio.sockets.values()) == AT_ONCE

        await eventually(all_gone)
        door.open.set()
        lines = await asyncio.gather(*coming)
        assert all(each.named("hello") for each in lines)
        last = await come()
        assert last.named("hello")
        assert door.came == AT_ONCE + 1
