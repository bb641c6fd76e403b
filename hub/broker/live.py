"""Hearing live events: one Redis connection per node, subscribed only to channels that somebody
on this node follows."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError

from config.logs import get_logger
from hub.broker.connect import COMMAND_TIMEOUT, cancellations, honour_cancellation
from hub.broker.hotlog import Batch, parse_live
from hub.broker.keys import Keys

PING_INTERVAL: Final = 1.0
"""Seconds between pings; a connection that answered none for two intervals is taken for dead."""

_RETRY_FIRST, _RETRY_LAST = 0.05, 0.5
_log = get_logger(__name__)


class LiveChannels:
    """The node's live subscriptions.

    Promises: once ``follow`` returned, every batch published from then on reaches ``on_batch``, in
    the order of publishing, unless the connection breaks. When it breaks it is made again by
    itself, all channels are subscribed again, and only then ``on_restored`` is called: whatever
    was published in between must be read from the log.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        on_batch: Callable[[Batch], None],
        on_restored: Callable[[], None],
    ) -> None:
        self._pool = redis.asyncio.ConnectionPool.from_url(
            url,
            protocol=2,  # plain replies: nothing is hidden in push handlers
            socket_timeout=COMMAND_TIMEOUT,
            socket_connect_timeout=COMMAND_TIMEOUT,
        )
        self._keys = keys
        self._on_batch = on_batch
        self._on_restored = on_restored
        self._wanted: dict[str, str] = {}  # Redis name → channel
        self._confirmed: set[str] = set()
        self._unanswered: Counter[str] = Counter()  # SUBSCRIBEs sent and not confirmed yet
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._changed = asyncio.Event()
        self._up = asyncio.Event()
        self.received = 0

    @property
    def connected(self) -> bool:
        """Whether everything wanted is subscribed and heard."""
        return self._up.is_set()

    async def wait_connected(self, limit: float) -> bool:
        """Waits until ``connected``, at most ``limit`` seconds; whether it is."""
        try:
            async with asyncio.timeout(limit):
                await self._up.wait()
        except TimeoutError:
            _log.warning("live.not_connected", waited=limit)
        return self.connected

    async def follow(self, channel: str) -> None:
        """Subscribes; returns once Redis confirmed. Raises TimeoutError after 2 s, or
        ConnectionError when ``unfollow`` came in between."""
        name = self._keys.live(channel)
        self._wanted[name] = channel
        if name in self._confirmed:
            return
        waiting = self._waiting.get(name)
        if waiting is None:
            waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
            self._changed.set()
        async with asyncio.timeout(2 * COMMAND_TIMEOUT):
            await asyncio.shield(waiting)

    def unfollow(self, channel: str) -> None:
        """Stops hearing the channel; batches already on their way may still arrive."""
        name = self._keys.live(channel)
        self._wanted.pop(name, None)
        waiting = self._waiting.pop(name, None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(ConnectionError("unfollowed"))
            waiting.exception()  # retrieved here: mostly nobody waits any more
        self._changed.set()

    async def run(self) -> None:
        """Keeps the connection up until cancelled."""
        delay, first, settled = _RETRY_FIRST, True, 0
        while True:
            honour_cancellation(settled)
            connection: Any = self._pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.connect()
                asked = set(self._wanted)
                await self._subscribe(connection, asked)
                await connection.send_command("PING")  # answered after all confirmations
                honour_cancellation(settled)
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._write(connection, asked))
                    both.create_task(self._read(connection, restored=not first))
            except* (RedisError, OSError, TimeoutError) as group:
                settled = cancellations()  # Python 3.11's TaskGroup does not take its own back
                _log.warning("live.lost", error=repr(group.exceptions[0]), retry_in=delay)
            finally:
                if self.connected:
                    first, delay = False, _RETRY_FIRST
                self._up.clear()
                self._confirmed.clear()
                self._unanswered.clear()
                await connection.disconnect(nowait=True)
            await asyncio.sleep(delay)
            delay = min(2 * delay, _RETRY_LAST)

    async def close(self) -> None:
        """Frees what the connections held."""
        await self._pool.aclose()

    async def _subscribe(self, connection: Any, names: Collection[str]) -> None:
        if names:
            self._unanswered.update(names)
            await connection.send_command("SUBSCRIBE", *names)

    async def _write(self, connection: Any, asked: set[str]) -> None:
        """Sends what changed, many names in one command, and a ping every interval."""
        while True:
            honour_cancellation()
            try:
                async with asyncio.timeout(PING_INTERVAL):
                    await self._changed.wait()
            except TimeoutError:
                await connection.send_command("PING")
                continue
            self._changed.clear()
            wanted = set(self._wanted)
            if gone := asked - wanted:
                self._confirmed -= gone
                await connection.send_command("UNSUBSCRIBE", *gone)
            await self._subscribe(connection, wanted - asked)
            asked = wanted

    async def _read(self, connection: Any, *, restored: bool) -> None:
        while True:
            kind, name, payload = await self._next(connection)
            if kind == b"message":
                self.received += 1
                if channel := self._wanted.get(name):
                    self._on_batch(parse_live(channel, payload))
            elif kind == b"subscribe":
                self._confirm(name)
            elif kind == b"pong" and not self.connected:  # the first one: all is subscribed
                self._up.set()
                if restored:
                    self._on_restored()

    async def _next(self, connection: Any) -> tuple[bytes, str, bytes]:
        reply = await connection.read_response(timeout=2 * PING_INTERVAL)
        if not isinstance(reply, list):  # a pong outside of any subscription is a plain string
            return b"pong", "", b""
        if reply[0] == b"pong":
            return b"pong", "", b""
        return reply[0], reply[1].decode(), reply[2]

    def _confirm(self, name: str) -> None:
        self._unanswered[name] -= 1
        if self._unanswered[name] > 0:
            return  # a later SUBSCRIBE of the same name is still on its way
        del self._unanswered[name]
        self._confirmed.add(name)
        waiting = self._waiting.pop(name, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
