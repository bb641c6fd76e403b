"""Orders to all nodes: kept in Redis while they are in force, and told by the live connection that
every node has anyway."""

from redis.asyncio import Redis

from hub.broker.cluster import ClusterRedis
from hub.broker.connect import command
from hub.broker.keys import ORDERS, Keys
from hub.broker.scripts import Call, Script
from hub.domain.standing import (
    Ban,
    Kept,
    Lift,
    Order,
    Revocation,
    decode_kept,
    encode_order,
    field_of,
)

_ORDER = Script("order")
_FORGET = Script("forget")
_READ_AT_ONCE = 1000


class OrderBook:
    """What is in force on the cluster. Everything raises ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._kind = "cluster" if isinstance(redis, ClusterRedis) else "server"

    async def give(self, order: Order) -> None:
        """Once this returns the order is kept, and on its way to every node."""
        message = encode_order(order)
        field, kept = "", b""
        if isinstance(order, Ban | Revocation):
            field, kept = field_of(order), message
        elif isinstance(order, Lift):
            field = field_of(order)
        keys = [self._keys.standing, self._keys.live(ORDERS)]
        await _ORDER.run(self._redis, Call(keys, [self._kind, message, field, kept]))

    async def read(self) -> dict[str, Kept]:
        """All that is kept."""
        found: dict[str, Kept] = {}
        cursor = 0
        while True:
            page = self._redis.hscan(self._keys.standing, cursor, count=_READ_AT_ONCE)
            cursor, some = await command(page)
            found |= {field.decode(): decode_kept(raw) for field, raw in some.items()}
            if cursor == 0:
                return found

    async def forget(self, over: dict[str, Kept]) -> None:
        """Drops what is in force no more."""
        args: list[str | bytes | int] = []
        for field, kept in over.items():
            args += (field, encode_order(kept))
        if args:
            await _FORGET.run(self._redis, Call([self._keys.standing], args))
