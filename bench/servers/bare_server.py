"""python-socketio as its documentation shows it: aiohttp, the default event loop, rooms.

Run as ``python -m bench.servers.bare_server REDIS_URL|-``; prints ``ready PORT``. A client's
``run`` command makes the server emit by itself, without Redis.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import socketio
from aiohttp import web

from bench.payload import envelope, stamp


def make_server(redis_url: str | None) -> Any:
    """A server whose clients join the room they name when they connect."""
    manager = socketio.AsyncRedisManager(redis_url) if redis_url else None
    server = socketio.AsyncServer(async_mode="aiohttp", client_manager=manager)

    async def connect(sid: str, environ: dict[str, Any], auth: dict[str, Any]) -> None:
        await server.enter_room(sid, auth["room"])

    async def probe(sid: str) -> str:
        return "ok"

    async def run(sid: str, order: dict[str, Any]) -> None:
        await server.emit("done", {"deliveries": await emit_events(server, order)}, to=sid)

    server.on("connect", connect)
    server.on("probe", probe)
    server.on("run", run)
    return server


async def emit_events(server: Any, order: dict[str, Any]) -> int:
    """Emit to the rooms of ``order`` as it says; how many deliveries that makes.

    ``{seconds, room, rooms, members, burst, rate}``, a ``{}`` in ``room`` numbering ``rooms`` of
    them: with ``rate`` 0, ``burst`` events in each turn of
    the event loop, to the rooms in turn; else one event every 1 / ``rate`` seconds.
    """
    rooms = [order["room"].replace("{}", str(number)) for number in range(order["rooms"])]
    rate, emits = order["rate"], 0
    began = due = time.monotonic()
    while time.monotonic() < began + order["seconds"]:
        for _ in range(order["burst"]):
            room = rooms[emits % len(rooms)]
            emits += 1
            await server.emit("event", envelope(emits, stamp()), room=room)
        due += 1 / rate if rate else 0
        await asyncio.sleep(max(0.0, due - time.monotonic()) if rate else 0)
    return emits * int(order["members"])


async def main(redis_url: str | None) -> None:
    """Serve until killed."""
    server = make_server(redis_url)
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    if redis_url:  # listen to Redis from the start, not from the first client on
        server.manager_initialized = True
        server.manager.initialize()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    print("ready", runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(None if sys.argv[1] == "-" else sys.argv[1]))
