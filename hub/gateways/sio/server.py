"""Socket.IO: python-socketio's server with a client table of its own.

What is overridden, and why:

- ``_handle_eio_connect``: the bare server keeps a connection that never connects to a namespace.
- ``_handle_connect``: the bare server puts a client into rooms before its connect handler ran,
  and leaves it there without an answer when the handler raises. Here a client is in no table until
  it was accepted, and a failure is the answer INTERNAL.
- ``_handle_event``: the bare server runs handlers named by the client, ``connect`` included, in
  tasks that overtake each other, and a raising one never answers. Here a namespace gets every
  event, in order, and each event that asks for an acknowledgement gets one.
- ``_handle_eio_message``: a malformed packet, or one for a namespace that the client is not
  connected to, ends the session; no attachment is kept unless the server was made to take binary.
- ``_handle_eio_disconnect``: costs what the one client had, not a scan of all rooms.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import engineio.exceptions
import msgspec
import socketio

from config.logs import get_logger
from hub import metrics
from hub.domain import codes
from hub.gateways.gate import Gate
from hub.gateways.sio import packets
from hub.gateways.sio.engine import Engine
from hub.gateways.sio.packets import BadPacket, Packet
from hub.gateways.sio.session import EngineSocket

CONNECT_TIMEOUT: Final = 45.0
"""Seconds that a connection may be without any namespace, as with the reference server."""

CONNECTS_AT_ONCE: Final = 128
"""Clients that are being let in at a time."""

_log = get_logger(__name__)
_LIBRARY = logging.getLogger("socketio")


class Client:
    """One Engine.IO session in one namespace: what a namespace talks to."""

    __slots__ = ("_server", "namespace", "prefix", "sid", "socket", "state", "user_id")

    def __init__(self, server: "SocketServer", socket: EngineSocket, namespace: str) -> None:
        self._server = server
        self.socket = socket
        self.namespace = namespace
        self.sid: str = server.eio.generate_id()
        self.prefix = b"" if namespace == "/" else namespace.encode() + b","
        self.state: Any = None
        self.user_id: str | None = None  # as soon as a namespace knows

    def log_fields(self) -> Mapping[str, Any]:
        """What names it in the log."""
        return {"sid": self.sid, "user_id": self.user_id}

    @property
    def environ(self) -> dict[str, Any]:
        """The request that opened the session, in WSGI's terms."""
        environ: dict[str, Any] = self._server.environ.get(self.socket.sid, {})
        return environ

    def push(self, packet_type: int, body: bytes) -> None:
        """Sends a packet: its type, and what follows the namespace."""
        self.socket.push(b"4%d%b%b" % (packet_type, self.prefix, body))

    def acknowledge(self, ack_id: int, *args: Any) -> None:
        """Answers an event."""
        self._send(packets.ACK, ack_id, args)

    def emit(self, *args: Any) -> None:
        """Sends an event to this client alone."""
        self._send(packets.EVENT, None, args)

    def _send(self, kind: int, ack_id: int | None, args: tuple[Any, ...]) -> None:
        if self._server.accept_binary:
            for each in packets.encode(kind, self.prefix, ack_id, args):
                self.socket.push(each)
        else:  # nothing to look for in the arguments
            number = b"" if ack_id is None else b"%d" % ack_id
            self.push(kind, number + msgspec.json.encode(args))

    async def disconnect(self) -> None:
        """Ends the client's part in the namespace; a stock client does not come back by itself."""
        self.push(packets.DISCONNECT, b"")
        await self._server.remove(self, self._server.reason.SERVER_DISCONNECT)


class RefusedAs(codes.HubError):
    """A refused connect in words that the client of another protocol knows it by."""

    def __init__(self, error: codes.HubError, said: str) -> None:
        super().__init__(error.code, error.message, retry_after=error.retry_after)
        self.said = said


