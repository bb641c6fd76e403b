"""One-time tickets in Redis: kept by their digest, so that who reads Redis cannot use them."""

import hashlib

from redis.asyncio import Redis

from hub.broker.connect import command
from hub.broker.keys import Keys


class TicketStore:
    """Keeping tickets. Raises ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def put(self, ticket: str, content: bytes, seconds: int) -> None:
        """Keeps ``content`` for that long."""
        await command(self._redis.set(self._key(ticket), content, ex=seconds))

    async def take(self, ticket: str) -> bytes | None:
        """What was kept for ``ticket``; whoever else asks gets None from then on."""
        content: bytes | None = await command(self._redis.getdel(self._key(ticket)))
        return content

    def _key(self, ticket: str) -> str:
        return self._keys.ticket(hashlib.sha256(ticket.encode()).hexdigest())
