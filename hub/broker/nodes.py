"""Which nodes there are: each has a lease that its heartbeat renews, so that one that died is gone
by itself."""

import asyncio
import os
import socket
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker import keys as key_names
from hub.broker.connect import command, honour_cancellation
from hub.broker.records import Records
from hub.domain import ids, times

LEASE: Final = 15.0
"""Seconds that a node is listed after its last heartbeat."""

UNKNOWN: Final = times.from_ms(0)
"""When a node was started that does not say so."""

_EVERY: Final = 5.0
_RETRY: Final = 0.5
_FAILURES = (RedisError, OSError, TimeoutError)
_log = get_logger(__name__)


class Node(Struct, frozen=True):
    """What a node says of itself. ``address``: where it listens, ``host:port``. One of another
    version may leave out all but its id."""

    id: str
    host: str = ""
    address: str = ""
    pid: int = 0
    started_at: datetime = UNKNOWN
    draining: bool = False


def this_node(address: str) -> Node:
    """The process that asks, as a node with a new id."""
    host, pid = socket.gethostname(), os.getpid()
    return Node(f"{host}-{pid}-{ids.uuid7()[-6:]}", host, address, pid, times.now())


class Nodes:
    """One node's lease, and the list of all that have one."""

    def __init__(self, redis: Redis, me: Node, *, lease: float = LEASE) -> None:
        self.me = me
        self._redis = redis
        self._lease = lease
        self._changed = asyncio.Event()
        self._records = Records("node", Node)
        self._trouble = Trouble(_log, "nodes.lease_not_renewed", "nodes.lease_renewed")

    async def run(self) -> None:
        """Renews the lease until cancelled."""
        while True:
            self._changed.clear()
            pause = self._lease * _EVERY / LEASE
            try:
                await self._renew()
                await self.alive()  # forgets the dead
            except _FAILURES as error:
                self._trouble.failed(error)
                pause = _RETRY
            else:
                self._trouble.worked()
            honour_cancellation()
            await self._until_changed(pause)

    def drain(self) -> None:
        """Lets everybody know that this node is about to stop."""
        self.me = msgspec.structs.replace(self.me, draining=True)
        self._changed.set()

    async def leave(self) -> None:
        """Takes this node off the list. To be called when ``run`` has ended."""
        try:
            await command(self._redis.delete(key_names.node(self.me.id)))
        except _FAILURES as error:
            _log.warning("nodes.not_left", error=repr(error))

    async def alive(self) -> list[Node]:
        """Every node that has a lease, by id. Raises ``redis.RedisError``."""
        members = await command(self._redis.smembers(key_names.NODES))
        known = sorted(member.decode(errors="replace") for member in members)
        if not known:
            return []
        found = await command(self._redis.mget([key_names.node(each) for each in known]))
        if dead := [each for each, raw in zip(known, found, strict=True) if raw is None]:
            await command(self._redis.srem(key_names.NODES, *dead))  # or back at their next beat
        pairs = zip(known, found, strict=True)
        nodes = [self._records.read(raw, each) for each, raw in pairs if raw is not None]
        return [node for node in nodes if node is not None]

    async def beaten(self, nodes: Sequence[str]) -> dict[str, float]:
        """How many seconds ago the heart of each of these beat last, of those that have a lease.
        Raises ``redis.RedisError``."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for each in nodes:
                pipe.pttl(key_names.node(each))
            left = await pipe.execute()
        found = zip(nodes, left, strict=True)
        return {each: self._lease - ms / 1000 for each, ms in found if ms >= 0}

    async def _renew(self) -> None:
        name, milliseconds = key_names.node(self.me.id), int(self._lease * 1000)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(name, msgspec.json.encode(self.me), px=milliseconds)
            pipe.sadd(key_names.NODES, self.me.id)
            await pipe.execute()

    async def _until_changed(self, limit: float) -> None:
        try:
            async with asyncio.timeout(limit):
                await self._changed.wait()
        except TimeoutError:
            return
