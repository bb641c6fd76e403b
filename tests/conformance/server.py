"""``python -m tests.conformance.server sio|eio --port P``: the hub's own Engine.IO and Socket.IO
classes, with the namespaces and echo events that the protocols' test suites expect (contract
section 1). Prints ``ready http://127.0.0.1:P`` once it serves; SIGTERM or SIGINT stops it."""

from __future__ import annotations

import argparse
import asyncio
import signal
from typing import Any

import uvloop
from aiohttp import web

from config.logs import setup_logging
from hub.domain.codes import Code
from hub.gateways.sio.engine import Engine
from hub.gateways.sio.server import Client, SocketServer
from hub.listen import listen, url_of

_LIMITS: dict[str, Any] = {"max_http_buffer_size": 1_000_000, "cors_allowed_origins": "*"}
CONNECT_TIMEOUT = 1.0
"""Seconds after which a connection without a namespace is closed (contract section 10)."""


class Echo:
    """A namespace that says what it heard."""

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        """Accepts everyone."""
        client.state = auth
        return {}

    async def connected(self, client: Client) -> None:
        """Tells the client what it authenticated with."""
        client.emit("auth", client.state or {})

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        """``message`` comes back as an event, ``message-with-ack`` as an acknowledgement."""
        if name == "message":
            client.emit("message-back", *args)
        elif name == "message-with-ack" and ack_id is not None:
            client.acknowledge(ack_id, *args)

    def closing(self, client: Client, code: Code, retry_after: float) -> None:
        """Nothing to say."""

    async def disconnected(self, client: Client, reason: str) -> None:
        """Nothing to forget."""


def socketio_app(**options: Any) -> tuple[web.Application, Engine]:
    """Socket.IO on ``/socket.io/`` with the namespaces ``/`` and ``/custom``."""
    options = _LIMITS | {"accept_binary": True, "connect_timeout": CONNECT_TIMEOUT} | options
    server = SocketServer(**options)
    for name in ("/", "/custom"):
        server.register(name, Echo())
    app = web.Application()
    server.attach(app)
    return app, server.eio


def engineio_app(**options: Any) -> tuple[web.Application, Engine]:
    """Engine.IO on ``/engine.io/``, which sends every message back."""
    engine = Engine(**_LIMITS | options)

    async def connected(sid: str, environ: dict[str, Any]) -> None:
        """Everyone may."""

    async def message(sid: str, data: str | bytes) -> None:
        await engine.send(sid, data)

    async def disconnected(sid: str, reason: str) -> None:
        """Nothing to forget."""

    engine.on("connect", connected)
    engine.on("message", message)
    engine.on("disconnect", disconnected)
    app = web.Application()
    engine.attach(app)
    return app, engine


async def serve(kind: str, port: int, ping_interval: float, ping_timeout: float) -> None:
    """Serves until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    build = socketio_app if kind == "sio" else engineio_app
    app, engine = build(ping_interval=ping_interval, ping_timeout=ping_timeout)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    sock = listen("127.0.0.1", port)
    sock.setblocking(False)
    try:
        await web.SockSite(runner, sock).start()
        print(f"ready {url_of(sock, '127.0.0.1')}", flush=True)
        await stopping.wait()
    finally:
        await engine.stop()
        await runner.cleanup()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.server", description=__doc__)
    parser.add_argument("kind", choices=["sio", "eio"])
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one")
    parser.add_argument("--ping-interval", type=float, default=0.3, help="seconds")
    parser.add_argument("--ping-timeout", type=float, default=0.2, help="seconds")
    given = parser.parse_args()
    setup_logging("WARNING", "console")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(given.kind, given.port, given.ping_interval, given.ping_timeout))


if __name__ == "__main__":
    main()
