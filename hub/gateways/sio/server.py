"""Socket.IO: python-socketio's server with a client table of its own.

What is overridden, and why:

- ``_handle_connect``: the bare server puts a client into rooms before its connect handler ran,
  and leaves it there without an answer when the handler raises. Here a client is in no table until
  it was accepted, and a failure is the answer INTERNAL.
- ``_handle_event``: the bare server runs handlers named by the client, ``connect`` included, in
  tasks that overtake each other, and a raising one never answers. Here a namespace gets every
  event, in order, and each event that asks for an acknowledgement gets one.
- ``_handle_eio_message``: binary is refused unless a namespace wants it.
- ``_handle_eio_disconnect``: costs what the one client had, not a scan of all rooms.
"""

import logging
from typing import Any, Final, Protocol

import engineio.exceptions
import msgspec
import socketio
from socketio import packet

from config.logs import get_logger
from hub.domain import codes
from hub.gateways.sio.engine import Engine, EngineSocket

_log = get_logger(__name__)
_LIBRARY = logging.getLogger("socketio")


class Client:
    """One Engine.IO session in one namespace: what a namespace talks to."""

    def __init__(self, server: "SocketServer", socket: EngineSocket, namespace: str) -> None:
        self._server = server
        self.socket = socket
        self.namespace = namespace
        self.sid: str = server.eio.generate_id()
        self.prefix = b"" if namespace == "/" else namespace.encode() + b","
        self.state: Any = None

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
        self.push(packet.ACK, b"%d" % ack_id + msgspec.json.encode(args))

    def emit(self, *args: Any) -> None:
        """Sends an event to this client alone."""
        self.push(packet.EVENT, msgspec.json.encode(args))

    async def disconnect(self) -> None:
        """Ends the client's part in the namespace; a stock client does not come back by itself."""
        self.push(packet.DISCONNECT, b"")
        await self._server.remove(self, self._server.reason.SERVER_DISCONNECT)


class Namespace(Protocol):
    """What serves one namespace. A raised ``HubError`` becomes the client's answer; anything else
    is logged and answered with INTERNAL."""

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        """Decides whether ``client`` may connect; raising refuses it. Returns what CONNECT carries
        beside the sid. Nothing may be sent to the client yet."""

    async def connected(self, client: Client) -> None:
        """The client was accepted and told so."""

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        """Handles one event; the client's next one waits. Answers it if ``ack_id`` is not None."""

    async def disconnected(self, client: Client, reason: str) -> None:
        """An accepted client is gone."""


CONNECT_ERROR: Final = packet.CONNECT_ERROR


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]
    """Socket.IO over ``Engine``; ``register`` the namespaces before the first request."""

    eio: Engine

    def __init__(self, **options: Any) -> None:
        super().__init__(async_handlers=False, logger=_LIBRARY, engineio_logger=_LIBRARY, **options)
        self.manager_initialized = True
        self._served: dict[str, Namespace] = {}
        self._clients: dict[str, dict[str, Client]] = {}  # engine sid → namespace → client
        self._connecting: set[tuple[str, str]] = set()

    def register(self, name: str, namespace: Namespace) -> None:
        """Serves ``name`` by ``namespace``."""
        self._served[name] = namespace

    @property
    def sessions(self) -> int:
        """How many clients are connected to any namespace."""
        return len(self._clients)

    async def remove(self, client: Client, reason: str) -> None:
        """Takes an accepted client out of its namespace, once."""
        joined = self._clients.get(client.socket.sid, {})
        if joined.get(client.namespace) is not client:
            return
        del joined[client.namespace]
        if not joined:
            del self._clients[client.socket.sid]
        await self._served[client.namespace].disconnected(client, reason)

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        self.environ[eio_sid] = environ

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        for client in list(self._clients.get(eio_sid, {}).values()):
            await self.remove(client, reason)
        self.environ.pop(eio_sid, None)
        self._binary_packet.pop(eio_sid, None)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        """Handles one packet; a malformed one ends the session."""
        try:
            if isinstance(data, bytes):
                raise ValueError("binary is not accepted")
            parsed = self.packet_class(encoded_packet=data)
            namespace = parsed.namespace or "/"
            self._check(parsed)
        except (ValueError, TypeError, IndexError, KeyError, RecursionError) as error:
            raise engineio.exceptions.EngineIOError(f"bad packet: {error}") from error
        if parsed.packet_type == packet.CONNECT:
            await self._handle_connect(eio_sid, namespace, parsed.data)
        elif parsed.packet_type == packet.EVENT:
            await self._handle_event(eio_sid, namespace, parsed.id, parsed.data)
        elif parsed.packet_type == packet.DISCONNECT:
            await self._handle_disconnect(eio_sid, namespace)

    @staticmethod
    def _check(parsed: Any) -> None:
        kind, data = parsed.packet_type, parsed.data
        if kind == packet.CONNECT and not (data is None or isinstance(data, dict)):
            raise ValueError("CONNECT carries an object")
        if kind == packet.EVENT and not (isinstance(data, list) and data):
            raise ValueError("EVENT carries a list with the event's name first")
        if kind not in (packet.CONNECT, packet.EVENT, packet.DISCONNECT, packet.ACK):
            raise ValueError(f"a client may not send a packet of type {kind}")

    async def _handle_connect(self, eio_sid: str, namespace: str, data: Any) -> None:
        socket = self.eio.sockets.get(eio_sid)
        key = (eio_sid, namespace)
        if socket is None or key in self._connecting:
            return
        if namespace in self._clients.get(eio_sid, {}):
            raise engineio.exceptions.EngineIOError("connected to this namespace already")
        client = Client(self, socket, namespace)
        served = self._served.get(namespace)
        if served is None:
            client.push(CONNECT_ERROR, b'{"message":"Invalid namespace"}')
            return
        self._connecting.add(key)
        try:
            extra = await served.connect(client, data)
        except codes.HubError as error:
            _refuse(client, error)
        except Exception:  # noqa: BLE001 - the one place where a failing connect becomes an answer
            _log.exception("sio.connect_failed", namespace=namespace)
            _refuse(client, codes.HubError(codes.INTERNAL))
        else:
            await self._accept(client, served, extra)
        finally:
            self._connecting.discard(key)

    async def _accept(self, client: Client, served: Namespace, extra: dict[str, Any]) -> None:
        if client.socket.closed:
            return
        self._clients.setdefault(client.socket.sid, {})[client.namespace] = client
        client.push(packet.CONNECT, msgspec.json.encode({"sid": client.sid, **extra}))
        await served.connected(client)

    async def _handle_event(
        self, eio_sid: str, namespace: str, ack_id: int | None, data: Any
    ) -> None:
        client = self._clients.get(eio_sid, {}).get(namespace)
        if client is None:
            raise engineio.exceptions.EngineIOError("not connected to this namespace")
        await self._served[namespace].event(client, ack_id, data[0], data[1:])

    async def _handle_disconnect(
        self, eio_sid: str, namespace: str, reason: str | None = None
    ) -> None:
        client = self._clients.get(eio_sid, {}).get(namespace)
        if client is not None:
            await self.remove(client, reason or self.reason.CLIENT_DISCONNECT)


def _refuse(client: Client, error: codes.HubError) -> None:
    answer = {"message": error.code.name, "data": error.as_error()}
    client.push(CONNECT_ERROR, msgspec.json.encode(answer))
