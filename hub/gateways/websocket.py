"""An open WebSocket: messages in by callback, frames out by one system call.

aiohttp does HTTP and, until the handshake is answered, owns the connection. Then this protocol
takes its place at the transport (``upgrade.accept``): a connection that only listens has no task,
no request and no parser of HTTP any more, only this object.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from aiohttp.http import WebSocketError, WebSocketReader, WSCloseCode, WSMsgType

# The queue that aiohttp's (compiled) reader fills; not exported, but the reader takes no other.
from aiohttp._websocket.reader import WebSocketDataQueue  # isort: skip

from config.logs import get_logger
from hub.delivery.cork import Cork
from hub.delivery.frames import CLOSE, PING, PONG, Deflater, frame, header

HIGH_WATER: Final = 64 * 1024
"""Bytes in the transport's own buffer above which nothing more is written to it."""

_LAST_WORDS: Final = 5.0  # seconds that a peer has to take what was written, and to close
_CODES_END: Final = 5000  # the reader refuses what is unknown among the lower ones
_log = get_logger(__name__)


class Owner(Protocol):
    """Who a WebSocket belongs to. The methods must neither block nor raise."""

    def received(self, message: str | bytes) -> None:
        """The peer sent a message."""

    def blocked(self) -> None:
        """The peer does not take what is written; ``write`` no more than necessary."""

    def writable(self) -> None:
        """After ``blocked``: the peer has taken nearly everything."""

    def failed(self, code: int) -> None:
        """The peer broke the protocol; once this returns, the line is closed with ``code``."""

    def lost(self) -> None:
        """The peer is gone, or the connection. ``abort`` it soon; of thousands that go at once, not
        all in this turn of the loop. May be called twice."""

    def log_fields(self) -> Mapping[str, Any]:
        """What names it in the log."""


