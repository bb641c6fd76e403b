"""What connections leave in memory when they are over."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.gateways.sio.connection import Connection
from hub.gateways.sio.server import Client
from hub.gateways.sio.session import EngineSocket
from hub.gateways.websocket import WebSocket

_PARTS = (EngineSocket, WebSocket, Client, Connection)


@asynccontextmanager
async def nothing_left_behind() -> AsyncIterator[None]:
    """Waits at the end until nothing is alive of the connections that were made within. Without the
    garbage collector, which looks at old objects once in a blue moon."""
    gc.collect()
    earlier = _parts()  # of other tests; held, so that no new one gets an old one's id
    known = set(map(id, earlier))
    gc.disable()
    try:
        yield
        left: Counter[str] = Counter()
        try:
            async with asyncio.timeout(5):
                while left := _count_unknown(known):  # noqa: ASYNC110 - nothing announces it
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"left behind: {dict(left)}") from None
    finally:
        gc.enable()


def _parts() -> list[object]:
    return [each for each in gc.get_objects() if issubclass(type(each), _PARTS)]


def _count_unknown(known: set[int]) -> Counter[str]:
    return Counter(type(each).__name__ for each in _parts() if id(each) not in known)
