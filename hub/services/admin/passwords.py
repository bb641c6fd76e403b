"""The password for the stock Socket.IO admin UI: kept as a hash, checked one at a time."""

import asyncio
import hmac
from typing import Final

from config import scrypt
from hub import metrics
from hub.domain import codes

_WAITING_AT_MOST: Final = 4
_COME_BACK: Final = 1.0


class Passwords:
    """One user name and its password. A check takes some 50 ms of a core and 16 MiB, so one is made
    at a time, beside the event loop, and few may wait for it."""

    def __init__(self, user: str, hashed: str) -> None:
        self._user = user
        self._hashed = hashed
        self._lock = asyncio.Lock()
        self._waiting = 0

    async def match(self, user: str, password: str) -> bool:
        """Whether they are right; a wrong name takes as long as a wrong password. Raises
        ``HubError`` RATE_LIMITED when too many ask."""
        if self._waiting >= _WAITING_AT_MOST:
            metrics.LIMITED.add(1, "passwords")
            raise codes.HubError(codes.RATE_LIMITED, retry_after=_COME_BACK)
        self._waiting += 1
        try:
            async with self._lock:
                right = await asyncio.to_thread(scrypt.matches, password, self._hashed)
        finally:
            self._waiting -= 1
        return hmac.compare_digest(user.encode(), self._user.encode()) and right
