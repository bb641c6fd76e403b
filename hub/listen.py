"""The listening socket of a node, and the URL that people reach it by."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

BACKLOG = 1024
"""Connections that may wait while a node starts or is restarted; the kernel may cut it down."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; ``port`` 0 takes a free one.

    Raises ``OSError`` whose message is one line that names the address.
    """
    with _explained(host, port):
        family, address = _resolved(host, port)
        return socket.create_server(address, family=family, backlog=BACKLOG)


def hold(host: str, port: int) -> socket.socket:
    """Have an address to ``share``: nobody else has it now, nor can take it while this socket,
    which does not listen, is open. Raises ``OSError`` as ``listen`` does."""
    with _explained(host, port):
        sock = _bound(host, port)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return sock


def share(host: str, port: int) -> socket.socket:
    """One of several sockets at a held address, among which the kernel deals out connections once
    they listen. This one does not yet. Raises ``OSError`` as ``listen`` does."""
    with _explained(host, port):
        return _bound(host, port, shared=True)


def _bound(host: str, port: int, *, shared: bool = False) -> socket.socket:
    family, address = _resolved(host, port)
    sock = socket.socket(family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:  # as create_server does
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return family, address


@contextlib.contextmanager
def _explained(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, OSError) and error.errno:
            reason = os.strerror(error.errno) if error.errno > 0 else reason
        raise OSError(f"cannot listen on {host}:{port}: {reason}") from error


def url_of(sock: socket.socket, host: str) -> str:
    """The ``http://`` URL of a listening socket, by the name the operator gave."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{sock.getsockname()[1]}"
