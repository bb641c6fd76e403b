"""The door of Server-Sent Events (contract sections 5 and 10).

aiohttp answers nothing here: as for WebSockets, the connection is taken from it, so that a stream
has no task and a client that goes is noticed at once. The body ends with the connection.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
from aiohttp import web

from hub.delivery.message import Message, Notice, Reset, sse
from hub.domain import codes
from hub.gateways import upgrade
from hub.gateways.endings import closing_fields
from hub.gateways.http.headers import head
from hub.gateways.http.origins import GRANTED
from hub.gateways.stream import JobStream
from hub.gateways.websocket import HIGH_WATER

HEARTBEAT: Final = 15.0
"""Seconds between comments that keep the connection open; who is blocked for two is cut off."""

RETRY: Final = 1000
"""Milliseconds after which an EventSource comes back, as the requirements say."""

_LAST_WORDS: Final = 5.0
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-store\r\nX-Accel-Buffering: no\r\nVary: Accept, Origin\r\n"
    b"Connection: close\r\n"
)


class LineOwner(Protocol):
    """Who an ``EventLine`` belongs to. The methods must neither block nor raise."""

    def blocked(self) -> None:
        """The peer does not take what is written."""

    def writable(self) -> None:
        """After ``blocked``: it has taken nearly everything."""

    def lost(self) -> None:
        """It is gone. May be called twice."""

    def log_fields(self) -> Mapping[str, Any]:
        """What names it in the log."""


class EventLine(asyncio.Protocol):
    """A connection that only writes from here on."""

    def __init__(self, transport: asyncio.Transport, owner: LineOwner) -> None:
        self._transport = transport
        self._owner = owner
        self._closing = False
        self._deadline: asyncio.TimerHandle | None = None
        transport.set_write_buffer_limits(high=HIGH_WATER)

    def send(self, data: bytes) -> None:
        """Writes ``data``; dropped once the line is closing."""
        if not self._closing:
            self._transport.write(data)

    def close(self) -> None:
        """Closes once the peer has taken what was written; not later than in 5 s."""
        if not self._closing:
            self._closing = True
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(_LAST_WORDS, self._transport.abort)
            self._transport.close()

    def abort(self) -> None:
        """Closes at once."""
        self._closing = True
        self._transport.abort()

    def pause_writing(self) -> None:
        """From the transport."""
        self._owner.blocked()

    def resume_writing(self) -> None:
        """From the transport."""
        self._owner.writable()

    def data_received(self, data: bytes) -> None:
        """Nothing is expected, and nothing is kept."""

    def connection_lost(self, exc: Exception | None) -> None:
        """From the transport, also when the peer has closed."""
        self._closing = True
        if self._deadline is not None:
            self._deadline.cancel()
        self._owner.lost()


class EventStream(JobStream):
    """One client."""

    _events: EventLine | None = None

    def open(self, request: web.Request) -> None:
        """Answers the request and takes its connection. Raises ``HandshakeError`` when the client
        is gone."""
        transport = request.transport
        if transport is None:
            raise upgrade.HandshakeError("the client is gone")
        line = self._events = EventLine(transport, self)
        granted = request.get(GRANTED, {}) | head(request)
        more = "".join(f"{name}: {value}\r\n" for name, value in granted.items())
        transport.write(_HEAD + more.encode() + b"\r\nretry: %d\n\n" % RETRY)
        upgrade.hand_on(request, transport, line)
        upgrade.watch_peer(transport)
        self.begin(line)

    door = "SSE"

    def form(self, what: Message | Notice | Reset) -> bytes:
        return what.sse

    def say_end(self) -> None:
        self._last("end", {"channel": self.channel})

    def say_closing(self, code: codes.Code, retry_after: float | None, message: str | None) -> None:
        if retry_after is not None:
            self._say(b"retry: %d\n" % (retry_after * 1000))
        self._last("closing", closing_fields(code, retry_after, message))

    def ping(self) -> None:
        """A comment; that it could be written is all that is known of the client."""
        if not self._blocked:
            self._say(b":\n\n")
            self._heartbeats.start(self)

    def _last(self, name: str, fields: dict[str, Any]) -> None:
        self._say(sse(name, msgspec.json.encode(fields)))
        if self._events is not None:
            self._events.close()

    def _say(self, data: bytes) -> None:
        if self._events is not None:
            self._events.send(data)
