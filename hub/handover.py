"""Handing a connection to the process that has its Engine.IO session.

The processes of one ``hub serve --processes N`` share an address, and the kernel deals out the
connections. A session lives in one process, but a client's next request for it (a poll, a POST, the
upgrade to WebSocket) may come on another connection, in another process. The session id begins
with the number of the process that made it; a process that is asked for somebody else's session
passes the connection itself, with the request already read, and is out of it. So what follows on
this connection costs nothing more, and the peer's address stays what it is.

``docs/decisions/0005-a-connection-follows-its-session.md`` says why it is not done otherwise.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

from aiohttp import web
from aiohttp.typedefs import Middleware

from config.logs import get_logger
from hub.gateways.sio.engine import Engine

_MARK_LENGTH: Final = 2  # hexadecimal digits: for 256 processes
_ENCODING: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"content-encoding", b"expect")
)
_log = get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seat:
    """One process's place: its ``number``, the descriptor of its ``inbox``, and of everybody's
    outboxes in the order of their numbers. ``str`` and ``parse`` carry it over a command line."""

    number: int
    inbox: int
    outboxes: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.number}/{self.inbox}/{','.join(map(str, self.outboxes))}"

    @classmethod
    def parse(cls, text: str) -> Seat:
        """Reads what ``str`` gave; raises ``ValueError``."""
        number, inbox, outboxes = text.split("/")
        return cls(int(number), int(inbox), tuple(map(int, outboxes.split(","))))

    @property
    def descriptors(self) -> list[int]:
        """What the process must inherit."""
        return [self.inbox, *self.outboxes]


class Inboxes:
    """Everybody's inbox, held by the process that starts the others.

    Both ends stay open here, so that what was sent to a process that died waits for its successor.
    The kernel bounds each inbox, by the size of a socket's send buffer.
    """

    def __init__(self, count: int) -> None:
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(count)]
        self._receivers = [receiver for receiver, _ in pairs]
        self._senders = [sender for _, sender in pairs]
        for each in (*self._receivers, *self._senders):
            each.setblocking(False)

    def seat(self, number: int) -> Seat:
        """The place of process ``number``."""
        senders = tuple(each.fileno() for each in self._senders)
        return Seat(number, self._receivers[number].fileno(), senders)

    def close(self) -> None:
        """Closes all; what waits in them is closed as well."""
        for each in (*self._receivers, *self._senders):
            each.close()


class _Handed(NamedTuple):
    connection: socket.socket
    request: bytes


class Handover:
    """One process's part; ``attach`` it before the first request."""

    def __init__(self, seat: Seat) -> None:
        self._inbox = socket.socket(fileno=seat.inbox)
        self._outboxes = {_mark(n): socket.socket(fileno=fd) for n, fd in enumerate(seat.outboxes)}
        self._mark = _mark(seat.number)
        self._path = ""
        self._body_at_most = 0

    def attach(self, app: web.Application, engine: Engine, path: str = "/socket.io/") -> None:
        """Puts this process's number into the ids of ``engine``'s sessions, and passes on what
        comes to ``app`` for the sessions of others. ``path``: where the engine answers."""
        self._path = path
        self._body_at_most = engine.max_http_buffer_size
        new_id = engine.generate_id
        engine.generate_id = lambda: self._mark + new_id()
        app.middlewares.append(self._middleware())

    @asynccontextmanager
    async def serving(self, runner: web.BaseRunner) -> AsyncIterator[None]:
        """Within it, ``runner`` answers also on the connections that others pass on."""
        server = runner.server
        if server is None:
            raise ValueError("the runner is not set up")
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self._serve(server), name="handover")
            yield
            task.cancel()

    def close(self) -> None:
        """Closes this process's ends of all inboxes."""
        for each in (self._inbox, *self._outboxes.values()):
            each.close()

    # -- passing on -------------------------------------------------------------------------------

    def _middleware(self) -> Middleware:
        @web.middleware
        async def hand_over(request: web.Request, handler: Handler) -> web.StreamResponse:
            owner = self._owner(request)
            if owner is None or not await self._passed_on(request, owner):
                return await handler(request)
            return web.Response()  # the connection is closed here: aiohttp drops the answer

        return hand_over

    def _owner(self, request: web.Request) -> socket.socket | None:
        """The inbox of the process that has the request's session, unless it is this one."""
        if request.path != self._path or "sid" not in request.query:
            return None
        mark = request.query["sid"][:_MARK_LENGTH]
        return None if mark == self._mark else self._outboxes.get(mark)

    async def _passed_on(self, request: web.Request, owner: socket.socket) -> bool:
        """False when the inbox is full: the process hangs or does not start, which to its clients
        is the same as a lost session."""
        try:
            body = await self._body(request)
        except ConnectionError:
            return True
        transport = request.transport
        if transport is None:
            return True
        connection = transport.get_extra_info("socket").fileno()
        try:
            _send(owner, connection, _again(request, body, cut=len(body) > self._body_at_most))
        except OSError as error:
            _log.warning("handover.failed", error=str(error))
            return False
        transport.abort()  # closes the descriptor, not the connection: the message has it too
        return True

    async def _body(self, request: web.Request) -> bytes:
        """The body; of one that is too long one byte too many, for the engine to refuse."""
        read = bytearray()
        if request.method == "POST":
            async for chunk in request.content.iter_any():
                read += chunk
                if len(read) > self._body_at_most:
                    break
        return bytes(read[: self._body_at_most + 1])

    # -- taking over ------------------------------------------------------------------------------

    async def _serve(self, server: web.Server) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._inbox, readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                while (handed := _receive(self._inbox)) is not None:
                    await _resume(server, handed)
        finally:
            loop.remove_reader(self._inbox)


