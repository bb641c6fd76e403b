"""Reading what came after a position: from the hot log where it reaches, else from MongoDB."""

import asyncio
from typing import Final

from redis.exceptions import RedisError

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker.hotlog import HotLog
from hub.domain.events import Encoded, Position
from hub.domain.patience import PATIENCE
from hub.stores.events import Events

PAGE: Final = 500
"""Events read at once."""

_ASKED_AT_ONCE: Final = 24  # of a crowd: beyond the client's connections reads would be refused
_AVOIDED: Final = 1.0  # seconds that a hot log which did not answer is left alone
_log = get_logger(__name__)


class CatchUp:
    """Reads the part of a channel's log that somebody missed."""

    def __init__(self, events: Events, hot_log: HotLog) -> None:
        self._events = events
        self._hot_log = hot_log
        self._asking = asyncio.Semaphore(_ASKED_AT_ONCE)
        self._avoided_until = 0.0
        self._trouble = Trouble(_log, "catchup.hot_log_unreachable", "catchup.hot_log_back")

    async def page(self, channel: str, position: Position, upto: int) -> list[Encoded]:
        """Events after ``position`` up to the offset ``upto``, without a hole, at most ``PAGE``;
        empty when the log does not have the very next one any more.

        Raises ``PyMongoError`` when the hot log does not do and MongoDB is out of reach, or
        TimeoutError after ``PATIENCE``.
        """
        limit = min(PAGE, upto - position.offset)
        if limit <= 0:
            return []
        async with asyncio.timeout(PATIENCE):
            return await self._page(channel, position, limit, upto)

    async def _page(self, channel: str, position: Position, limit: int, upto: int) -> list[Encoded]:
        hot = await self._hot(channel, position, limit)
        if hot is not None:
            return hot
        stored = await self._events.after(channel, position, limit=limit, upto=upto)
        if stored and stored[0].offset != position.offset + 1:
            return []
        return [Encoded(event.offset, event.encode()) for event in stored]

    async def up_to(
        self, channel: str, position: Position, upto: int, *, limit: int
    ) -> list[Encoded] | None:
        """All events after ``position`` up to ``upto``; None when some are gone or there are more
        than ``limit``."""
        if upto - position.offset > limit:
            return None
        found: list[Encoded] = []
        reached = position
        while reached.offset < upto:
            page = await self.page(channel, reached, upto)
            if not page:
                return None
            found += page
            reached = Position(position.epoch, page[-1].offset)
        return found

    async def _hot(self, channel: str, position: Position, limit: int) -> list[Encoded] | None:
        clock = asyncio.get_running_loop().time
        async with self._asking:
            if clock() < self._avoided_until:
                return None
            try:
                found = await self._hot_log.after(channel, position, limit)
            except RedisError as error:
                self._avoided_until = clock() + _AVOIDED
                self._trouble.failed(error)
                return None
        self._trouble.worked()
        return found
