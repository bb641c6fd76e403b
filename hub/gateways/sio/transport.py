"""Writing WebSocket frames straight to a connection's transport."""

from typing import Any, Final

from aiohttp import web

HIGH_WATER: Final = 64 * 1024
"""Bytes in the transport's own buffer above which nothing more is written to it."""


class Binary(bytes):
    """An Engine.IO packet that travels as a binary frame (or base64 when polling)."""


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
    """Writes frames to an upgraded connection, never waiting: who writes checks ``ready``."""

    __slots__ = ("_transport", "_write")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._write = transport.write

    @property
    def ready(self) -> bool:
        """Whether the peer has taken (nearly) everything written so far."""
        return bool(self._transport.get_write_buffer_size() < HIGH_WATER)

    def write(self, packet: bytes) -> None:
        """Hands one packet to the operating system or the transport's buffer."""
        self._write(frame(packet))

    def write_all(self, packets: list[bytes]) -> None:
        """As ``write``, all of them in one write."""
        self._write(b"".join(map(frame, packets)))

    def finish(self) -> None:
        """Sends a close frame after what was written, and closes."""
        if not self._transport.is_closing():
            self._write(b"\x88\x02\x03\xe8")
            self._transport.close()

    def abort(self) -> None:
        """Closes at once and drops what was not sent."""
        self._transport.abort()


class EngineWebSocket:
    """The WebSocket driver that python-engineio is given instead of its own for aiohttp.

    Why: the bare driver negotiates permessage-deflate (100 KiB per client) and offers no access
    to the transport.
    """

    def __init__(self, handler: Any, server: Any) -> None:
        self._handler = handler
        self._limit: int = server.max_http_buffer_size
        self._response: web.WebSocketResponse
        self.writer: FrameWriter

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        """Upgrades the request and runs the handler until the connection ends."""
        request: web.Request = environ["aiohttp.request"]
        self._response = web.WebSocketResponse(max_msg_size=self._limit, compress=False)
        await self._response.prepare(request)
        self.writer = FrameWriter(request.transport)
        await self._handler(self)
        return self._response

    async def wait(self) -> str | bytes | None:
        """The next message; None once the connection ended."""
        data = (await self._response.receive()).data
        return data if isinstance(data, str | bytes) else None