def _mark(number: int) -> str:
    """What the ids of process ``number``'s sessions begin with."""
    return f"{number:0{_MARK_LENGTH}x}"


def _send(inbox: socket.socket, connection: int, request: bytes) -> None:
    """Raises ``BlockingIOError`` when the inbox is full. The request travels as a file, because
    that has no bound on its size."""
    file = os.memfd_create("request")
    try:
        with open(file, "wb", closefd=False) as out:
            out.write(request)
        socket.send_fds(inbox, [b"\0"], [connection, file])
    finally:
        os.close(file)


def _receive(inbox: socket.socket) -> _Handed | None:
    """The next connection; None when the inbox is empty."""
    while True:
        try:
            _, descriptors, _, _ = socket.recv_fds(inbox, 1, 2)
        except BlockingIOError:
            return None
        if len(descriptors) == 2:
            connection, file = descriptors
            try:
                request = os.pread(file, os.fstat(file).st_size, 0)
            finally:
                os.close(file)
            return _Handed(socket.socket(fileno=connection), request)
        for each in descriptors:
            os.close(each)
        _log.error("handover.lost", reason="too many open files")


def _again(request: web.Request, body: bytes, *, cut: bool) -> bytes:
    """The request as it came, except for what described how its body was encoded."""
    version = f"HTTP/{request.version.major}.{request.version.minor}"
    lines = [f"{request.method} {request.raw_path} {version}".encode()]
    dropped = _ENCODING | {b"connection"} if cut else _ENCODING
    lines += [b"%b: %b" % each for each in request.raw_headers if each[0].lower() not in dropped]
    if request.method == "POST":
        lines.append(b"Content-Length: %d" % len(body))
    if cut:  # what follows on the connection is the rest of the body
        lines.append(b"Connection: close")
    return b"\r\n".join((*lines, b"", body))


async def _resume(server: web.Server, handed: _Handed) -> None:
    loop = asyncio.get_running_loop()
    handed.connection.setblocking(False)
    try:
        _, protocol = await loop.connect_accepted_socket(server, handed.connection)
    except OSError as error:
        handed.connection.close()
        _log.info("handover.gone", error=str(error))
    else:
        protocol.data_received(handed.request)
