"""One Engine.IO session: python-engineio's socket, but written to directly and bounded.

What is overridden, and why:

- ``send``, ``poll`` and the writer task → ``push`` and ``poll``: the bare socket has an unbounded
  queue, a writer task and a ``wait_for`` per wake-up; here a packet goes straight to the WebSocket,
  or into a byte-bounded outbox.
- ``handle_get_request``, ``handle_post_request``, ``_websocket_handler`` → ``poll``, ``post``,
  ``serve``: no reading task, a client's order kept, the same direct path after an upgrade, and a
  malformed packet ends the session whatever the transport.
- the heartbeat: one timer for all sessions instead of a task per ping.
- ``close``: what was said last still reaches a client that is between two polls.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any, Final, Protocol

from engineio import async_socket, exceptions
from engineio.base_server import BaseServer

from config.logs import get_logger, speak_of
from hub.delivery.frames import Binary
from hub.delivery.outbox import Entry, Outbox
from hub.domain import codes
from hub.gateways.heartbeats import Heartbeats
from hub.gateways.sio import binary
from hub.gateways.websocket import HIGH_WATER, WebSocket

SEPARATOR: Final = b"\x1e"
"""Between the packets of a payload (Engine.IO protocol 4, "HTTP long-polling")."""

_NOOP, _CLOSE, _PING = b"6", b"1", b"2"
_POLL_PACKETS: Final = 16  # as many as python-socketio's client takes in one payload
_POLL_BYTES: Final = 512 * 1024
_READ_AHEAD: Final = 16  # messages that wait for the one being handled, until reading pauses
_ID_SHOWN: Final = 8
_FAREWELL: Final = 0.5  # seconds that a last packet has to get out before the line is cut
_LEAVE_WITHIN: Final = 5.0  # seconds that a peer's last messages may take after it has left
_reason = BaseServer.reason
_log = get_logger(__name__)


class Host(Protocol):
    """What a session needs of the server that it belongs to."""

    outbox_bytes: int
    heartbeats: Heartbeats

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` in a task that the server owns."""

    async def message(self, sid: str, data: str | bytes) -> None:
        """Handles a client's message; raises ``EngineIOError`` if it breaks the protocol."""

    async def ended(self, socket: "EngineSocket", reason: str) -> None:
        """The session is over, and this returns when everything knows it."""

    def departed(
        self, socket: "EngineSocket", reason: str, websocket: WebSocket | None = None
    ) -> None:
        """As ``ended``, later: among many that leave at once. Calls ``gone`` before, if the peer
        left ``websocket``."""


class Named(Protocol):
    """Who uses a session."""

    def log_fields(self) -> Mapping[str, Any]:
        """``sid`` and ``user_id``, as far as they are known."""


class Pressure(Protocol):
    """Who decides what becomes of a session's events when its client reads too slowly."""

    def overflowed(self, entry: Entry) -> None:
        """``entry`` did not fit into the outbox."""

    def relieved(self) -> None:
        """The outbox is empty again."""

    def refused(self, code: codes.Code) -> None:
        """The client sent what it may not, ``code`` says why; afterwards the session ends."""


