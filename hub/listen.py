"""The listening socket of a node, and the URL that people reach it by."""

from __future__ import annotations

import os
import socket

BACKLOG = 1024
"""Connections that may wait while a node starts or is restarted; the kernel may cut it down."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; ``port`` 0 takes a free one.

    Raises ``OSError`` whose message is one line that names the address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, OSError) and error.errno:
            reason = os.strerror(error.errno) if error.errno > 0 else reason
        raise OSError(f"cannot listen on {host}:{port}: {reason}") from error


def url_of(sock: socket.socket, host: str) -> str:
    """The ``http://`` URL of a listening socket, by the name the operator gave."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{sock.getsockname()[1]}"
