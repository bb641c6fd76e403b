"""TCP ports of 127.0.0.1, looked at before a server is started there."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket

_FIRST, _LAST = 12_000, 32_000  # Linux gives those from 32768 on, others from 49152
_TRIES = 1000
_RANDOM = random.SystemRandom()  # of its own in each process, whatever is seeded


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago; nothing reserves it. It is none of those
    that systems give to connections that go out, one of which could take it while a server that
    had it starts anew. Raises ``OSError``."""
    for _ in range(_TRIES):
        if is_free(port := _RANDOM.randrange(_FIRST, _LAST)):
            return port
    raise OSError("no free port was found")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 at the moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


async def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on this port of 127.0.0.1."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
