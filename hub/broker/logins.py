"""Logins to the stock Socket.IO admin UI in Redis: kept by their digest, so that who reads Redis
cannot use them."""

import hashlib

from redis.asyncio import Redis

from hub.broker import keys as key_names
from hub.broker.connect import command


class LoginStore:
    """Keeping logins. Raises ``redis.RedisError``."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, login: str, content: bytes, seconds: int) -> None:
        """Keeps ``content`` for that long."""
        await command(self._redis.set(_key(login), content, ex=seconds))

    async def get(self, login: str) -> bytes | None:
        """What is kept for ``login``."""
        content: bytes | None = await command(self._redis.get(_key(login)))
        return content


def _key(login: str) -> str:
    return key_names.login(hashlib.sha256(login.encode()).hexdigest())
