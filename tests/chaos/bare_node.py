"""What the hub is compared with: bare python-socketio with its Redis manager, as its documentation
has it. A client asks to be let into rooms; whoever emits to a room does it through Redis."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import socketio
from aiohttp import web


def application(redis_url: str) -> web.Application:
    """A node of the bare cluster."""
    sio = socketio.AsyncServer(
        async_mode="aiohttp", client_manager=socketio.AsyncRedisManager(redis_url)
    )

    async def join(sid: str, room: str) -> dict[str, Any]:
        await sio.enter_room(sid, room)
        return {"ok": True}

    sio.on("join", join)

    async def ready(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.router.add_get("/readyz", ready)
    sio.attach(app)
    return app


async def serve(redis_url: str, port: int) -> None:
    """Serves until killed."""
    runner = web.AppRunner(application(redis_url), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"ready http://127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """``python -m tests.chaos.bare_node --redis URL --port P``"""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.bare_node", description=__doc__)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.redis, given.port))


if __name__ == "__main__":
    main()
