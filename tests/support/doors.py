"""Clients of a job's live doors beside Socket.IO: aiohttp's WebSocket, and an event stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import ClientResponse, ClientSession, ClientWebSocketResponse, WSMsgType

from tests.support import protocol, secrecy
from tests.support.wait import eventually

_LIMIT = 20.0


def address(url: str, job: str, kind: str = "generation-jobs") -> str:
    return f"{url}/v1/{kind}/{job}/progress"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Refused(Exception):
    """The answer to a handshake that was refused."""

    status: int
    problem: dict[str, Any]
    headers: Any


@dataclass
class RawClient:
    """What a raw WebSocket said."""

    ws: ClientWebSocketResponse
    messages: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""  # that it was closed with

    async def next(self) -> dict[str, Any] | None:
        """The next message; None once it is closed."""
        message = await self.ws.receive(timeout=_LIMIT)
        if message.type is not WSMsgType.TEXT:
            self.reason = self.reason or message.extra or ""
            return None
        self.messages.append(json.loads(message.data))
        protocol.streamed("websocket", self.messages[-1])
        return self.messages[-1]

    async def upto(self, offset: int) -> None:
        """Reads until the event with that offset."""
        while not self.messages or self.messages[-1]["offset"] < offset:
            assert await self.next() is not None, self.ws.close_code

    async def to_the_end(self) -> int | None:
        """Reads all; the code that it was closed with."""
        while await self.next() is not None:
            pass
        return self.ws.close_code


@asynccontextmanager
async def raw(
    http: ClientSession, url: str, token: str | None = None, /, **query: Any
) -> AsyncIterator[RawClient]:
    """A raw WebSocket. Raises ``Refused``."""
    secrecy.remember(query.get("ticket", ""))
    headers = {} if token is None else bearer(token)
    try:
        ws = await http.ws_connect(url, headers=headers, params=query, max_msg_size=0)
    except aiohttp.WSServerHandshakeError as error:
        async with http.get(url, headers=headers | _HANDSHAKE, params=query) as answer:
            problem = await answer.json(content_type=None)
            raise Refused(error.status, problem, answer.headers) from None
    try:
        yield RawClient(ws)
    finally:
        await ws.close()


@dataclass
class Poller:
    """A client that polls the snapshot, and reads of the history what is new to it."""

    http: ClientSession
    url: str
    token: str
    tag: str = ""
    cursor: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    unchanged: int = 0

    async def poll(self) -> None:
        """Polls once."""
        headers = bearer(self.token) | ({"If-None-Match": self.tag} if self.tag else {})
        async with self.http.get(self.url, headers=headers) as answer:
            assert answer.status in (200, 304), await answer.text()
            tag, changed = answer.headers["ETag"], answer.status == 200
        self.unchanged += not changed
        if changed:
            await self._read()
            self.tag = tag  # from now on this is what it has

    async def _read(self) -> None:
        history = self.url.removesuffix("progress") + "events"
        while True:
            query = {"limit": "3"} | ({} if self.cursor is None else {"cursor": self.cursor})
            async with self.http.get(history, headers=bearer(self.token), params=query) as answer:
                page = await answer.json()
            known = self.events[-1]["offset"] if self.events else 0
            self.events += [each for each in page["events"] if each["offset"] > known]
            if page["nextCursor"] is None:
                return
            self.cursor = page["nextCursor"]

    async def upto(self, offset: int) -> None:
        """Polls until it has the event with that offset."""

        async def there() -> bool:
            await self.poll()
            return bool(self.events and self.events[-1]["offset"] >= offset)

        await eventually(there)


_HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass
class Event:
    """One event of a stream, as EventSource sees it."""

    name: str
    data: Any
    id: str


@dataclass
class Source:
    """An event stream. ``last_id``: what EventSource would send when it comes back."""

    answer: ClientResponse
    last_id: str = ""
    events: list[Event] = field(default_factory=list)
    comments: int = 0
    retry: int | None = None

    async def next(self) -> Event | None:
        """The next event; None once the stream has ended."""
        name, data = "message", ""
        async with asyncio.timeout(_LIMIT):
            while line := (await self.answer.content.readline()).decode():
                head, _, value = line.rstrip("\n").partition(":")
                value = value.removeprefix(" ")
                if line == "\n" and data:
                    self.events.append(Event(name, json.loads(data), self.last_id))
                    protocol.streamed("sse", self.events[-1].data, name)
                    return self.events[-1]
                if line.startswith(":"):
                    self.comments += 1
                elif head == "event":
                    name = value
                elif head == "data":
                    data += value
                elif head == "id":
                    self.last_id = value
                elif head == "retry":
                    self.retry = int(value)
        return None

    async def upto(self, offset: int) -> None:
        """Reads until the event with that offset."""
        while not self.events or self.events[-1].data["offset"] < offset:
            assert await self.next() is not None

    async def to_the_end(self) -> list[str]:
        """Reads all; the names of the events."""
        while await self.next() is not None:
            pass
        return [event.name for event in self.events]


@asynccontextmanager
async def source(
    http: ClientSession, url: str, token: str | None = None, last_id: str = "", /, **query: Any
) -> AsyncIterator[Source]:
    """An event stream. Raises ``Refused``, also for 204."""
    secrecy.remember(query.get("ticket", ""))
    headers = {"Accept": "text/event-stream"} | ({} if token is None else bearer(token))
    if last_id:
        headers["Last-Event-ID"] = last_id
    async with http.get(url, headers=headers, params=query) as answer:
        if answer.status != 200:
            text = await answer.text()
            raise Refused(answer.status, json.loads(text) if text else {}, answer.headers)
        assert answer.content_type == "text/event-stream"
        yield Source(answer)