class WebSocket(asyncio.Protocol):
    """A WebSocket after its handshake; says and hears nothing before ``begin``.

    While the peer keeps up, a frame goes to the operating system right away: the transport would
    queue it for the end of the loop's turn, which costs as much as sending it. What the system does
    not take goes to the transport, and so does everything that comes while that has something left;
    that keeps the order.

    ``descriptor``: the socket's, while whole frames may be written to it right away; else -1. It is
    for who writes the same to many (and finds the ``cork`` open); anyone else calls ``send``.
    """

    __slots__ = (
        "_closing", "_deadline", "_deflater", "_early", "_number", "_owner", "_plain", "_reader",
        "_transport", "_waits", "cork", "descriptor", "on_pong",
    )  # fmt: skip

    def __init__(
        self,
        transport: Any,
        max_message: int,
        *,
        cork: Cork | None = None,
        deflater: Deflater | None = None,
        early: bytes = b"",
    ) -> None:
        self._transport = transport
        self.cork = cork or Cork()
        self._deflater = deflater
        self._early = early  # what came right behind the handshake
        self._owner: Owner | None = None
        self.on_pong: Callable[[], None] | None = None  # for an owner that sends pings
        self._reader = WebSocketReader(
            _Received(self),
            max_message + 1,  # aiohttp's limit is the first size that it refuses
            compress=deflater is not None,
            decode_text=True,
        )
        self._plain = transport.get_extra_info("sslcontext") is None
        self._number = transport.get_extra_info("socket").fileno() if self._plain else -1
        self.descriptor = -1  # the answer to the handshake may still be in the transport
        self._closing = False
        self._waits = False  # for the close frame that answers its own
        self._deadline: asyncio.TimerHandle | None = None
        transport.set_write_buffer_limits(high=HIGH_WATER)

    def begin(self, owner: Owner) -> None:
        """Hands over to ``owner`` what comes from now on; again to hand it to another one."""
        self._owner = owner
        if self._transport.get_write_buffer_size() > HIGH_WATER:
            owner.blocked()
        early, self._early = self._early, b""
        if early:
            self._reader.feed_data(early)

    # -- out --------------------------------------------------------------------------------------

    @property
    def compresses(self) -> bool:
        """Whether frames differ from ``frames.frame``; then only ``write`` may be used."""
        return self._deflater is not None

    def write(self, message: bytes) -> None:
        """Sends one message."""
        self.send(frame(message) if self._deflater is None else self._deflater.frame(message))

    def write_all(self, messages: list[bytes]) -> None:
        """Sends several messages in one write."""
        make = frame if self._deflater is None else self._deflater.frame
        if messages:
            self.send(b"".join(map(make, messages)))

    def send(self, data: bytes) -> None:
        """Sends whole frames; never waits, never raises. Dropped once the line is closing."""
        if self.cork.closed:
            self.cork.hold(self, data)
        elif self.descriptor >= 0:
            try:
                sent = os.write(self.descriptor, data)
            except OSError:
                sent = 0
            if sent < len(data):
                self.send_rest(data, sent)
        elif not self._closing:
            self._send_behind(data)

    def send_rest(self, data: bytes, sent: int) -> None:
        """Of ``data`` the system took only ``sent`` bytes: it is full, or the peer is gone. The
        transport waits, or finds out."""
        self.descriptor = -1
        self._transport.write(data[sent:])

    def _send_behind(self, data: bytes) -> None:
        """Writes behind what the transport still has; directly again once it has nothing."""
        if self._plain and not self._transport.get_write_buffer_size():
            self.descriptor = self._number
            self.send(data)
        else:
            self._transport.write(data)

    def ping(self) -> None:
        """Sends a ping; the peer's answer is ``on_pong``."""
        self.send(header(0, PING))

    def close(self, code: int = 1000, reason: str = "", *, wait: bool = False) -> None:
        """Sends a close frame after what was written, and closes when the peer does; one that does
        not is cut off, so that nothing stays in memory for it. ``reason``: 123 bytes at most.

        ``wait``: for the peer's close frame. There are clients that miss what is said right behind
        the handshake when the connection ends with it.
        """
        if self._closing:
            return
        self.descriptor, self._closing = -1, True
        content = code.to_bytes(2, "big") + reason.encode()
        self._transport.write(self.cork.take(self) + header(len(content), CLOSE) + content)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(_LAST_WORDS, self._transport.abort)
        self._waits = wait
        if not wait:
            self._close_own_side()

    def _close_own_side(self) -> None:
        """Of a connection that is closed while its peer still sends, the system takes from the peer
        what that has not read yet. So the peer closes first, and what it sends is dropped."""
        if not self._plain:
            self._transport.close()  # which waits for the peer's end of TLS
            return
        try:
            self._transport.write_eof()
            self._transport.resume_reading()
        except OSError:  # the peer is gone
            self._transport.abort()

    def abort(self) -> None:
        """Closes at once and drops what was not sent."""
        self.descriptor, self._closing = -1, True
        self._transport.abort()

    # -- in ---------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Reads nothing more until ``resume_reading``; what was read is still handed over."""
        if not self._closing:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads again."""
        if not self._closing:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """From the transport."""
        self._reader.feed_data(data)

    def received(self, kind: int, data: Any) -> None:
        """One message or control frame, from the reader."""
        if self._closing:
            if self._waits and kind == WSMsgType.CLOSE:
                self._waits = False
                self._close_own_side()
            return
        if kind in (WSMsgType.TEXT, WSMsgType.BINARY):
            if self._owner is not None:
                self._owner.received(data)
        elif kind == WSMsgType.PING:
            if self._transport.get_write_buffer_size() <= HIGH_WATER:  # else it would not read it
                self.send(header(len(data), PONG) + data)
        elif kind == WSMsgType.PONG:
            if self.on_pong is not None:
                self.on_pong()
        elif kind == WSMsgType.CLOSE:
            self.close(_answer(data))

    def broken(self, error: BaseException) -> None:
        """The peer sent something that is no WebSocket frame, or too large a message."""
        code = error.code if isinstance(error, WebSocketError) else WSCloseCode.PROTOCOL_ERROR
        fields = {} if self._owner is None else self._owner.log_fields()
        _log.info("websocket.broken", error=str(error), code=int(code), **fields)
        if self._closing:
            return
        if self._owner is not None:
            self._owner.failed(int(code))
        self.close(int(code))

    # -- from the transport -----------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Its buffer is above ``HIGH_WATER``."""
        if self._owner is not None:
            self._owner.blocked()

    def resume_writing(self) -> None:
        """Its buffer is nearly empty."""
        if self._owner is not None:
            self._owner.writable()

    def eof_received(self) -> bool:
        """The peer has closed. Closing this side is left to the owner: the loop would do it for all
        who left in one go."""
        if self._closing:
            return False  # this is what ``close`` waits for
        self.descriptor, self._closing = -1, True
        if self._owner is not None:
            self._owner.lost()
        return self._plain and self._owner is not None

    def connection_lost(self, exc: Exception | None) -> None:
        """The descriptor is closed after this returns, and may be another connection's then."""
        self.descriptor, self._closing = -1, True
        owner, self._owner, self.on_pong = self._owner, None, None
        del self._reader  # which refers to this object, too
        if self._deadline is not None:
            self._deadline.cancel()
        if owner is not None:
            owner.lost()


def _answer(code: int) -> int:
    """The code that answers a close frame: its own, unless that must not be sent (RFC 6455,
    section 7.4). 0 is none."""
    if code == WSCloseCode.ABNORMAL_CLOSURE or code >= _CODES_END:
        return WSCloseCode.PROTOCOL_ERROR
    return code or WSCloseCode.OK


class _Received(WebSocketDataQueue):
    """Where aiohttp's reader puts what it has read: nothing is queued here."""

    __slots__ = ("_websocket",)

    def __init__(self, websocket: WebSocket) -> None:
        super().__init__(websocket, 1, loop=None)  # type: ignore[arg-type]
        self._websocket = websocket

    def feed_data(self, data: Any, size: int) -> None:
        self._websocket.received(data[0], data[1])

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        self._websocket.broken(exc)
