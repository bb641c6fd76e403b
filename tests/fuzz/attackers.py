"""Connections that send what they should not."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from tests.fuzz.malice import JOB, Malice
from tests.hub.gateways.websocket.wire import TEXT, handshake, masked

_ANSWERED: Final = 10.0
_LINGER: Final = 0.02
_IN_A_ROW: Final = 25
"""Packets in one connection that does not have to end with the first one."""

_GONE = (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)
_SOCKET = "/socket.io/?EIO=4&transport="


class Attacker:
    """One of them: one connection after the other, until ``budget`` is used up. ``sent``: packets
    by the way in which they were sent."""

    def __init__(
        self,
        port: int,
        malice: Malice,
        token: Callable[[], str],
        budget: Callable[[int], int],
        number: int,
    ) -> None:
        self._port = port
        self._malice = malice
        self._token = token
        self._budget = budget
        self._number = number
        self.sent: Counter[str] = Counter()

    async def run(self) -> None:
        """Until nothing is left of the budget."""
        ways = (
            *(self.requests, self.polls, self.sockets, self.frames, self.strangers, self.followers),
            *(self.commands, self.commands, self.commands),
        )
        way = ways[self._number % len(ways)]  # so that there is each of them
        while wanted := self._budget(_IN_A_ROW):
            for _ in range(wanted):
                left = wanted - self.sent["now"]
                if left <= 0:
                    break
                with contextlib.suppress(*_GONE):
                    await way(left)
            self.sent["now"] = 0
            way = self._malice.pick(*ways)

    def _count(self, way: str, number: int = 1) -> None:
        self.sent[way] += number
        self.sent["now"] += number

    @contextlib.asynccontextmanager
    async def _line(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.timeout(_ANSWERED):
                yield reader, writer
        finally:
            writer.transport.abort()

    async def requests(self, left: int) -> None:
        """HTTP, one to a connection; answered or not, the connection must not be stuck."""
        del left
        async with self._line() as (reader, writer):
            writer.write(self._malice.request())
            self._count("request")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LINGER):
                    await reader.read(4096)

    async def polls(self, left: int) -> None:
        """A polling session and one POST to it."""
        del left
        async with self._line() as (reader, writer):
            writer.write(f"GET {_SOCKET}polling HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            opened = await _answer(reader)
            session = json.loads(opened[1:])["sid"]
            body = self._malice.body()
            writer.write(
                f"POST {_SOCKET}polling&sid={session} HTTP/1.1\r\nHost: x\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            self._count("poll")
            await _answer(reader)

    async def strangers(self, left: int) -> None:
        """WebSocket, never connected to a namespace: the first bad packet ends it."""
        del left
        async with self._line() as (reader, writer):
            await _upgraded(reader, writer, f"{_SOCKET}websocket")
            writer.write(masked(self._malice.text(), TEXT))
            self._count("stranger")
            await _until_silent(reader)

    async def sockets(self, left: int) -> None:
        """A connected client that sends commands, and then something that ends it."""
        async with self._connected() as (reader, writer):
            said = [self._malice.command() for _ in range(min(left - 1, 5))]
            said.append(self._malice.text())
            for each in said:
                writer.write(masked(each, TEXT))
            self._count("socket", len(said))
            await _until_silent(reader)

    async def frames(self, left: int) -> None:
        """A connected client that does not know WebSocket."""
        del left
        async with self._connected() as (reader, writer):
            writer.write(self._malice.frames())
            self._count("frame")
            await _until_silent(reader)

    async def followers(self, left: int) -> None:
        """A raw follower of a job that talks."""
        path = f"/v1/jobs/{JOB}/progress"
        async with self._line() as (reader, writer):
            await _upgraded(reader, writer, path, Authorization=f"Bearer {self._token()}")
            for _ in range(min(left, 5)):
                writer.write(self._malice.pick(self._malice.frames(), masked(self._malice.text())))
                self._count("follower")
            await _until_silent(reader)

    async def commands(self, left: int) -> None:
        """A connected client whose every command is wrong, and answered."""
        async with self._connected() as (reader, writer):
            for _ in range(left):
                writer.write(masked(self._malice.command(), TEXT))
                self._count("command")
            writer.write(masked(b'42777["nonsense",{}]', TEXT))
            await reader.readuntil(b"43777[")

    @contextlib.asynccontextmanager
    async def _connected(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        async with self._line() as (reader, writer):
            await _upgraded(reader, writer, f"{_SOCKET}websocket")
            writer.write(masked(b"40" + json.dumps({"token": self._token()}).encode(), TEXT))
            await reader.readuntil(b'42["hello"')
            yield reader, writer


async def _upgraded(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, **headers: str
) -> None:
    writer.write(handshake(headers, path=path))
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head:
        raise ValueError(head)


async def _answer(reader: asyncio.StreamReader) -> Any:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    size = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    return await reader.readexactly(size)


async def _until_silent(reader: asyncio.StreamReader) -> None:
    """Until the hub closes, or has nothing more to say."""
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(_LINGER):
                if not await reader.read(65_536):
                    return
