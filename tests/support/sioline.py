"""A Socket.IO client of few words over WebSocket: what it got, and how its line ends, is in plain
sight. It keeps the recovery offset as the stock client does."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import WSMsgType

from tests.support import protocol

_LIMIT = 10.0


class Line:
    """One connection. ``log``: ``[event, *arguments]`` in order, and ``["ack", id, reply]``."""

    def __init__(
        self,
        ws: aiohttp.ClientWebSocketResponse,
        offset: str | None,
        namespace: str = "",
        *,
        described: bool = True,
    ) -> None:
        self._ws = ws
        self._prefix = f"{namespace}," if namespace else ""
        self._namespace = (namespace or "/") if described else "of a test"
        self._asked: dict[int, tuple[str, Any]] = {}
        self._ids = itertools.count(1)
        self._news = asyncio.Condition()
        self.log: list[list[Any]] = []
        self._auth: dict[str, Any] = {}
        self.offset = offset
        self.sid = self.pid = ""
        self.refusal: dict[str, Any] | None = None
        self.closed = False
        self.deaf = False  # answers no ping
        self.waiting: dict[int, str] = {}  # for whoever wants to note what an id was for

    async def pump(self) -> None:
        """Reads until the connection ends."""
        async for message in self._ws:
            if message.type is WSMsgType.TEXT:
                await self._take(message.data)
        async with self._news:
            self.closed = True
            self._news.notify_all()

    async def _take(self, packet: str) -> None:
        if packet == "2":
            if not self.deaf:
                await self._ws.send_str("3")
            return
        packet = packet[:2] + packet[2:].removeprefix(self._prefix)
        async with self._news:
            if packet.startswith("40"):
                answer = json.loads(packet[2:])
                protocol.connected(self._namespace, self._auth, answer)
                self.sid, self.pid = answer["sid"], answer.get("pid", "")
            elif packet.startswith("44"):
                answer = json.loads(packet[2:])
                protocol.refused(self._namespace, answer)
                self.refusal = answer["data"]
            elif packet.startswith("42"):
                self.log.append(json.loads(packet[2:]))
                self.offset = self.log[-1][-1]
                protocol.told(self._namespace, self.log[-1][0], self.log[-1][1:])
            elif packet.startswith("43"):
                number, bracket, rest = packet[2:].partition("[")
                self.log.append(["ack", int(number), json.loads(bracket + rest)[0]])
                if asked := self._asked.pop(int(number), None):
                    protocol.answered(self._namespace, *asked, self.log[-1][2])
            self._news.notify_all()

    async def connect(self, auth: dict[str, Any]) -> None:
        """Connects to the namespace; waits for ``hello`` or a refusal."""
        self._auth = auth
        await self._ws.send_str(f"40{self._prefix}" + json.dumps(auth))
        greeted = (lambda: self.sid) if self._prefix else (lambda: self.named("hello"))
        await self.until(lambda: greeted() or self.refusal)

    async def send(self, name: str, payload: Any) -> int:
        """Sends a command; the id of its acknowledgement."""
        number = next(self._ids)
        self._asked[number] = name, payload
        await self._ws.send_str(f"42{self._prefix}{number}" + json.dumps([name, payload]))
        return number

    async def command(self, name: str, payload: Any) -> Any:
        """Sends a command; gives its acknowledgement."""
        number = await self.send(name, payload)
        await self.until(lambda: self.answer(number) is not None)
        return self.answer(number)

    def answer(self, number: int) -> Any:
        """The acknowledgement with that id, if it is here."""
        found = [entry[2] for entry in self.log if entry[:2] == ["ack", number]]
        return found[0] if found else None

    async def until(self, true: Any) -> None:
        """Waits until ``true()``."""
        try:
            async with asyncio.timeout(_LIMIT), self._news:
                await self._news.wait_for(lambda: bool(true()))
        except TimeoutError:
            raise AssertionError(f"waited in vain; the log: {self.log}") from None

    def named(self, name: str) -> list[Any]:
        """The first arguments of everything received as ``name``."""
        return [entry[1] for entry in self.log if entry[0] == name]

    @property
    def hello(self) -> dict[str, Any]:
        """What it was greeted with."""
        hello: dict[str, Any] = self.named("hello")[0]
        return hello

    def offsets(self, channel: str) -> list[int]:
        """The offsets of the events of a channel, acknowledgements not included."""
        return [event["offset"] for event in self.named("event") if event["channel"] == channel]

    async def say(self, packet: str) -> None:
        """Sends an Engine.IO packet."""
        await self._ws.send_str(packet)

    def cut(self) -> None:
        """The line breaks, without a word."""
        self._transport.abort()

    def hang_up(self) -> None:
        """The line ends, without a word, behind what was sent."""
        self._transport.close()

    @property
    def _transport(self) -> Any:
        response: Any = self._ws._response
        return response.connection.transport


@asynccontextmanager
async def line(
    url: str,
    token: str | None,
    *,
    back: Line | None = None,
    pid: object = None,
    offset: object = None,
    namespace: str = "",
    headers: Mapping[str, str] | None = None,
    described: bool = True,
    **auth: Any,
) -> AsyncIterator[Line]:
    """A connection of the user of ``token``. ``back``: which one it continues. ``namespace``: if it
    is another one than ``/``; nobody says hello there. ``described``: what it speaks with is a
    hub, which keeps to its documents."""
    given: dict[str, Any] = {"token": token, **auth}
    if back is not None:
        pid, offset = back.pid, back.offset
    if pid is not None:
        given |= {"pid": pid, "offset": offset}
    query = {"EIO": "4", "transport": "websocket"}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}/socket.io/", params=query, headers=headers, max_msg_size=0) as ws,
    ):
        made = Line(ws, back.offset if back else None, namespace, described=described)
        pump = asyncio.create_task(made.pump())
        try:
            await made.connect(given)
            yield made
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
