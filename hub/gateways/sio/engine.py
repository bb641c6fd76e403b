"""Engine.IO: python-engineio's server with sockets that write directly and are bounded.

What is overridden, and why:

- ``send``/``poll``/the writer task → ``push``: the bare socket has an unbounded queue, a writer
  task and a ``wait_for`` per wake-up; here a packet goes straight to the transport, or into a
  byte-bounded outbox.
- ``_websocket_handler``: one reader, no task per packet; after an upgrade the same direct path.
- pings: timers instead of a task per ping; millisecond intervals are announced as they are.
- ``handle_post_request``: more packets than allowed are refused, not answered "ok" and dropped.
"""

import asyncio
import base64
from collections.abc import Callable, Coroutine
from typing import Any, Final

import engineio
import msgspec
from engineio import async_socket, exceptions
from engineio.async_drivers import aiohttp as driver

from config.logs import get_logger
from hub.delivery.outbox import Outbox
from hub.gateways.sio.transport import HIGH_WATER, Binary, EngineWebSocket, FrameWriter

_SEPARATOR: Final = b"\x1e"
_NOOP, _CLOSE, _PING = b"6", b"1", b"2"
_PACKETS_PER_POST: Final = 64
_POLL_BYTES: Final = 512 * 1024
_DRAIN_FIRST, _DRAIN_LAST = 0.01, 0.2
_FAREWELL: Final = 0.5  # seconds that a last packet has to get out before the line is cut
_log = get_logger(__name__)


class EngineSocket(async_socket.AsyncSocket):  # type: ignore[misc]
    """One Engine.IO session, over polling, WebSocket or first one and then the other.

    Order is kept throughout: a packet is written directly only when nothing waits in the outbox.
    """

    def __init__(self, server: "Engine", sid: str) -> None:
        super().__init__(server, sid)
        self.outbox: Outbox[bytes] = Outbox(server.outbox_bytes)
        self.on_overflow: Callable[[], None] = self.abort
        self._writer: FrameWriter | None = None
        self._poll: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drain: asyncio.TimerHandle | None = None
        self._drain_delay = _DRAIN_FIRST
        self._loop = asyncio.get_running_loop()
        self.connected: bool = False  # declared here for the type checker
        self.closing: bool = False

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

    async def send(self, pkt: Any) -> None:
        """Sends one of python-engineio's own packets."""
        encoded = pkt.encode()
        self.push(Binary(encoded) if isinstance(encoded, bytes) else encoded.encode())

    # -- polling ----------------------------------------------------------------------------------

    async def handle_get_request(self, environ: dict[str, Any]) -> Any:
        """A poll or a WebSocket upgrade; a poll's answer is the ready-made response."""
        if "upgrade" in environ.get("HTTP_CONNECTION", "").lower():
            return await super().handle_get_request(environ)
        if self.upgrading or self.upgraded:
            return self.server.polled([_NOOP])
        return self.server.polled(await self.next_poll())

    async def next_poll(self) -> list[bytes]:
        """What a poll is answered with, as soon as there is something."""
        if not self.outbox and not self.closed:
            if self._poll is not None:
                await self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR)
                raise exceptions.EngineIOError
            self._poll = self._loop.create_future()
            try:
                await self._poll
            finally:
                self._poll = None
        return self.outbox.take(_POLL_BYTES) or [_NOOP]

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """Takes the packets of one POST in order; raises for a malformed or too large one."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > self.server.max_http_buffer_size:
            raise exceptions.ContentTooLongError
        body = await environ["wsgi.input"].read(length)
        parts = body.split(_SEPARATOR)
        if len(parts) > _PACKETS_PER_POST:
            raise exceptions.EngineIOError
        for part in parts:
            await self._receive(_text(part))

    def _wake_poll(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    # -- WebSocket --------------------------------------------------------------------------------

    async def _websocket_handler(self, ws: EngineWebSocket) -> None:
        if self.connected:
            if not await self._upgrade(ws):
                ws.writer.finish()
                return
        else:
            self.connected = self.upgraded = True
        self._writer = ws.writer
        self._flush()
        await self._read(ws)
        await self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)

    async def _upgrade(self, ws: EngineWebSocket) -> bool:
        """The probe of an upgrade. Meanwhile packets wait in the outbox and polls get NOOPs, so
        nothing can overtake anything."""
        self.upgrading = True
        try:
            if await ws.wait() != "2probe":
                return False
            ws.writer.write(b"3probe")
            if self._poll is not None and not self._poll.done():
                self._poll.set_result(None)
            if await ws.wait() != "5" or self.closed:
                return False
            self.upgraded = True
            return True
        finally:
            self.upgrading = False

    async def _read(self, ws: EngineWebSocket) -> None:
        while (data := await ws.wait()) is not None and not self.closed:
            try:
                await self._receive(data)
            except exceptions.EngineIOError as error:
                _log.info("engine.bad_packet", sid=self.sid, error=str(error))
                return

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

    async def _receive(self, data: str | bytes) -> None:
        """Handles one packet; the next one waits until it is done, which keeps a client's order."""
        if self.closed:
            raise exceptions.SocketIsClosedError
        if isinstance(data, bytes):
            await self.server.message(self.sid, data)
            return
        kind, body = data[:1], data[1:]
        if kind == "4":
            await self.server.message(self.sid, body)
        elif kind == "3":
            self._pong()
        elif kind == "1":
            await self.close(abort=True, reason=self.server.reason.CLIENT_DISCONNECT)
        elif kind == "b":
            await self.server.message(self.sid, base64.b64decode(body))
        else:
            raise exceptions.UnknownPacketError

    # -- heartbeat --------------------------------------------------------------------------------

    def schedule_ping(self) -> None:
        """Starts the heartbeat."""
        self._restart_timer(self.server.ping_interval, self._ping)

    def _ping(self) -> None:
        self.push(_PING)
        self._restart_timer(self.server.ping_timeout, self._timed_out)

    def _pong(self) -> None:
        self.schedule_ping()

    def _timed_out(self) -> None:
        self.server.spawn(self.close(abort=True, reason=self.server.reason.PING_TIMEOUT))

    def _restart_timer(self, delay: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self.closed else self._loop.call_later(delay, callback)

    # -- the end ----------------------------------------------------------------------------------

    async def close(
        self, wait: bool = True, abort: bool = False, reason: str | None = None
    ) -> None:
        """Ends the session, once. ``abort``: without telling the client."""
        del wait
        if self.closed or self.closing:
            return
        self.closing = True
        if not abort:
            self.push(_CLOSE)
        self._cut(graceful=not abort)
        await self.server.ended(self.sid, reason or self.server.reason.SERVER_DISCONNECT)

    def abort(self, last: bytes | None = None) -> None:
        """Ends the session of a peer that does not read: drops the outbox at once, sends ``last``
        if it still gets through, and cuts the line."""
        self.outbox.clear()
        if last is not None and self._writer is not None:
            self._writer.write(last)
            self._loop.call_later(_FAREWELL, self._writer.abort)
            self._writer = None
        elif last is not None:
            self.outbox.offer(last)
        self.server.spawn(self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR))

    def _cut(self, *, graceful: bool) -> None:
        self.closed = True
        for timer in (self._timer, self._drain):
            if timer is not None:
                timer.cancel()
        self._wake_poll()
        writer, self._writer = self._writer, None
        if writer is None:
            return  # the poll that was woken takes what there is
        if graceful:
            writer.write_all(self.outbox.take(self.outbox.limit))
            writer.finish()
        else:
            writer.abort()
        self.outbox.clear()


