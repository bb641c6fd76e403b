"""One application on two servers: the hub's and the bare python-socketio's. What a check sees of
them is the wire, and the few numbers that the wire does not tell."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import socketio
from aiohttp import web

from hub.domain.codes import Code
from hub.gateways.sio.server import Client, SocketServer
from hub.gateways.sio.session import EngineSocket
from tests.conformance.raw import Endpoint, endpoint

SHUTDOWN_TIMEOUT = 2.0
"""Seconds that aiohttp waits for its handlers at the end."""


@dataclass
class Application:
    """What both servers run. A connection with ``{"mode": "raise"}`` makes the handler raise, one
    with ``{"mode": "refuse"}`` is refused once ``gate`` is set."""

    connects: list[Any] = field(default_factory=list)
    disconnects: int = 0
    peers: list[str] = field(default_factory=list)
    handled: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def accepts(self, auth: Any, environ: dict[str, Any]) -> bool:
        """Handles a connect."""
        self.connects.append(auth)
        self.peers.append(environ["REMOTE_ADDR"])
        self.asked.set()
        mode = (auth or {}).get("mode")
        if mode == "raise":
            raise RuntimeError("the connect handler failed")
        if mode == "refuse":
            await self.gate.wait()
        return mode != "refuse"

    async def handle(self, name: str, *args: Any) -> Any:
        """Handles an event; gives what acknowledges it."""
        self.handled.append(name)
        return await self.events[name](*args)

    @property
    def events(self) -> dict[str, Callable[..., Awaitable[Any]]]:
        """The handlers by name."""
        return {"echo": self._echo, "held": self._held, "wait": self._wait, "fail": self._fail}

    async def _echo(self, *args: Any) -> Any:
        return args[0] if args else None

    async def _held(self) -> None:
        await self.gate.wait()

    async def _wait(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async def _fail(self) -> None:
        raise RuntimeError("the event handler failed")


class Subject(ABC):
    """A running server."""

    server: Any

    def __init__(self, application: Application) -> None:
        self.application = application
        self._stopped = False
        self.web = web.Application(client_max_size=1 << 24)
        self.runner = web.AppRunner(
            self.web, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT, handle_signals=False
        )

    @abstractmethod
    async def broadcast(self, event: str, payload: str) -> None:
        """Sends to everyone whom the server takes for connected."""

    @abstractmethod
    def queued_bytes(self) -> int:
        """Bytes held for clients that do not read, the transports' own buffers aside."""

    @abstractmethod
    async def populate(self, count: int) -> None:
        """Adds clients that have no connection, each as costly to the tables as a real one."""

    @abstractmethod
    async def lose(self) -> None:
        """Handles the loss of one of those."""

    async def stop(self) -> None:
        """Stops, once, as the program around it does."""
        if not self._stopped:
            self._stopped = True
            await self.finish()
            await self.runner.cleanup()

    @abstractmethod
    async def finish(self) -> None:
        """What is to be done before aiohttp stops."""


class Ours(Subject):
    """The hub's classes."""

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        self.server = SocketServer(ping_interval=25, ping_timeout=20, connect_timeout=0.3)
        self.server.register("/", _Namespace(application))
        self.server.attach(self.web)
        self._lost: list[str] = []

    async def broadcast(self, event: str, payload: str) -> None:
        for clients in list(self.server._clients.values()):
            clients["/"].emit(event, payload)

    def queued_bytes(self) -> int:
        return sum(socket.outbox.bytes for socket in self.server.eio.sockets.values())

    async def populate(self, count: int) -> None:
        for _ in range(count):
            sid = self.server.eio.generate_id()
            self.server.eio.sockets[sid] = EngineSocket(self.server.eio, sid)
            await self.server._handle_eio_connect(sid, {"REMOTE_ADDR": ""})
            await self.server._handle_connect(sid, "/", None)
            self._lost.append(sid)

    async def lose(self) -> None:
        await self.server._handle_eio_disconnect(self._lost.pop(), "transport close")

    async def finish(self) -> None:
        await self.server.eio.stop()


class _Namespace:
    def __init__(self, application: Application) -> None:
        self._application = application

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        if not await self._application.accepts(auth, client.environ):
            raise ConnectionRefusedError
        return {}

    async def connected(self, client: Client) -> None:
        """Nothing to say."""

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        answer = await self._application.handle(name, *args)
        if ack_id is not None:
            client.acknowledge(ack_id, answer)

    def closing(self, client: Client, code: Code, retry_after: float) -> None:
        """Nothing to say."""

    async def disconnected(self, client: Client, reason: str) -> None:
        self._application.disconnects += 1


class Bare(Subject):
    """python-socketio as it comes, with the same limits."""

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        logger = logging.getLogger("bare")
        self.server = socketio.AsyncServer(
            async_mode="aiohttp",
            ping_interval=25,
            ping_timeout=20,
            logger=logger,
            engineio_logger=logger,
        )
        self.server.on("connect", self._connect)
        self.server.on("disconnect", self._disconnect)
        for name, handler in application.events.items():
            self.server.on(name, self._event(handler))
        self.server.attach(self.web)
        self._lost: list[str] = []

    async def _connect(self, sid: str, environ: Any, auth: Any = None) -> bool:
        if not isinstance(environ, dict) or "REMOTE_ADDR" not in environ:
            self.application.connects.append(environ)  # the client's own data
            return True
        return await self.application.accepts(auth, environ)

    async def _disconnect(self, sid: str, reason: Any = None) -> None:
        self.application.disconnects += 1

    @staticmethod
    def _event(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def handle(sid: str, *args: Any) -> Any:
            return await handler(*args)

        return handle

    async def broadcast(self, event: str, payload: str) -> None:
        await self.server.emit(event, payload)

    def queued_bytes(self) -> int:
        queues = [socket.queue._queue for socket in self.server.eio.sockets.values()]
        return sum(len(packet.encode()) for queue in queues for packet in queue if packet)

    async def populate(self, count: int) -> None:
        for _ in range(count):
            self._lost.append(self.server.eio.generate_id())
            await self.server.manager.connect(self._lost[-1], "/")

    async def lose(self) -> None:
        await self.server._handle_eio_disconnect(self._lost.pop(), "transport close")

    async def finish(self) -> None:
        await self.server.shutdown()


@dataclass
class Running:
    """A subject that serves, and a way to it."""

    subject: Subject
    endpoint: Endpoint
    port: int


@asynccontextmanager
async def running(make: Callable[[Application], Subject]) -> AsyncIterator[Running]:
    """A started subject, stopped afterwards."""
    subject = make(Application())
    await subject.runner.setup()
    site = web.TCPSite(subject.runner, "127.0.0.1", 0)
    await site.start()
    port: int = subject.runner.addresses[0][1]
    try:
        async with endpoint(f"http://127.0.0.1:{port}", "socket.io") as found:
            yield Running(subject, found, port)
    finally:
        subject.application.gate.set()
        await subject.stop()