class Namespace(Protocol):
    """What serves one namespace. A ``HubError`` raised by ``connect`` or ``event`` becomes the
    client's answer; anything else is logged and answered with INTERNAL."""

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        """Decides whether ``client`` may connect; raising refuses it. Returns what CONNECT carries
        beside the sid. Nothing may be sent to the client yet."""

    async def connected(self, client: Client) -> None:
        """The client was accepted and told so."""

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        """Handles one event; the client's next one waits. Acknowledges it if ``ack_id`` is not
        None, or raises."""

    def closing(self, client: Client, code: codes.Code, retry_after: float) -> None:
        """The server is about to end the connection: the client is to be told why."""

    async def disconnected(self, client: Client, reason: str) -> None:
        """An accepted client is gone."""


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]
    """Socket.IO over ``Engine``; ``register`` the namespaces before the first request.

    ``accept_binary``: whether events may hold bytes, both ways; the contract has none, so what is
    attached to an event is thrown away, and the event has the placeholders that nobody takes.
    ``connect_timeout``: seconds that a connection may be without any namespace.
    ``connects_at_once``: how many clients are being let in at a time; the others wait their turn,
    so that thousands who come to a node at once do not drown its stores.

    ``admit``: called with the namespace's name before a client is let in; raises ``HubError`` to
    refuse it at once.
    ``arrives``: called with the ``state`` of one that is, before it is told so.
    ``gate``: who may connect how often.
    """

    eio: Engine

    def __init__(
        self,
        *,
        accept_binary: bool = False,
        connect_timeout: float = CONNECT_TIMEOUT,
        connects_at_once: int = CONNECTS_AT_ONCE,
        **options: Any,
    ) -> None:
        super().__init__(async_handlers=False, logger=_LIBRARY, engineio_logger=_LIBRARY, **options)
        self.manager_initialized = True
        self.accept_binary = accept_binary
        self.admit: Callable[[str], None] = _anyone
        self.arrives: Callable[[Any], None] = _nobody_asks
        self.gate: Gate | None = None
        self._connect_timeout = connect_timeout
        self._admission = asyncio.Semaphore(connects_at_once)
        self._served: dict[str, Namespace] = {}
        self._clients: dict[str, dict[str, Client]] = {}  # engine sid → namespace → client
        self._without: dict[str, asyncio.TimerHandle] = {}  # engine sids without a namespace
        self._unfinished: dict[str, Packet] = {}  # engine sid → packet that lacks attachments

    def register(self, name: str, namespace: Namespace) -> None:
        """Serves ``name`` by ``namespace``."""
        self._served[name] = namespace

    def served(self, name: str) -> Namespace:
        """What serves ``name``; raises ``KeyError``."""
        return self._served[name]

    def clients(self) -> list[Client]:
        """Everyone who is connected to any namespace."""
        return [client for joined in self._clients.values() for client in joined.values()]

    @property
    def sessions(self) -> int:
        """How many clients are connected to any namespace."""
        return len(self._clients)

    def tell_closing(self, socket: EngineSocket, code: codes.Code, retry_after: float) -> None:
        """Lets every namespace of a connection say why that ends."""
        for client in self._clients.get(socket.sid, {}).values():
            self._served[client.namespace].closing(client, code, retry_after)

    async def remove(self, client: Client, reason: str) -> None:
        """Takes an accepted client out of its namespace, once."""
        joined = self._clients.get(client.socket.sid, {})
        if joined.get(client.namespace) is not client:
            return
        del joined[client.namespace]
        if not joined:
            del self._clients[client.socket.sid]
            self._wait_for_connect(client.socket)
        await self._served[client.namespace].disconnected(client, reason)
        client.state = None  # which may refer to the client

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    # -- connections ------------------------------------------------------------------------------

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        self.environ[eio_sid] = environ
        self._wait_for_connect(self.eio.sockets[eio_sid])

    def _wait_for_connect(self, socket: EngineSocket) -> None:
        """Gives a connection without any namespace its time to connect to one."""
        if not socket.closed:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(self._connect_timeout, self._give_up, socket)
            self._without[socket.sid] = timer

    def _give_up(self, socket: EngineSocket) -> None:
        self._without.pop(socket.sid, None)
        self.eio.spawn(socket.close())

    def _cancel_wait(self, eio_sid: str) -> None:
        timer = self._without.pop(eio_sid, None)
        if timer is not None:
            timer.cancel()

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._cancel_wait(eio_sid)
        self._unfinished.pop(eio_sid, None)
        for client in list(self._clients.get(eio_sid, {}).values()):
            await self.remove(client, reason)
        self.environ.pop(eio_sid, None)

    # -- packets ----------------------------------------------------------------------------------

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        """Handles one packet; one that the protocol forbids ends the session."""
        try:
            parsed = self._whole(eio_sid, data)
        except BadPacket as error:
            raise engineio.exceptions.EngineIOError(f"bad packet: {error}") from error
        if parsed is None:
            return
        client = self._clients.get(eio_sid, {}).get(parsed.namespace)
        if (parsed.type == packets.CONNECT) != (client is None):
            raise engineio.exceptions.EngineIOError("the wrong moment for such a packet")
        if client is None:
            await self._handle_connect(eio_sid, parsed.namespace, parsed.data)
        elif parsed.type == packets.EVENT:
            await self._handle_event(client, parsed.ack_id, parsed.data)
        elif parsed.type == packets.DISCONNECT:
            await self.remove(client, self.reason.CLIENT_DISCONNECT)

    def _whole(self, eio_sid: str, data: str | bytes) -> Packet | None:
        """The packet that ``data`` is or completes; None while attachments are missing."""
        unfinished = self._unfinished.get(eio_sid)
        if isinstance(data, str):
            if unfinished is not None:
                raise BadPacket("text in place of an attachment")
            parsed = packets.decode(data)
            if not parsed.missing:
                return parsed
            if eio_sid not in self._clients:
                raise BadPacket("binary before any namespace")
            self._unfinished[eio_sid] = parsed
            return None if self.accept_binary else parsed
        if unfinished is None:
            raise BadPacket("an attachment of nothing")
        if not self.accept_binary:
            if unfinished.drop():
                del self._unfinished[eio_sid]
            return None
        if not unfinished.attach(data):
            return None
        return self._unfinished.pop(eio_sid)

    async def _handle_connect(self, eio_sid: str, namespace: str, data: Any) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is None:
            return
        client = Client(self, socket, namespace)
        socket.client = socket.client or client
        served = self._served.get(namespace)
        if served is None:
            client.push(packets.CONNECT_ERROR, b'{"message":"Invalid namespace"}')
            return
        try:
            await self._count(client)
            async with self._admission:
                if not socket.attended:  # it went while it waited for its turn
                    return
                self.admit(namespace)
                extra = await served.connect(client, data)
        except codes.HubError as error:
            _refuse(client, error)
        except Exception:  # noqa: BLE001 - the one place where a failing connect becomes an answer
            _log.exception("sio.connect_failed", namespace=namespace)
            _refuse(client, codes.HubError(codes.INTERNAL))
        else:
            await self._accept(client, served, extra)

    async def _count(self, client: Client) -> None:
        """Counts an attempt to connect, also of who makes several on one connection; one that goes
        on and on is ended."""
        if self.gate is None:
            return
        address = str(client.environ.get("REMOTE_ADDR", ""))
        try:
            await self.gate.take(address)
        except codes.HubError:
            if self.gate.flooding(address):
                self.eio.spawn(client.socket.close())
            raise

    async def _handle_event(self, client: Client, ack_id: int | None, data: list[Any]) -> None:
        """Lets the namespace handle an event; what it raises becomes the answer, here alone."""
        name, *args = data
        try:
            await self._served[client.namespace].event(client, ack_id, name, args)
        except codes.HubError as error:
            _fail(client, ack_id, error)
        except Exception:  # noqa: BLE001 - the one place where a failing event becomes an answer
            _log.exception("sio.event_failed", namespace=client.namespace, event_name=name)
            _fail(client, ack_id, codes.HubError(codes.INTERNAL))

    async def _accept(self, client: Client, served: Namespace, extra: dict[str, Any]) -> None:
        socket = client.socket
        if not socket.attended:  # it went while it was being let in
            await served.disconnected(client, self.reason.TRANSPORT_CLOSE)
            client.state = None
            return
        self._cancel_wait(socket.sid)
        socket.client = client
        self._clients.setdefault(socket.sid, {})[client.namespace] = client
        self.arrives(client.state)
        client.push(packets.CONNECT, msgspec.json.encode({"sid": client.sid, **extra}))
        await served.connected(client)


def _anyone(namespace: str) -> None:
    """The default for ``admit``."""
    del namespace


def _nobody_asks(state: Any) -> None:
    """The default for ``arrives``."""


def _refuse(client: Client, error: codes.HubError) -> None:
    metrics.REFUSALS.add(1, error.code.name)
    said = error.said if isinstance(error, RefusedAs) else error.code.name
    answer = {"message": said, "data": error.as_error()}
    client.push(packets.CONNECT_ERROR, msgspec.json.encode(answer))


def _fail(client: Client, ack_id: int | None, error: codes.HubError) -> None:
    metrics.REFUSALS.add(1, error.code.name)
    if ack_id is not None:
        client.acknowledge(ack_id, {"ok": False, "error": error.as_error()})
