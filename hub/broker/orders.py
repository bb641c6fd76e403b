"""Orders to all nodes: kept in Redis while they are in force, and told by the live connection that
every node has anyway."""

from redis.asyncio import Redis

from hub.broker.cluster import ClusterRedis
from hub.broker.connect import command
from hub.broker.keys import ORDERS, Keys
from hub.broker.records import Records
from hub.broker.scripts import Call, Script
from hub.domain.standing import (
    Ban,
    Kept,
    Lift,
    Order,
    Revocation,
    encode_order,
    field_of,
)

_ORDER = Script("order")
_FORGET = Script("forget")
_READ_AT_ONCE = 1000
_GIVEN_AT_ONCE = 250


class OrderBook:
    """What is in force on the cluster. Everything raises ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._kind = "cluster" if isinstance(redis, ClusterRedis) else "server"
        self._kept: Records[Kept] = Records("order", Kept)  # type: ignore[arg-type]

    async def give(self, *orders: Order) -> None:
        """Once this returns the orders are kept, and on their way to every node."""
        for start in range(0, len(orders), _GIVEN_AT_ONCE):
            calls = [self._call(order) for order in orders[start : start + _GIVEN_AT_ONCE]]
            await _ORDER.run_many(self._redis, calls)

    def _call(self, order: Order) -> Call:
        message = encode_order(order)
        field, kept = "", b""
        if isinstance(order, Ban | Revocation):
            field, kept = field_of(order), message
        elif isinstance(order, Lift):
            field = field_of(order)
        keys = [self._keys.standing, self._keys.live(ORDERS)]
        return Call(keys, [self._kind, message, field, kept])

    async def read(self) -> dict[str, Kept]:
        """All that is kept, but for what only a later version of the hub can read."""
        found: dict[str, Kept] = {}
        cursor = 0
        while True:
            page = self._redis.hscan(self._keys.standing, cursor, count=_READ_AT_ONCE)
            cursor, some = await command(page)
            for field, raw in some.items():
                name = field.decode(errors="replace")
                if (kept := self._kept.read(raw, name)) is not None:
                    found[name] = kept
            if cursor == 0:
                return found

    async def forget(self, over: dict[str, Kept]) -> None:
        """Drops what is in force no more."""
        args: list[str | bytes | int] = []
        for field, kept in over.items():
            args += (field, encode_order(kept))
        if args:
            await _FORGET.run(self._redis, Call([self._keys.standing], args))