class EngineSocket(async_socket.AsyncSocket):  # type: ignore[misc]
    """One Engine.IO session, over polling, WebSocket or first one and then the other.

    Order is kept throughout: a packet is written directly only when nothing waits in the outbox,
    and a client's packets are handled one after the other.

    ``direct``: the WebSocket while its peer keeps up and takes plain frames. Whoever has encoded
    frames may send them there; None means ``push``.
    """

    __slots__ = (  # beside the base class's dictionary: a delivery looks at as little as possible
        "_blocked", "_handling", "_left", "_poll", "_receiving", "_waiting", "_websocket", "client",
        "closed", "connected", "direct", "host", "outbox", "pressure", "probed", "upgraded",
        "upgrading",
    )  # fmt: skip

    def __init__(self, server: Host, sid: str) -> None:
        super().__init__(server, sid)
        self.host = server
        self.outbox = Outbox(server.outbox_bytes)
        self.pressure: Pressure | None = None
        self.direct: WebSocket | None = None
        self.connected: bool = True
        self.upgrading: bool = False
        self.upgraded: bool = False
        self.closed: bool = False
        self.probed: bool = False
        """Whether a WebSocket has answered: then it says what there is to say."""
        self._websocket: WebSocket | None = None
        self._left: WebSocket | None = None  # by its peer, whose last messages are being handled
        self._blocked = False
        self._poll: asyncio.Future[None] | None = None
        self._receiving: asyncio.Lock | None = None
        self._waiting: deque[str | bytes] | None = None  # messages behind the one being handled
        self.client: Named | None = None  # who it is, for the log, as soon as somebody knows
        self._handling = False

    def log_fields(self) -> Mapping[str, Any]:
        """What names it in the log; of its id so much that nobody could use the session."""
        known = {} if self.client is None else self.client.log_fields()
        return {"session": self.sid[:_ID_SHOWN], **known}

    @property
    def websocket(self) -> WebSocket | None:
        """What it goes over, unless it polls."""
        return self._websocket

    @property
    def attended(self) -> bool:
        """Whether there is still a peer, as far as anybody knows."""
        return not self.closed and self._left is None

    # -- packets out ------------------------------------------------------------------------------

    def push(self, entry: Entry) -> None:
        """Sends a packet now or queues it; never waits, never raises."""
        if self.closed:
            return
        websocket = self._websocket
        if websocket is not None and not self._blocked and not self.outbox:
            websocket.write(entry if isinstance(entry, bytes) else entry.encode())
        elif self.outbox.offer(entry):
            self.wake_poll()
        elif self.pressure is not None:
            self.pressure.overflowed(entry)
        else:
            self.abort()

    async def send(self, pkt: Any) -> None:
        """Sends one of python-engineio's own packets."""
        encoded = pkt.encode()
        self.push(Binary(encoded) if isinstance(encoded, bytes) else encoded.encode())

    def ping(self) -> None:
        """Sends a ping."""
        self.push(_PING)

    def timed_out(self) -> None:
        """There was no pong in time."""
        self.host.spawn(self.close(abort=True, reason=_reason.PING_TIMEOUT))

    # -- polling ----------------------------------------------------------------------------------

    async def poll(self) -> list[bytes]:
        """What a poll is answered with, as soon as there is something. Only one may wait."""
        if self.probed:
            return [_NOOP]
        if not self.outbox and not self.closed:
            if self._poll is not None:
                await self.close(abort=True, reason=_reason.TRANSPORT_ERROR)
                raise exceptions.EngineIOError("two polls at a time")
            self._poll = asyncio.get_running_loop().create_future()
            self._relieve()  # the outbox may be empty because everything in it gave way
            try:
                await self._poll
            finally:
                self._poll = None
        return self._payload() or [_NOOP]

    def _payload(self) -> list[bytes]:
        packets: list[bytes] = []
        size = 0
        while self.outbox and len(packets) < _POLL_PACKETS and size < _POLL_BYTES:
            packets += self.outbox.take(0)  # the one in front
            size += len(packets[-1])
        self._relieve()
        return packets

    @property
    def receiving(self) -> asyncio.Lock:
        """Held while a POST is read and handled."""
        if self._receiving is None:
            self._receiving = asyncio.Lock()
        return self._receiving

    async def post(self, body: bytes) -> None:
        """Takes the packets of one POST in order; raises ``EngineIOError`` for a malformed one."""
        for part in body.split(SEPARATOR):
            if self.closed:
                return
            try:
                await self._receive(part.decode())
            except UnicodeDecodeError as error:
                raise exceptions.EngineIOError("not UTF-8") from error

    def wake_poll(self) -> None:
        """Answers a poll that waits, with whatever there is."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    # -- WebSocket --------------------------------------------------------------------------------

    def serve(self, websocket: WebSocket) -> None:
        """Goes on over a WebSocket, as its owner."""
        self.upgraded = True
        self._websocket = websocket
        websocket.begin(self)
        self._flush()

    def blocked(self) -> None:
        """The peer does not take what is written."""
        self._blocked, self.direct = True, None

    def writable(self) -> None:
        """The peer has taken nearly everything."""
        self._blocked = False
        self._flush()

    def _flush(self) -> None:
        """Writes what waits, as far as the peer takes it."""
        websocket = self._websocket
        if websocket is None or self.closed:
            return
        while self.outbox and not self._blocked:
            websocket.write_all(self.outbox.take(HIGH_WATER))
        if not self._blocked:
            self.direct = None if websocket.compresses else websocket
            self._relieve()

    def _relieve(self) -> None:
        if self.pressure is not None and not self.outbox and not self.closed:
            self.pressure.relieved()

    def received(self, message: str | bytes) -> None:
        """Takes a message of the peer, behind those that came before it."""
        if self.closed:  # only its last words are still on their way
            return
        if not self._handling:
            if message == "3":  # a pong, much the most frequent one
                self.host.heartbeats.start(self)
                return
            self._handling = True
            self.host.spawn(self._handle(message))
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(message)
        if len(self._waiting) == _READ_AHEAD and self._websocket is not None:
            self._websocket.pause_reading()

    async def _handle(self, message: str | bytes) -> None:
        """Handles messages until none waits."""
        speak_of(self)
        try:
            async with self.receiving:  # what was posted before an upgrade is handled before
                await self._receive(message)
                while self._waiting and not self.closed:
                    await self._receive(self._waiting.popleft())
                    if len(self._waiting) == _READ_AHEAD - 1 and self._websocket is not None:
                        self._websocket.resume_reading()
        except exceptions.EngineIOError as error:
            _log.info("engine.bad_packet", error=str(error))
            await self.break_off(codes.INVALID_REQUEST)
        finally:
            self._handling, self._waiting, self._receiving = False, None, None
            self._leave()

    def failed(self, code: int) -> None:
        """The peer broke the WebSocket protocol."""
        if code == 1009 and self.pressure is not None:
            self.pressure.refused(codes.PAYLOAD_TOO_LARGE)
        self.outbox.clear()
        self._stop()
        self.host.departed(self, _reason.TRANSPORT_ERROR)

    def lost(self) -> None:
        """The peer is gone: what it said before is handled, within a few seconds, and the rest of
        the session follows in its turn (``gone``)."""
        if self._websocket is None:
            return
        self._left, self._websocket, self.direct = self._websocket, None, None
        if self._handling:
            asyncio.get_running_loop().call_later(_LEAVE_WITHIN, self._leave)
        else:
            self._leave()

    def _leave(self) -> None:
        websocket, self._left = self._left, None
        if websocket is not None:
            self.host.departed(self, _reason.TRANSPORT_CLOSE, websocket)

    # -- packets in -------------------------------------------------------------------------------

    async def _receive(self, data: str | bytes) -> None:
        """Handles one packet; the next one waits until it is done."""
        if isinstance(data, bytes):
            await self.host.message(self.sid, data)
            return
        kind, body = data[:1], data[1:]
        if kind == "4":
            await self.host.message(self.sid, body)
        elif kind == "3":
            if not self.closed:
                self.host.heartbeats.start(self)
        elif kind == "1":
            await self.close(abort=True, reason=_reason.CLIENT_DISCONNECT)
        elif kind == "b":
            await self.host.message(self.sid, binary.decode(body))
        else:
            raise exceptions.UnknownPacketError(f"packet {data[:16]!r}")

    # -- the end ----------------------------------------------------------------------------------

    async def close(
        self,
        wait: bool = True,
        abort: bool = False,
        reason: str | None = None,
        *,
        code: int = 1000,
    ) -> None:
        """Ends the session, once; a WebSocket closes with ``code``.

        With ``abort``, what was not sent is dropped. Else the client gets it; one that polls, by
        the poll that waits or by its next one.
        """
        del wait  # nothing here waits for a client
        if self.closed:
            return
        reason = reason or _reason.SERVER_DISCONNECT
        websocket = self._websocket
        if abort:
            self.outbox.clear()
        if websocket is not None:
            websocket.write_all(self.outbox.last_words())
            if reason == _reason.PING_TIMEOUT:
                websocket.abort()  # nobody is there to take a close frame
            else:
                websocket.close(code)
        elif self.upgraded:  # its peer has left a moment ago
            self.outbox.clear()
        elif reason != _reason.CLIENT_DISCONNECT and (self._poll is not None or not abort):
            self.outbox.offer(_CLOSE)
        self._stop()
        await self.host.ended(self, reason)

    async def break_off(self, code: codes.Code) -> None:
        """Ends the session of a client that sent what it may not, and tells it if it is known."""
        if self.pressure is None:
            await self.close(abort=True, reason=_reason.TRANSPORT_ERROR)
            return
        self.pressure.refused(code)
        await self.close(reason=_reason.TRANSPORT_ERROR, code=code.ws or 1000)

    def abort(self, last: bytes | None = None) -> None:
        """Ends the session of a peer that does not read: drops the outbox at once, sends ``last``
        if it still gets through, and cuts the line."""
        if self.closed:
            return
        websocket = self._websocket
        self.outbox.clear()
        if websocket is None:
            self.outbox.offer(last or _CLOSE)
        elif last is None:
            websocket.abort()
        else:
            websocket.write(last)
            asyncio.get_running_loop().call_later(_FAREWELL, websocket.abort)
        self._stop()
        self.host.departed(self, _reason.TRANSPORT_ERROR)

    def gone(self, websocket: WebSocket) -> None:
        """Ends the session of a peer that has left ``websocket``."""
        websocket.abort()
        self.outbox.clear()
        self._stop()

    def _stop(self) -> None:
        self.closed = True
        self._websocket = self.direct = self.pressure = None
        self.host.heartbeats.stop(self)
        self.wake_poll()
