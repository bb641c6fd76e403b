"""One Engine.IO session: python-engineio's socket, but written to directly and bounded.

What is overridden, and why:

- ``send``, ``poll`` and the writer task → ``push`` and ``poll``: the bare socket has an unbounded
  queue, a writer task and a ``wait_for`` per wake-up; here a packet goes straight to the transport,
  or into a byte-bounded outbox.
- ``handle_get_request``, ``handle_post_request``, ``_websocket_handler`` → ``poll``, ``post``,
  ``serve``, ``upgrade``: one reader, no task per packet, a client's order kept, the same direct
  path after an upgrade, and a malformed packet ends the session whatever the transport.
- the heartbeat: a timer instead of a task per ping.
- ``close``: what was said last still reaches a client that is between two polls.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from engineio import async_socket, exceptions
from engineio.base_server import BaseServer

from config.logs import get_logger
from hub.delivery.outbox import Outbox
from hub.gateways.sio.heartbeat import Heartbeat
from hub.gateways.sio.transport import HIGH_WATER, Binary, FrameWriter, WebSocket

SEPARATOR: Final = b"\x1e"
"""Between the packets of a payload (Engine.IO protocol 4, "HTTP long-polling")."""

_NOOP, _CLOSE, _PING = b"6", b"1", b"2"
_POLL_PACKETS: Final = 16  # as many as python-socketio's client takes in one payload
_POLL_BYTES: Final = 512 * 1024
_DRAIN_FIRST, _DRAIN_LAST = 0.01, 0.2
_UPGRADE_TIMEOUT: Final = 10.0  # seconds from a WebSocket's opening to the end of the upgrade
_FAREWELL: Final = 0.5  # seconds that a last packet has to get out before the line is cut
_reason = BaseServer.reason
_log = get_logger(__name__)


class Host(Protocol):
    """What a session needs of the server that it belongs to."""

    outbox_bytes: int
    ping_interval: float
    ping_timeout: float

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` in a task that the server owns."""

    async def message(self, sid: str, data: str | bytes) -> None:
        """Handles a client's message; raises ``EngineIOError`` if it breaks the protocol."""

    async def ended(self, socket: "EngineSocket", reason: str) -> None:
        """The session is over."""


