"""The sweeper: one of the ingest workers tells, every second, what nobody else tells: what has
ended by itself, and what whoever changed it could not tell."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker.connect import honour_cancellation
from hub.broker.keys import EXPIRY
from hub.broker.leases import Leases
from hub.domain import times

_EVERY: Final = 1.0
_FAILURES = (PyMongoError, RedisError, OSError, TimeoutError)
_log = get_logger(__name__)


Sweep = Callable[[datetime], Awaitable[int]]
"""Tells some of what is to be told by now; how much that was. Raises ``PyMongoError``,
``RedisError``."""


class Sweeper:
    """Runs ``sweeps`` on the worker that holds the lease; another takes over when it dies."""

    def __init__(self, sweeps: Sequence[Sweep], leases: Leases) -> None:
        self._sweeps = sweeps
        self._leases = leases
        self._trouble = Trouble(_log, "sweeper.held_up", "sweeper.goes_on")

    async def run(self) -> None:
        """Sweeps until cancelled."""
        try:
            while True:
                honour_cancellation()
                try:
                    told = await self._sweep()
                except _FAILURES as error:
                    self._trouble.failed(error)
                    told = 0
                else:
                    self._trouble.worked()
                if not told:
                    await asyncio.sleep(_EVERY)
        finally:
            await self._leave()

    async def _sweep(self) -> int:
        (held,) = await self._leases.take([EXPIRY])
        return sum([await sweep(times.now()) for sweep in self._sweeps]) if held else 0

    async def _leave(self) -> None:
        try:
            await self._leases.release([EXPIRY])
        except _FAILURES as error:
            _log.warning("sweeper.lease_not_released", error=repr(error))