def _text(part: bytes) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError as error:
        raise exceptions.EngineIOError from error


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    """The Engine.IO server. ``outbox_bytes``: the bound of each session's outbox."""

    def __init__(self, *, outbox_bytes: int = 1_048_576, **options: Any) -> None:
        options |= {
            "async_mode": "aiohttp",
            "async_handlers": False,  # else a client's packets overtake each other
            "monitor_clients": False,  # every socket has its own timer
        }
        super().__init__(**options)
        self._async = {**driver._async, "websocket": EngineWebSocket}
        self.outbox_bytes = outbox_bytes
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` in a task that this server owns until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("engine.task_failed", exc_info=error)

    async def stop(self) -> None:
        """Ends every session and every task."""
        for socket in list(self.sockets.values()):
            await socket.close(reason=self.reason.SERVER_DISCONNECT)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def message(self, sid: str, data: str | bytes) -> None:
        """Hands a message of a client to Socket.IO; waits until it is handled."""
        await self.handlers["message"](sid, data)

    async def ended(self, sid: str, reason: str) -> None:
        """Forgets a session and tells Socket.IO."""
        self.sockets.pop(sid, None)
        await self.handlers["disconnect"](sid, reason)

    def polled(self, packets: list[bytes]) -> dict[str, Any]:
        """The response to a poll."""
        encoded = [b"b" + base64.b64encode(p) if isinstance(p, Binary) else p for p in packets]
        return {
            "status": "200 OK",
            "headers": [("Content-Type", "text/plain; charset=UTF-8")],
            "response": _SEPARATOR.join(encoded),
        }

    async def _handle_connect(
        self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None
    ) -> Any:
        """Opens a session. Overridden for the socket's class, and because the bare server
        announces a ping interval below one second as 0."""
        sid = self.generate_id()
        socket = self.sockets[sid] = EngineSocket(self, sid)
        socket.push(b"0" + msgspec.json.encode(self._handshake(sid, transport)))
        refused = await self._trigger_event("connect", sid, environ, run_async=False)
        if refused is False:
            del self.sockets[sid]
            return self._unauthorized()
        socket.schedule_ping()
        if transport == "websocket":
            return await socket.handle_get_request(environ)
        socket.connected = True
        return self.polled(await socket.next_poll())

    def _handshake(self, sid: str, transport: str) -> dict[str, Any]:
        return {
            "sid": sid,
            "upgrades": self._upgrades(sid, transport),
            "pingInterval": round(self.ping_interval * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "maxPayload": self.max_http_buffer_size,
        }
