"""The one way in which a store that is away becomes the answer UNAVAILABLE."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from hub.domain import codes
from hub.domain.patience import COME_BACK, PATIENCE

FAILURES: Final = (PyMongoError, RedisError, OSError, TimeoutError)
"""What a store that is away raises."""


def unavailable() -> codes.HubError:
    """UNAVAILABLE, with the time after which to try again."""
    return codes.HubError(codes.UNAVAILABLE, retry_after=COME_BACK)


@asynccontextmanager
async def patiently() -> AsyncIterator[None]:
    """All that a caller waits for within may take ``PATIENCE`` together. Raises ``HubError``
    UNAVAILABLE when it takes longer, or a store fails."""
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except FAILURES as error:
        raise unavailable() from error
