"""The WebSocket handshake (RFC 6455, section 4.2), and taking the connection from aiohttp."""

import asyncio
import base64
import binascii
import hashlib
import socket
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from aiohttp.http import WS_KEY, ws_ext_parse

from hub.delivery.cork import Cork
from hub.delivery.frames import Deflater
from hub.gateways.http.headers import MORE, REQUEST_ID, X_REQUEST_ID
from hub.gateways.websocket import WebSocket

_NARROWEST, _WIDEST = 9, 15  # bits; zlib has no window of 8


class HandshakeError(ValueError):
    """The request is no WebSocket handshake, or not any more; the message says why."""


class Switched(web.StreamResponse):
    """What a handler returns when its connection is not HTTP any more: nothing to be sent."""

    def __init__(self) -> None:
        super().__init__(status=101)

    @property
    def prepared(self) -> bool:
        """Always: the handshake was the answer."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing."""

    async def write_eof(self, data: Any = b"") -> None:
        """Nothing."""


def accept(
    request: web.Request, *, max_message: int, cork: Cork | None = None, compress: bool = False
) -> WebSocket:
    """Answers the handshake and takes the connection; ``begin`` it and return a ``Switched``.

    ``max_message``: bytes; a longer message ends the connection with 1009. ``compress``: use
    permessage-deflate with clients that offer it. Raises ``HandshakeError`` with nothing sent.
    """
    key = _key(request)
    deflater, extension = _negotiate(request) if compress else (None, {})
    transport = request.transport
    if transport is None:
        raise HandshakeError("the client is gone")
    accepted = base64.b64encode(hashlib.sha1(key + WS_KEY, usedforsecurity=False).digest())
    transport.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%b\r\n" % (accepted, _lines(extension | _more(request)))
    )
    early = request.protocol._message_tail
    websocket = WebSocket(transport, max_message, cork=cork, deflater=deflater, early=early)
    hand_on(request, transport, websocket)
    return websocket


def hand_on(request: web.Request, transport: asyncio.Transport, to: asyncio.Protocol) -> None:
    """Takes the connection of ``request`` from aiohttp, which forgets it; it is ``to``'s then."""
    protocol = request.protocol
    protocol.transport = None  # aiohttp is not to close it
    protocol.connection_lost(None)
    transport.set_protocol(to)
    transport.resume_reading()  # aiohttp does not, if too much came while it waited for the answer


_PROBES: Final = ("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 3), ("TCP_KEEPCNT", 3)


def watch_peer(transport: asyncio.BaseTransport) -> None:
    """Has the system find out within 14 s that the peer of a silent connection is gone."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES:
        if (option := getattr(socket, name, None)) is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _more(request: web.Request) -> dict[str, str]:
    """What the request is called in the log, and which version of the contract it speaks."""
    known = request.get(REQUEST_ID)
    own = {} if known is None else {X_REQUEST_ID: known}
    return {**own, **request.get(MORE, {})}


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


def _key(request: web.Request) -> bytes:
    """The client's key, of a request that is a handshake; raises ``HandshakeError``."""
    headers = request.headers
    upgrades = headers.get("Upgrade", "").strip().lower() == "websocket"
    listed = ",".join(headers.getall("Connection", ())).split(",")
    options = {each.strip().lower() for each in listed}
    if request.method != "GET" or not upgrades or "upgrade" not in options:
        raise HandshakeError("no WebSocket handshake")
    if headers.get("Sec-WebSocket-Version") != "13":
        raise HandshakeError("the version of WebSocket is not 13")
    key = headers.get("Sec-WebSocket-Key", "")
    try:
        valid = len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        valid = False
    if not valid:
        raise HandshakeError("bad Sec-WebSocket-Key")
    return key.encode()


def _negotiate(request: web.Request) -> tuple[Deflater | None, dict[str, str]]:
    """What compresses for this client, and the header that tells it so."""
    offered = ", ".join(request.headers.getall("Sec-WebSocket-Extensions", ()))
    window_bits, _ = ws_ext_parse(offered or None, isserver=True)
    if window_bits < _NARROWEST:
        return None, {}
    width = "" if window_bits == _WIDEST else f"; server_max_window_bits={window_bits}"
    chosen = f"permessage-deflate; server_no_context_takeover{width}"
    return Deflater(window_bits), {"Sec-WebSocket-Extensions": chosen}