class EngineSocket(async_socket.AsyncSocket):  # type: ignore[misc]
    """One Engine.IO session, over polling, WebSocket or first one and then the other.

    Order is kept throughout: a packet is written directly only when nothing waits in the outbox,
    and a client's packets are handled one after the other.
    """

    def __init__(self, server: Host, sid: str) -> None:
        super().__init__(server, sid)
        self.host = server
        self.outbox: Outbox[bytes] = Outbox(server.outbox_bytes)
        self.on_overflow: Callable[[], None] = self.abort
        self.receiving = asyncio.Lock()  # held while a POST is read and handled
        self.connected: bool = True
        self.upgrading: bool = False
        self.upgraded: bool = False
        self.closed: bool = False
        self._writer: FrameWriter | None = None
        self._poll: asyncio.Future[None] | None = None
        self._probed = False
        self._heartbeat = Heartbeat(
            server.ping_interval, server.ping_timeout, lambda: self.push(_PING), self._timed_out
        )
        self._drain: asyncio.TimerHandle | None = None
        self._drain_delay = _DRAIN_FIRST
        self._loop = asyncio.get_running_loop()

    def push(self, data: bytes) -> None:
        """Sends an encoded packet now or queues it; never waits, never raises."""
        if self.closed:
            return
        writer = self._writer
        if writer is not None and not self.outbox and writer.ready:
            writer.write(data)
        elif not self.outbox.offer(data):
            self.on_overflow()
        elif writer is not None:
            self._drain_later()
        else:
            self._wake_poll()

    def push_all(self, packets: list[bytes]) -> None:
        """As ``push``, several packets in one write."""
        writer = self._writer
        if writer is not None and not self.outbox and writer.ready and not self.closed:
            writer.write_all(packets)
            return
        for packet in packets:
            self.push(packet)

    async def send(self, pkt: Any) -> None:
        """Sends one of python-engineio's own packets."""
        encoded = pkt.encode()
        self.push(Binary(encoded) if isinstance(encoded, bytes) else encoded.encode())

    # -- polling ----------------------------------------------------------------------------------

    async def poll(self) -> list[bytes]:
        """What a poll is answered with, as soon as there is something. Only one may wait."""
        if self._probed:
            return [_NOOP]  # what there is to say is said over the WebSocket
        if not self.outbox and not self.closed:
            if self._poll is not None:
                await self.close(abort=True, reason=_reason.TRANSPORT_ERROR)
                raise exceptions.EngineIOError("two polls at a time")
            self._poll = self._loop.create_future()
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
        return packets

    async def post(self, body: bytes) -> None:
        """Takes the packets of one POST in order; raises ``EngineIOError`` for a malformed one."""
        for part in body.split(SEPARATOR):
            if self.closed:
                return
            try:
                await self._receive(part.decode())
            except UnicodeDecodeError as error:
                raise exceptions.EngineIOError("not UTF-8") from error

    def _wake_poll(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    # -- WebSocket --------------------------------------------------------------------------------

    async def serve(self, ws: WebSocket) -> None:
        """Runs the session over a WebSocket until either ends."""
        self.upgraded = True
        self._writer = ws.writer
        self._flush()
        try:
            await self._read(ws)
        except exceptions.EngineIOError as error:
            _log.info("engine.bad_packet", sid=self.sid, error=str(error))
            await self.close(reason=_reason.TRANSPORT_ERROR)
        finally:
            await self.close(abort=True, reason=_reason.TRANSPORT_CLOSE)

    async def upgrade(self, ws: WebSocket) -> None:
        """Moves the session from polling to a WebSocket; it goes on as it was if that fails.

        From the probe on, packets wait in the outbox and polls get NOOPs, so nothing can overtake
        anything.
        """
        try:
            async with asyncio.timeout(_UPGRADE_TIMEOUT):
                agreed = await self._probe(ws)
        except TimeoutError:
            agreed = False
        finally:
            self.upgrading = self._probed = False
        if self.closed and agreed:
            ws.writer.write_all(self.outbox.take(self.outbox.limit))
        if self.closed or not agreed:
            ws.writer.finish()
            return
        await self.serve(ws)

    async def _probe(self, ws: WebSocket) -> bool:
        if await ws.receive() != "2probe":
            return False
        ws.writer.write(b"3probe")
        self._probed = True
        self._wake_poll()
        if await ws.receive() != "5":
            return False
        async with self.receiving:  # what was posted before is handled before
            return True

    async def _read(self, ws: WebSocket) -> None:
        while (data := await ws.receive()) is not None and not self.closed:
            if isinstance(data, bytes):
                await self.host.message(self.sid, data)
            else:
                await self._receive(data)

    def _flush(self) -> None:
        """Writes what waits, as far as the peer takes it; tries again later for the rest."""
        self._drain = None
        writer = self._writer
        if writer is None or self.closed:
            return
        while self.outbox and writer.ready:
            writer.write_all(self.outbox.take(HIGH_WATER))
        if self.outbox:
            self._drain_later()
        else:
            self._drain_delay = _DRAIN_FIRST

    def _drain_later(self) -> None:
        if self._drain is None:
            self._drain = self._loop.call_later(self._drain_delay, self._flush)
            self._drain_delay = min(2 * self._drain_delay, _DRAIN_LAST)

    # -- packets in -------------------------------------------------------------------------------

    async def _receive(self, data: str) -> None:
        """Handles one text packet; the next one waits until it is done."""
        kind, body = data[:1], data[1:]
        if kind == "4":
            await self.host.message(self.sid, body)
        elif kind == "3":
            self._heartbeat.start()
        elif kind == "1":
            await self.close(abort=True, reason=_reason.CLIENT_DISCONNECT)
        elif kind == "b":
            await self.host.message(self.sid, Binary.from_text(body))
        else:
            raise exceptions.UnknownPacketError(f"packet {data[:16]!r}")

    def schedule_ping(self) -> None:
        """Starts the heartbeat."""
        self._heartbeat.start()

    def _timed_out(self) -> None:
        self.host.spawn(self.close(abort=True, reason=_reason.PING_TIMEOUT))

    # -- the end ----------------------------------------------------------------------------------

    async def close(
        self, wait: bool = True, abort: bool = False, reason: str | None = None
    ) -> None:
        """Ends the session, once.

        With ``abort``, what was not sent is dropped. Else the client gets it; one that polls, by
        the poll that waits or by its next one.
        """
        del wait  # nothing here waits for a client
        if self.closed:
            return
        reason = reason or _reason.SERVER_DISCONNECT
        writer = self._writer
        if abort:
            self.outbox.clear()
        if writer is not None:
            writer.write_all(self.outbox.take(self.outbox.limit))
            self.outbox.clear()
            if reason == _reason.PING_TIMEOUT:
                writer.abort()  # nobody is there to take a close frame
            else:
                writer.finish()
        elif reason != _reason.CLIENT_DISCONNECT and (self._poll is not None or not abort):
            self.outbox.offer(_CLOSE)
        self._stop()
        await self.host.ended(self, reason)

    def abort(self, last: bytes | None = None) -> None:
        """Ends the session of a peer that does not read: drops the outbox at once, sends ``last``
        if it still gets through, and cuts the line."""
        if self.closed:
            return
        writer = self._writer
        self.outbox.clear()
        if writer is None:
            self.outbox.offer(last or _CLOSE)
        elif last is None:
            writer.abort()
        else:
            writer.write(last)
            self._loop.call_later(_FAREWELL, writer.abort)
        self._stop()
        self.host.spawn(self.host.ended(self, _reason.TRANSPORT_ERROR))

    def _stop(self) -> None:
        self.closed = True
        self._writer = None
        self._heartbeat.stop()
        if self._drain is not None:
            self._drain.cancel()
        self._wake_poll()
