"""A hub node whose events come from within, as those of the other contenders may.

Run as ``python -m bench.servers.hub_server`` with the hub's environment; prints ``ready PORT``. It
is the node that ``hub serve`` runs, and one thing more: a client's ``run`` command makes it hand
events to the feeds by itself, at the very place where the live connection does.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import uvloop
from aiohttp import web

from bench.payload import envelope, stamp
from config.logs import setup_logging
from config.settings import load_settings
from hub.app import BACKLOG, FOLLOWING, SOCKETS, node, relax_garbage_collection
from hub.broker.hotlog import Batch
from hub.domain.codes import Code
from hub.domain.events import Position
from hub.gateways.http.edge import EdgeRunner
from hub.gateways.sio.server import Client, Namespace
from hub.listen import listen
from hub.services.following import Following


class Emitting:
    """The hub's namespace with the command ``run``."""

    def __init__(self, served: Namespace, following: Following) -> None:
        self._served = served
        self._following = following

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        """As the hub does."""
        return await self._served.connect(client, auth)

    async def connected(self, client: Client) -> None:
        """As the hub does."""
        await self._served.connected(client)

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        """``run`` emits; anything else is the hub's."""
        if name == "run":
            client.emit("done", {"deliveries": await emit_events(self._following, args[0])})
        else:
            await self._served.event(client, ack_id, name, args)

    def closing(self, client: Client, code: Code, retry_after: float) -> None:
        """As the hub does."""
        self._served.closing(client, code, retry_after)

    async def disconnected(self, client: Client, reason: str) -> None:
        """As the hub does."""
        await self._served.disconnected(client, reason)


async def emit_events(following: Following, order: dict[str, Any]) -> int:
    """As ``bench.servers.bare_server.emit_events``; events that one turn brings to a channel are
    one batch, as they are when one message of Redis brings them."""
    rooms = [order["room"].replace("{}", str(number)) for number in range(order["rooms"])]
    ends = {room: following.position(room) for room in rooms}
    rate, emits = order["rate"], 0
    began = due = time.monotonic()
    while time.monotonic() < began + order["seconds"]:
        turn: dict[str, list[bytes]] = {}
        for _ in range(order["burst"]):
            room = rooms[emits % len(rooms)]
            emits += 1
            event = envelope(ends[room].offset + 1, stamp(), room) | {"epoch": ends[room].epoch}
            ends[room] = Position(ends[room].epoch, ends[room].offset + 1)
            turn.setdefault(room, []).append(msgspec.json.encode(event))
        for room, events in turn.items():
            first = ends[room].offset - len(events) + 1
            following.on_batch(Batch(room, ends[room].epoch, first, events))
        due += 1 / rate if rate else 0
        await asyncio.sleep(max(0.0, due - time.monotonic()) if rate else 0)
    return emits * int(order["members"])


async def main() -> None:
    """Serve until killed."""
    settings = load_settings()
    setup_logging(settings.log_level, settings.log_format)
    sock = listen("127.0.0.1", 0)
    sock.setblocking(False)
    async with node(settings) as app:
        sockets = app[SOCKETS]
        sockets.register("/", Emitting(sockets.served("/"), app[FOLLOWING]))
        runner = EdgeRunner(app, patience=settings.request_timeout)
        await runner.setup()
        try:
            await web.SockSite(runner, sock, backlog=BACKLOG).start()
            relax_garbage_collection()
            print("ready", sock.getsockname()[1], flush=True)
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as started:
        started.run(main())
