"""Taking a store away from a running hub, and giving it back."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

from hub.embedded import EmbeddedServer


class Way(StrEnum):
    """How a store can be away."""

    KILLED = "killed"
    """Its process is dead: connections break, and new ones are refused."""

    HUNG = "hung"
    """Its process is suspended: connections stay open, new ones too, and nothing is answered."""


async def take_away(server: EmbeddedServer, way: Way) -> None:
    """The store is gone when this returns."""
    if way is Way.HUNG:
        os.kill(server.pid, signal.SIGSTOP)
    else:
        server.kill()
        await server.wait()


async def give_back(server: EmbeddedServer) -> None:
    """The store answers again when this returns, with what it had; harmless if it was not away."""
    if server.running:
        os.kill(server.pid, signal.SIGCONT)
    await server.start()


@asynccontextmanager
async def away(server: EmbeddedServer, way: Way) -> AsyncIterator[None]:
    """The store is away within."""
    await take_away(server, way)
    try:
        yield
    finally:
        await give_back(server)
