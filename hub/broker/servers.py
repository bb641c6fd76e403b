"""Which servers live channels are heard at, and which partitions at each."""

from collections.abc import Mapping
from typing import Final, Protocol

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.crc import key_slot

from hub.broker.cluster import ClusterRedis
from hub.broker.keys import Keys
from hub.broker.shards import Shards
from hub.broker.urls import Address

Server = Address | None
"""A primary of a cluster, or the one server there is."""


class Servers(Protocol):
    """The servers of one deployment."""

    @property
    def cluster(self) -> bool:
        """Whether there may be several."""

    async def owners(self) -> Mapping[Server, frozenset[int]]:
        """The servers as they are now, with the partitions of each. Raises ``redis.RedisError``
        when nobody knows."""

    def connection(self, server: Server) -> AbstractConnection:
        """A connection to one of them, not connected yet."""


class OneServer:
    """All partitions on one server: standalone, or what Sentinels name when it is connected to."""

    cluster: Final = False

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._pool = redis.connection_pool
        self._all = frozenset(range(keys.partitions))

    async def owners(self) -> Mapping[Server, frozenset[int]]:
        return {None: self._all}

    def connection(self, server: Server) -> AbstractConnection:
        made: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return made


class ClusterServers:
    """The primaries of a cluster that have partitions."""

    cluster: Final = True

    def __init__(self, shards: Shards, keys: Keys) -> None:
        self._shards = shards
        self._slots = [key_slot(keys.tag(number).encode()) for number in range(keys.partitions)]

    async def owners(self) -> Mapping[Server, frozenset[int]]:
        await self._shards.look_up(self._shards.version)
        found: dict[Server, set[int]] = {}
        for partition, slot in enumerate(self._slots):
            if (owner := await self._shards.owner(slot)) is not None:
                found.setdefault(owner, set()).add(partition)
        return {server: frozenset(partitions) for server, partitions in found.items()}

    def connection(self, server: Server) -> AbstractConnection:
        if server is None:
            raise ValueError("a cluster has no single server")
        pool = self._shards.client(server).connection_pool
        made: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
        return made


def servers_of(redis: Redis, keys: Keys) -> Servers:
    """The servers behind a client."""
    if isinstance(redis, ClusterRedis):
        return ClusterServers(redis.shards, keys)
    return OneServer(redis, keys)
