"""Nothing but the hub's WebSocket, and a client that says what no library would."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.gateways import upgrade
from hub.gateways.websocket import WebSocket

LIMIT = 5.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPTED = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The answer to ``KEY``, both from RFC 6455, section 1.3."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def masked(
    payload: bytes,
    opcode: int = TEXT,
    *,
    fin: bool = True,
    reserved: int = 0,
    size: int | None = None,
) -> bytes:
    """A client's frame. ``size``: what it says that its payload has."""
    size = len(payload) if size is None else size
    first = fin << 7 | reserved << 4 | opcode
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65_536:
        head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    mask = b"\x37\xfa\x21\x3d"
    return head + mask + bytes(each ^ mask[at % 4] for at, each in enumerate(payload))


def close_frame(code: int) -> bytes:
    """A client's close frame."""
    return masked(code.to_bytes(2, "big"), CLOSE)


class Frame(NamedTuple):
    """A frame of the server."""

    opcode: int
    payload: bytes
    compressed: bool = False


class Raw:
    """A client that reads no more than it is asked to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.status = 0
        self.headers: dict[str, str] = {}

    async def answered(self) -> Raw:
        """Reads the answer to the handshake."""
        async with asyncio.timeout(LIMIT):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = dict(line.lower().split(": ", 1) for line in lines)
        return self

    def send(self, *frames: bytes) -> None:
        """Sends them in one write."""
        self.writer.write(b"".join(frames))

    async def frame(self) -> Frame | None:
        """The next frame; None at the end of the stream."""
        async with asyncio.timeout(LIMIT):
            try:
                first, size = await self.reader.readexactly(2)
                assert not size & 0x80, "a server does not mask"
                if size > 125:
                    size = int.from_bytes(
                        await self.reader.readexactly({126: 2, 127: 8}[size]), "big"
                    )
                payload = await self.reader.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
        assert first & 0x80, "the hub does not fragment"
        return Frame(first & 0xF, payload, bool(first & 0x40))

    async def text(self) -> str:
        """The next frame's text."""
        frame = await self.frame()
        assert frame is not None
        assert frame.opcode == TEXT
        return frame.payload.decode()

    async def ended(self) -> int | None:
        """Reads to the end, and closes; the code of the close frame, which is the last one, None
        without."""
        code = None
        while (frame := await self.frame()) is not None:
            assert code is None, "a frame behind the close frame"
            if frame.opcode == CLOSE:
                code = int.from_bytes(frame.payload, "big")
        self.writer.close()
        return code

    def reset(self) -> None:
        """Ends the connection with RST."""
        raw = self.writer.get_extra_info("socket")
        linger = b"\x01\0\0\0\0\0\0\0"
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


async def connect(
    port: int,
    *,
    receive_buffer: int | None = None,
    limit: int = 65_536,
    tls: ssl.SSLContext | None = None,
) -> Raw:
    """A connection without a handshake. ``receive_buffer``: of the system; ``limit``: bytes that
    are read ahead, about."""
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(
        sock=sock, limit=limit, ssl=tls, server_hostname="127.0.0.1" if tls else None
    )
    return Raw(reader, writer)


class Peer:
    """The owner of a WebSocket: notes what happens to it."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.messages: asyncio.Queue[str | bytes] = asyncio.Queue()
        self.is_blocked = False
        self.blocks = 0
        self.failures: list[int] = []
        self.losses = 0

    def received(self, message: str | bytes) -> None:
        self.messages.put_nowait(message)

    def blocked(self) -> None:
        self.is_blocked = True
        self.blocks += 1

    def writable(self) -> None:
        self.is_blocked = False

    def failed(self, code: int) -> None:
        self.failures.append(code)

    def lost(self) -> None:
        self.losses += 1
        if self.is_open:
            self.websocket.abort()

    def log_fields(self) -> dict[str, Any]:
        return {"sid": "peer"}

    async def heard(self) -> str | bytes:
        """The next message."""
        async with asyncio.timeout(LIMIT):
            return await self.messages.get()

    @property
    def is_open(self) -> bool:
        """Whether the connection still exists."""
        return self.websocket._owner is not None

    async def left(self) -> None:
        """Returns when the connection is gone."""
        async with asyncio.timeout(LIMIT):
            while self.is_open:  # noqa: ASYNC110 - the owner may not be told
                await asyncio.sleep(0.001)

    @property
    def buffered(self) -> int:
        """Bytes that the transport holds."""
        size: int = self.websocket._transport.get_write_buffer_size()
        return size


@dataclass
class Server:
    """A running server. ``gate``: closed, it keeps handshakes waiting for their answer."""

    runner: web.AppRunner
    port: int = 0
    client_tls: ssl.SSLContext | None = None
    clients: list[Raw] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    _arrived: asyncio.Queue[Peer] = field(default_factory=asyncio.Queue)

    @property
    def url(self) -> str:
        return f"{'https' if self.client_tls else 'http'}://127.0.0.1:{self.port}/"

    def arrived(self, peer: Peer) -> None:
        """Notes a WebSocket."""
        self.peers.append(peer)
        self._arrived.put_nowait(peer)

    async def peer(self) -> Peer:
        """The next WebSocket."""
        async with asyncio.timeout(LIMIT):
            return await self._arrived.get()

    async def connect(self, *, receive_buffer: int | None = None, limit: int = 65_536) -> Raw:
        """As the function."""
        client = await connect(
            self.port, receive_buffer=receive_buffer, limit=limit, tls=self.client_tls
        )
        self.clients.append(client)
        return client

    async def dial(
        self, headers: Mapping[str, str] | None = None, *, behind: bytes = b"", **options: Any
    ) -> Raw:
        """A connection after its handshake, with ``behind`` in the same write as the request."""
        client = await self.connect(**options)
        client.send(handshake(headers), behind)
        return await client.answered()

    async def pair(
        self, headers: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[Raw, Peer]:
        """A client, and what the server has of it."""
        return await self.dial(headers, **options), await self.peer()


def handshake(
    headers: Mapping[str, str] | None = None, method: str = "GET", path: str = "/"
) -> bytes:
    """The request, with some headers replaced (or left out: an empty value)."""
    fields = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    } | dict(headers or {})
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


@asynccontextmanager
async def serving(
    *,
    certificate: Path | None = None,
    send_buffer: int | None = None,
    max_message: int = 65_536,
    **options: Any,
) -> AsyncIterator[Server]:
    """A server; options as ``upgrade.accept``. ``send_buffer``: of the system, for each
    connection, so that a client that does not read is noticed early."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await server.gate.wait()
        try:
            websocket = upgrade.accept(request, max_message=max_message, **options)
        except upgrade.HandshakeError as error:
            return web.Response(status=400, text=str(error))
        peer = Peer(websocket)
        websocket.begin(peer)
        server.arrived(peer)
        return upgrade.Switched()

    async def large(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * int(request.query["size"]))

    app = web.Application()
    app.router.add_route("*", "/", handle)
    app.router.add_get("/large", large)
    server = Server(web.AppRunner(app, access_log=None, shutdown_timeout=1, handle_signals=False))
    server.gate.set()
    await server.runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    if send_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
        server.client_tls = ssl.create_default_context(cafile=str(certificate))
    server.port = sock.getsockname()[1]
    try:
        await web.SockSite(server.runner, sock, ssl_context=tls).start()
        yield server
    finally:
        server.gate.set()
        for peer in server.peers:
            peer.websocket.abort()
        await server.runner.cleanup()
        for peer in server.peers:
            await peer.left()
        for client in server.clients:
            client.writer.transport.abort()
        await asyncio.sleep(0)


def self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "self-signed.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
