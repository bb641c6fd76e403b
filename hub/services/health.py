"""Whether this node can do its work: the state of each store."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

Check = Callable[[], Awaitable[object]]
_LIMIT: Final = 2.0


class Health:
    """Asks every dependency, at most 2 s long."""

    def __init__(self, checks: dict[str, Check]) -> None:
        self._checks = checks
        self.draining = False
        """Whether the node is about to stop, and wants no new clients."""

    async def state(self) -> dict[str, str]:
        """``{dependency: "ok" | what is wrong}``, all asked at once."""
        found = await asyncio.gather(*(self._ask(check) for check in self._checks.values()))
        return dict(zip(self._checks, found, strict=True))

    @staticmethod
    async def _ask(check: Check) -> str:
        try:
            async with asyncio.timeout(_LIMIT):
                await check()
        except (PyMongoError, RedisError, OSError, TimeoutError) as error:
            return f"unreachable: {type(error).__name__}"
        return "ok"
