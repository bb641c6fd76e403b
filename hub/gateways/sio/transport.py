"""Writing WebSocket frames straight to a connection's transport."""

import asyncio
import base64
import os
from typing import Any, Final

from aiohttp import web
from engineio import exceptions

HIGH_WATER: Final = 64 * 1024
"""Bytes in the transport's own buffer above which nothing more is written to it."""

_LAST_WORDS: Final = 5.0  # seconds that a finished connection has to take what was written
_CLOSE_TIMEOUT: Final = 2.0  # seconds for the peer's half of the closing handshake


class Binary(bytes):
    """An Engine.IO packet that travels as a binary frame, or as base64 when polling."""

    def as_text(self) -> bytes:
        """How it travels in a payload."""
        return b"b" + base64.b64encode(self)

    @classmethod
    def from_text(cls, text: str) -> "Binary":
        """Reads what follows the ``b``; raises ``EngineIOError`` if that is no base64."""
        try:
            return cls(base64.b64decode(text, validate=True))
        except ValueError as error:
            raise exceptions.EngineIOError("not base64") from error


def frame(packet: bytes) -> bytes:
    """One unmasked, unfragmented WebSocket frame around ``packet`` (RFC 6455, 5.2)."""
    first = b"\x82" if isinstance(packet, Binary) else b"\x81"
    size = len(packet)
    if size < 126:
        return first + bytes((size,)) + packet
    if size < 65_536:
        return first + b"\x7e" + size.to_bytes(2, "big") + packet
    return first + b"\x7f" + size.to_bytes(8, "big") + packet


class FrameWriter:
    """Writes frames to an upgraded connection, never waiting: who writes checks ``ready``.

    While the transport's own buffer is empty, frames go to the operating system right away: the
    transport would queue each for the end of the loop's turn, which costs as much as sending it.
    What the socket does not take goes to the transport, and so does everything that comes while
    that has something left; that keeps the order.
    """

    __slots__ = ("_buffered", "_closing", "_socket", "_transport")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._buffered = transport.get_write_buffer_size
        self._closing = transport.is_closing
        plain = transport.get_extra_info("sslcontext") is None
        self._socket = transport.get_extra_info("socket").fileno() if plain else None

    @property
    def ready(self) -> bool:
        """Whether the peer has taken (nearly) everything written so far."""
        return bool(self._buffered() < HIGH_WATER)

    def write(self, packet: bytes) -> None:
        """Hands one packet to the operating system or the transport's buffer."""
        self._write(frame(packet))

    def _write(self, data: bytes) -> None:
        # A closing transport still owns its descriptor until the loop's next turn; after that the
        # number may be another connection's, so nothing is written past one that is closing.
        if self._socket is None or self._buffered() or self._closing():
            self._transport.write(data)
            return
        try:
            sent = os.write(self._socket, data)
        except OSError:  # full, or gone: the transport waits, or finds out
            sent = 0
        if sent < len(data):
            self._transport.write(data[sent:])

    def write_all(self, packets: list[bytes]) -> None:
        """As ``write``, all of them in one write."""
        if packets:
            self._write(b"".join(map(frame, packets)))

    def finish(self) -> None:
        """Sends a close frame after what was written, and closes; a peer that does not take it is
        cut off, so that nothing stays in memory for it."""
        if self._transport.is_closing():
            return
        self._write(b"\x88\x02\x03\xe8")
        self._transport.close()
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(_LAST_WORDS, self._transport.abort)

    def abort(self) -> None:
        """Closes at once and drops what was not sent."""
        self._transport.abort()


class WebSocket:
    """An accepted WebSocket. aiohttp does the handshake and reads; ``writer`` writes past it.

    Why not python-engineio's driver: that one negotiates permessage-deflate (100 KiB per client)
    and offers no access to the transport.
    """

    def __init__(self, response: web.WebSocketResponse, writer: FrameWriter) -> None:
        self.response = response
        self.writer = writer

    @classmethod
    async def accept(cls, request: web.Request, max_message: int) -> "WebSocket":
        """Completes the handshake; aiohttp's ``HTTPBadRequest`` if it is not one. Messages longer
        than ``max_message`` bytes end the connection with 1009."""
        response = web.WebSocketResponse(
            max_msg_size=max_message + 1,  # aiohttp's limit is the first size that it refuses
            compress=False,
            timeout=_CLOSE_TIMEOUT,
        )
        await response.prepare(request)
        return cls(response, FrameWriter(request.transport))

    async def receive(self) -> str | bytes | None:
        """The next message; None once the connection ended."""
        data = (await self.response.receive()).data
        return data if isinstance(data, str | bytes) else None
