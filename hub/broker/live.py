"""Hearing live events: a Redis connection per node (per primary of a cluster), subscribed only to
channels that somebody on this node follows."""

import asyncio
import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from redis.exceptions import RedisError

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker.connect import honour_cancellation, open_redis
from hub.broker.hotlog import Batch
from hub.broker.keys import Keys
from hub.broker.link import Link, Listener
from hub.broker.servers import Server, servers_of
from hub.domain.patience import PATIENCE

_RETRY_FIRST, _RETRY_LAST = 0.05, 0.25  # seconds; it is to hear again within one
_LOSSES = (RedisError, OSError, TimeoutError)
_log = get_logger(__name__)

Turn = Callable[[], AbstractContextManager[None]]


class LiveChannels:
    """The node's live subscriptions.

    Promises: once ``follow`` returned, every batch published from then on reaches ``on_batch``,
    each channel's in the order of publishing, unless the connection breaks. When it breaks it is
    made again by itself, all channels are subscribed again, and only then ``on_restored`` is
    called: whatever was published in between must be read from the log.

    What one read of the socket brought is handed over in one go: batches of a channel that follow
    one another as one batch, and several batches inside ``turn()``, where the node may hold its
    writes back to the end. ``on_batch`` must not wait; long series are handed over in slices of
    milliseconds, between which others get their turn.

    ``always``: channels that are followed from the start. ``on_up``: called whenever a connection,
    the first one too, has begun to hear all it should.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        on_batch: Callable[[Batch], None],
        on_restored: Callable[[], None],
        turn: Turn = nullcontext,
        *,
        always: Iterable[str] = (),
        on_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis = open_redis(url)
        self._servers = servers_of(self._redis, keys)
        self._keys = keys
        self._on_restored = on_restored
        self._each_up = on_up
        self._wanted = {keys.live(name).encode(): name for name in always}  # Redis name → channel
        self._waiting: dict[bytes, asyncio.Future[None]] = {}
        self._listener = Listener(self._wanted, on_batch, self._confirmed, turn)
        self._hearing: dict[Server, _Hearing] = {}
        self._links: dict[int, Link] = {}  # by partition
        self._heard: set[int] = set()  # partitions that were heard at any time
        self._up = asyncio.Event()
        self._trouble = Trouble(_log, "live.lost", "live.restored")

    @property
    def connected(self) -> bool:
        """Whether everything wanted is subscribed and heard."""
        return self._up.is_set()

    @property
    def deaf(self) -> bool:
        """Whether nothing at all is heard, from any server."""
        return not any(link.up for link in self._links.values())

    async def wait_connected(self, limit: float) -> bool:
        """Waits until ``connected``, at most ``limit`` seconds; whether it is."""
        try:
            async with asyncio.timeout(limit):
                await self._up.wait()
        except TimeoutError:
            _log.warning("live.not_connected", waited=limit)
        return self.connected

    async def follow(self, channel: str) -> None:
        """Subscribes; returns once Redis confirmed. Raises TimeoutError after ``PATIENCE``, or
        ConnectionError when ``unfollow`` came in between."""
        name = self._name(channel)
        self._wanted[name] = channel
        link = self._links.get(self._keys.partition(channel))
        if link is not None and name in link.confirmed:
            return
        waiting = self._waiting.get(name)
        if waiting is None:
            waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
            self._change(channel, name)
        async with asyncio.timeout(PATIENCE):
            await asyncio.shield(waiting)

    def unfollow(self, channel: str) -> None:
        """Stops hearing the channel; batches already on their way may still arrive."""
        name = self._name(channel)
        self._wanted.pop(name, None)
        waiting = self._waiting.pop(name, None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(ConnectionError("unfollowed"))
            waiting.exception()  # retrieved here: mostly nobody waits any more
        self._change(channel, name)

    async def run(self) -> None:
        """Keeps the connections up until cancelled."""
        delay = _RETRY_FIRST
        try:
            while True:
                honour_cancellation()
                await self._assign()
                if len(self._links) == self._keys.partitions:
                    tasks = [hearing.task for hearing in self._hearing.values()]
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if self._clear_lost():
                    delay = _RETRY_FIRST
                await asyncio.sleep(delay)
                delay = min(2 * delay, _RETRY_LAST)
        finally:
            await self._stop(list(self._hearing))

    async def close(self) -> None:
        """Frees what the connections held."""
        await self._redis.aclose()

    async def _assign(self) -> None:
        """Makes the connections those to the servers of now, one to each."""
        try:
            owners = await self._servers.owners()
        except _LOSSES as error:
            self._trouble.failed(error)
            return
        moved = [at for at, one in self._hearing.items() if owners.get(at) != one.partitions]
        await self._stop(moved)
        for server, partitions in owners.items():
            if server not in self._hearing:
                self._start(server, partitions)

    def _start(self, server: Server, partitions: frozenset[int]) -> None:
        cluster, number = self._servers.cluster, uuid.uuid4().hex
        probed = partitions if cluster else [min(partitions)]
        probes = [self._keys.probe(partition, number).encode() for partition in probed]
        link = Link(self._listener, probes, self._on_up, cluster=cluster)
        link.change(n for n, c in self._wanted.items() if self._keys.partition(c) in partitions)
        self._links.update(dict.fromkeys(partitions, link))
        task = asyncio.create_task(self._hear(link, server))
        self._hearing[server] = _Hearing(link, partitions, task)

    async def _hear(self, link: Link, server: Server) -> None:
        try:
            await link.run(self._servers.connection(server))
        finally:
            self._up.clear()

    async def _stop(self, servers: Iterable[Server]) -> None:
        stopped = [self._forget(server) for server in servers]
        for one in stopped:
            one.task.cancel()
        await asyncio.gather(*(one.task for one in stopped), return_exceptions=True)

    def _forget(self, server: Server) -> "_Hearing":
        one = self._hearing.pop(server)
        for partition in one.partitions:
            self._links.pop(partition, None)
        return one

    def _clear_lost(self) -> bool:
        """Forgets the connections that ended; whether one of them had been up."""
        any_was_up = False
        for server in [at for at, one in self._hearing.items() if one.task.done()]:
            one = self._forget(server)
            any_was_up |= one.link.was_up
            error = one.task.exception()
            if not isinstance(error, _LOSSES):
                one.task.result()
            self._trouble.failed(error, server=server)
        return any_was_up

    def _name(self, channel: str) -> bytes:
        return self._keys.live(channel).encode()

    def _change(self, channel: str, name: bytes) -> None:
        if link := self._links.get(self._keys.partition(channel)):
            link.change([name])

    def _confirmed(self, name: bytes) -> None:
        waiting = self._waiting.pop(name, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _on_up(self, link: Link) -> None:
        partitions = {number for number, one in self._links.items() if one is link}
        again = bool(partitions & self._heard)
        self._heard |= partitions
        complete = len(self._links) == self._keys.partitions
        if complete and all(one.up for one in self._links.values()):
            self._up.set()
            self._trouble.worked()
        self._each_up()
        if again:
            self._on_restored()


@dataclass(frozen=True, slots=True)
class _Hearing:
    """A link at work."""

    link: Link
    partitions: frozenset[int]
    task: asyncio.Task[None]
