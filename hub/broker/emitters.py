"""Hearing what existing code emits through python-socketio's Redis managers: best effort, on a
connection of its own, so that neither its load nor its failure touches the live events."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from hiredis import PushNotification, ReplyError
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker.connect import honour_cancellation, open_redis
from hub.broker.keys import EMITTERS, Keys
from hub.broker.servers import servers_of
from hub.broker.stream import ReplyStream

_PING: Final = 1.0  # seconds; silent for two of them, the connection is made again
_RETRY: Final = 0.25
_RETRY_REFUSED: Final = 30.0  # seconds after the server did not permit it
_SLICE: Final = 0.005  # seconds of handing over, after which others get their turn
_LOSSES = (RedisError, OSError, TimeoutError)
_log = get_logger(__name__)


class Emitters:
    """The subscription to the managers' channel. ``on_message`` gets each message, and must not
    wait. Nothing is promised: what comes while the connection is away is lost."""

    def __init__(self, url: str, keys: Keys, on_message: Callable[[bytes], None]) -> None:
        self._redis = open_redis(url)
        self._servers = servers_of(self._redis, keys)
        self._on_message = on_message
        self._trouble = Trouble(_log, "emitters.lost", "emitters.restored")

    async def run(self) -> None:
        """Hears until cancelled."""
        while True:
            pause = _RETRY
            try:
                # Of a cluster any server will do: plain messages go to all of them.
                server = next(iter(await self._servers.owners()), None)
                await self._hear(self._servers.connection(server))
            except _Refused as error:
                pause = _RETRY_REFUSED
                self._trouble.failed(error)
            except _LOSSES as error:
                self._trouble.failed(error)
            honour_cancellation()
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Frees what the connection held."""
        await self._redis.aclose()

    async def _hear(self, connection: AbstractConnection) -> None:
        hearing = _Hearing(self._on_message, self._trouble.worked)
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            await connection.send_command("HELLO", 3)
            await connection.read_response()
            honour_cancellation()
            await hearing.run(connection)
        finally:
            hearing.stream.fail(ConnectionError("closed"))
            await connection.disconnect(nowait=True)


class _Refused(Exception):
    """The server does not let the hub subscribe."""


class _Hearing:
    """One connection's life."""

    def __init__(self, on_message: Callable[[bytes], None], on_up: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_up = on_up
        self._ready: deque[bytes] = deque()
        self._busy = False
        self.stream = ReplyStream(self._take, lambda: None)

    async def run(self, connection: AbstractConnection) -> None:
        """Returns never; raises when the connection is lost, silent or refused."""
        stream = self.stream
        await stream.take_over(connection)
        stream.send("SUBSCRIBE", EMITTERS)
        while True:
            honour_cancellation()
            await asyncio.wait([stream.lost], timeout=_PING)
            if stream.lost.done():
                stream.lost.result()
            if self._loop.time() > stream.heard_at + 2 * _PING and not self._busy:
                raise TimeoutError("nothing heard")
            stream.send("PING")

    def _take(self, replies: list[Any]) -> None:
        for reply in replies:
            if isinstance(reply, ReplyError):
                raise _Refused(str(reply))
            if type(reply) is not PushNotification:
                continue
            if reply[0] == b"subscribe":
                self._on_up()
            elif reply[0] == b"message":
                self._ready.append(reply[2])
        if self._ready and not self._busy:
            self._hand_over()

    def _hand_over(self) -> None:
        """Hands over what was read; when that takes long the rest waits for the next turn of the
        event loop, and nothing more is read before."""
        until = self._loop.time() + _SLICE
        while self._ready and self._loop.time() < until:
            self._on_message(self._ready.popleft())
        if self._ready and not self._busy:
            self.stream.pause()
        elif self._busy and not self._ready:
            self.stream.resume()
        self._busy = bool(self._ready)
        if self._busy:
            self._loop.call_soon(self._hand_over)
