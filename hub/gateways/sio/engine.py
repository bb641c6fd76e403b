"""Engine.IO: python-engineio's server with sessions of our own.

What is overridden, and why:

- ``handle_request``: the bare server takes requests without a transport or a version, lets a POST
  through whose packets it dropped, answers 405 by aiohttp where the protocol says 400, and takes
  every client for 127.0.0.1.
- the handshake (``_open``): the sessions are ``EngineSocket``s; a ping interval below one second
  is announced as it is, not as 0.
- ``create_queue``: a session has an outbox instead.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

import engineio
import msgspec
from aiohttp import web
from engineio import exceptions

from config.logs import about, get_logger, speak_of
from hub.delivery.cork import Cork
from hub.domain import codes
from hub.gateways import upgrade
from hub.gateways.heartbeats import Heartbeats
from hub.gateways.sio import binary, requests
from hub.gateways.sio.probe import Probe
from hub.gateways.sio.requests import Refused
from hub.gateways.sio.session import SEPARATOR, EngineSocket
from hub.gateways.websocket import WebSocket

_DEPARTING: Final = 0.005  # seconds at a time for clients that left
_LINGER: Final = 5.0  # seconds that a polling client has to fetch what was said last
_TEXT: Final = {"Content-Type": "text/plain; charset=UTF-8"}
_log = get_logger(__name__)


def _anyone(address: str) -> bool:
    del address
    return True


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    """The Engine.IO server. ``outbox_bytes``: the bound of each session's outbox. ``cork``: what
    WebSockets write through. ``http_compression``: for polling and WebSocket alike.

    ``accepting``: whether new sessions are let in. ``let_in``: whether those of an address are.
    """

    ping_interval: float
    ping_timeout: float

    def __init__(
        self, *, outbox_bytes: int = 1_048_576, cork: Cork | None = None, **options: Any
    ) -> None:
        options.setdefault("http_compression", False)
        options |= {
            "async_mode": "aiohttp",
            "async_handlers": False,  # else a client's packets overtake each other
            "monitor_clients": False,  # every session has its own timer
        }
        super().__init__(**options)
        self.outbox_bytes = outbox_bytes
        self.accepting = True
        self.let_in: Callable[[str], bool] = _anyone
        self.heartbeats = Heartbeats(self.ping_interval, self.ping_timeout)
        self.sockets: dict[str, EngineSocket] = {}
        self._cork = cork or Cork()
        self._leaving: dict[str, EngineSocket] = {}
        self._nobody_leaving = asyncio.Event()
        self._nobody_leaving.set()
        self._departed: deque[tuple[EngineSocket, str, WebSocket | None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, app: web.Application, engineio_path: str = "engine.io") -> None:
        """Adds the route, for all methods: the protocol answers those that it lacks with 400."""
        app.router.add_route("*", f"/{engineio_path.strip('/')}/", self.handle_request)

    def create_queue(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: see ``EngineSocket.outbox``."""

    # -- what sessions call -----------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` in a task that this server owns until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("engine.task_failed", exc_info=error)

    async def message(self, sid: str, data: str | bytes) -> None:
        """Hands a message of a client to Socket.IO; waits until it is handled."""
        await self.handlers["message"](sid, data)

    async def ended(self, socket: EngineSocket, reason: str) -> None:
        """Forgets a session and tells Socket.IO."""
        if self.sockets.pop(socket.sid, None) is None:
            return
        if socket.outbox:
            self._leaving[socket.sid] = socket
            self._nobody_leaving.clear()
            asyncio.get_running_loop().call_later(_LINGER, self._left, socket)
        try:
            await self.handlers["disconnect"](socket.sid, reason)
        finally:
            socket.client = None  # which refers to the session

    def departed(
        self, socket: EngineSocket, reason: str, websocket: WebSocket | None = None
    ) -> None:
        """As ``ended``, soon: thousands that leave at once do not hold up those who stay."""
        self._departed.append((socket, reason, websocket))
        if len(self._departed) == 1:
            self.spawn(self._see_off())

    async def _see_off(self) -> None:
        clock = asyncio.get_running_loop().time
        pause = clock() + _DEPARTING
        while self._departed:
            socket, reason, websocket = self._departed[0]
            speak_of(socket)
            try:
                if websocket is not None:
                    socket.gone(websocket)
                await self.ended(socket, reason)
            except Exception:  # noqa: BLE001 - the next one must go all the same
                _log.exception("engine.departure_failed")
            self._departed.popleft()
            if clock() > pause:
                await asyncio.sleep(0)
                pause = clock() + _DEPARTING

    def _left(self, socket: EngineSocket) -> None:
        """It has fetched everything, or had the time to."""
        socket.outbox.clear()
        self._leaving.pop(socket.sid, None)
        if not self._leaving:
            self._nobody_leaving.set()

    async def wait_left(self) -> None:
        """Returns when everyone has fetched what was said last, or had the time to."""
        await self._nobody_leaving.wait()

    async def stop(self) -> None:
        """Ends every session and every task."""
        for socket in list(self.sockets.values()):
            await socket.close(reason=self.reason.SERVER_DISCONNECT)
        while self._tasks:
            await asyncio.wait(self._tasks)

    # -- requests ---------------------------------------------------------------------------------

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answers one HTTP request on the endpoint."""
        environ = requests.environ(request)
        try:
            self._check_origin(environ)
            response = await self._answer(request, environ)
        except Refused as refused:
            _log.info("engine.refused", reason=refused.message, address=environ["REMOTE_ADDR"])
            response = refused.response()
        if not response.prepared:
            response.headers.update(self._cors_headers(environ))
        return response

    def _check_origin(self, environ: dict[str, Any]) -> None:
        if self.cors_allowed_origins == [] or "HTTP_ORIGIN" not in environ:
            return
        allowed = self._cors_allowed_origins(environ)
        if allowed is not None and environ["HTTP_ORIGIN"] not in allowed:
            raise Refused(requests.FORBIDDEN, "not an accepted origin")

    async def _answer(self, request: web.Request, environ: dict[str, Any]) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(headers=_TEXT)
        sid = requests.check(request, self.transports)
        if sid is None and not self.accepting:
            raise Refused(requests.DRAINING)
        websocket = request.query["transport"] == "websocket"
        if sid is None:
            return await self._open(request, environ)
        socket = self.sockets.get(sid)
        if socket is None:
            return await self._last_words(request, sid)
        if socket.upgraded or (websocket and not self.allow_upgrades):
            raise Refused(requests.BAD_REQUEST, "the session has no such transport")
        if websocket:
            return self._upgrade(request, socket)
        with about(socket):
            if request.method == "GET":
                return await self._polled(socket)
            return await self._posted(request, socket)

    async def _open(self, request: web.Request, environ: dict[str, Any]) -> web.StreamResponse:
        if not self.let_in(environ["REMOTE_ADDR"]):
            raise Refused(requests.TOO_OFTEN)
        transport = request.query["transport"]
        sid = self.generate_id()
        socket = self.sockets[sid] = EngineSocket(self, sid)
        socket.push(b"0" + msgspec.json.encode(self._handshake(sid, transport)))
        accepted = False
        try:
            accepted = await self.handlers["connect"](sid, environ) is not False
        finally:
            if not accepted:
                del self.sockets[sid]
        if not accepted:
            raise Refused(requests.FORBIDDEN, "the application refused")
        if transport == "polling":
            self.heartbeats.start(socket)
            return await self._polled(socket)
        try:
            websocket = self._accept(request)
        except Exception:
            await socket.close(abort=True, reason=self.reason.TRANSPORT_ERROR)
            raise
        self.heartbeats.start(socket)
        socket.serve(websocket)
        return upgrade.Switched()

    def _handshake(self, sid: str, transport: str) -> dict[str, Any]:
        return {
            "sid": sid,
            "upgrades": self._upgrades(sid, transport),
            "pingInterval": round(self.ping_interval * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "maxPayload": self.max_http_buffer_size,
        }

    def _upgrade(self, request: web.Request, socket: EngineSocket) -> web.StreamResponse:
        if socket.upgrading:
            raise Refused(requests.BAD_REQUEST, "the session is being upgraded")
        Probe(socket, self._accept(request))
        return upgrade.Switched()

    def _accept(self, request: web.Request) -> WebSocket:
        try:
            return upgrade.accept(
                request,
                max_message=self.max_http_buffer_size,
                cork=self._cork,
                compress=self.http_compression,
            )
        except upgrade.HandshakeError as error:
            raise Refused(requests.BAD_REQUEST, str(error)) from error

    async def _polled(self, socket: EngineSocket) -> web.Response:
        try:
            packets = await socket.poll()
        except exceptions.EngineIOError as error:
            raise Refused(requests.BAD_REQUEST, str(error)) from error
        if socket.closed and not socket.outbox:
            self._left(socket)
        payload = SEPARATOR.join(map(binary.encode, packets))
        response = web.Response(body=payload, headers=_TEXT)
        if self.http_compression and len(payload) >= self.compression_threshold:
            response.enable_compression()
        return response

    async def _last_words(self, request: web.Request, sid: str) -> web.Response:
        """A poll of a session that has ended, but still has something to say."""
        socket = self._leaving.get(sid)
        if socket is None or request.method != "GET" or request.query["transport"] != "polling":
            raise Refused(requests.UNKNOWN_SESSION)
        return await self._polled(socket)

    async def _posted(self, request: web.Request, socket: EngineSocket) -> web.Response:
        if socket.receiving.locked():
            await socket.close(abort=True, reason=self.reason.TRANSPORT_ERROR)
            raise Refused(requests.BAD_REQUEST, "two POSTs at a time")
        async with socket.receiving:
            try:
                await socket.post(await requests.body(request, self.max_http_buffer_size))
            except (Refused, exceptions.EngineIOError) as error:
                _log.info("engine.bad_packet", error=str(error))
                large = isinstance(error, Refused) and error.refusal is requests.TOO_LARGE
                await socket.break_off(codes.PAYLOAD_TOO_LARGE if large else codes.INVALID_REQUEST)
                if isinstance(error, Refused):
                    raise
                raise Refused(requests.BAD_REQUEST, str(error)) from error
        return web.Response(text="ok", headers=_TEXT)
