"""What callers of ``POST /v1/publish`` were answered, by their idempotency key, for a day."""

from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from hub.broker.connect import command
from hub.broker.keys import Keys

_KEPT: Final = 86_400


class Receipt(Struct, frozen=True):
    """What became of a call: how many were new, how many were repeats, and every id in order."""

    accepted: int
    duplicates: int
    ids: list[str]


class StoredReceipt(Struct, frozen=True):
    """A receipt, and the fingerprint of the body that it was given for."""

    fingerprint: str
    receipt: Receipt


class Receipts:
    """Keeping receipts. Raises ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def get(self, caller: str, key: str) -> StoredReceipt | None:
        """The receipt that ``caller`` got for ``key``."""
        raw = await command(self._redis.get(self._keys.receipt(caller, key)))
        return None if raw is None else msgspec.json.decode(raw, type=StoredReceipt)

    async def put(self, caller: str, key: str, stored: StoredReceipt) -> None:
        """Keeps a receipt."""
        name = self._keys.receipt(caller, key)
        await command(self._redis.set(name, msgspec.json.encode(stored), ex=_KEPT))
