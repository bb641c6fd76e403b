"""Draining: a node that stops sends its clients away a few at a time (invariant 7)."""

import asyncio
import math
import random
from typing import Final

from config.logs import get_logger
from hub.domain import codes
from hub.gateways.sio.server import SocketServer

_TICK: Final = 0.02  # seconds between batches
_GENTLE: Final = 5  # clients in a batch: about 25 come back elsewhere in 100 ms
_SHARE: Final = 0.8  # of the time there is; the rest is for those that linger
_COME_BACK: Final = (0.5, 1.5)  # seconds, jittered, after which a client is asked to be back
_log = get_logger(__name__)


async def drain(server: SocketServer, seconds: float) -> None:
    """Refuses new sessions, tells every client ``closing {DRAINING, retryAfter}`` and closes its
    connection; done when the last one is gone, or after ``seconds``.

    All are sent away gently if the time allows it, else evenly within it.
    """
    server.eio.accepting = False
    _log.info("drain.begins", sessions=len(server.eio.sockets))
    try:
        async with asyncio.timeout(seconds):
            await _send_away(server, seconds * _SHARE)
            await server.eio.wait_left()
    except TimeoutError:
        _log.warning("drain.cut_short", sessions=len(server.eio.sockets))


async def _send_away(server: SocketServer, seconds: float) -> None:
    batch = max(_GENTLE, math.ceil(len(server.eio.sockets) * _TICK / max(seconds, _TICK)))
    while sessions := list(server.eio.sockets.values())[:batch]:
        for session in sessions:
            retry_after = round(random.uniform(*_COME_BACK), 2)  # noqa: S311 - spread, no secret
            server.tell_closing(session, codes.DRAINING, retry_after)
            await session.close(reason=codes.DRAINING.name, code=codes.DRAINING.ws or 1000)
        await asyncio.sleep(_TICK)
