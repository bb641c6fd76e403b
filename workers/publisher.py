"""``Publisher`` and ``SyncPublisher``: how workers report (contract section 8).

```python
async with Publisher("redis://…") as hub:
    job = hub.job("550e…", project_id="p1", owner_id="u1")
    await job.start(total_scenarios=12, total_features=3)
```

A call returns once Redis holds the publication; from then on no death of any worker, ingest or
hub process loses it. When Redis is away the call tries again, with growing pauses, for
``retry_for`` seconds, and then raises: it never returns as if it had worked.
"""

import asyncio
import random
import time
from collections.abc import Coroutine, Iterator
from types import TracebackType
from typing import Any, Final, Self

from redis.exceptions import RedisError

from hub.broker.connect import cancellations, honour_cancellation, open_redis
from hub.broker.journal import Journal, journal_entry
from hub.broker.keys import Keys
from hub.broker.sync import open_sync_redis
from hub.domain.publications import AnyPublication
from hub.telemetry import publishing
from workers.errors import RedisUnavailable
from workers.messages import JobMessages, Messages

RETRY_FOR: Final = 10.0
"""Seconds that a publish tries to reach Redis, by default."""

Job = JobMessages[Coroutine[Any, Any, str]]
"""What ``Publisher.job`` gives."""

SyncJob = JobMessages[str]
"""What ``SyncPublisher.job`` gives."""

_SOCKET_TIMEOUT: Final = 2.0
_PAUSE_FIRST, _PAUSE_LAST = 0.05, 1.0
_FAILURES = (RedisError, OSError, TimeoutError)


def _pauses(retry_for: float) -> Iterator[float]:
    """The pauses between attempts: growing, jittered, until ``retry_for`` seconds are over."""
    end, pause = time.monotonic() + retry_for, _PAUSE_FIRST
    while time.monotonic() < end:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        pause = min(2 * pause, _PAUSE_LAST)


def _about(publication: AnyPublication) -> dict[str, str | int]:
    """The attributes of a publish's span."""
    return {"hub.id": str(publication.id), "hub.channel": publication.channel}


class Publisher(Messages[Coroutine[Any, Any, str]]):
    """Publishes from asyncio. Use it as a context manager, from one event loop.

    ``partitions``: must be the hub's ``HUB_PARTITIONS``. ``retry_for``: seconds.
    """

    def __init__(self, url: str, *, partitions: int = 16, retry_for: float = RETRY_FOR) -> None:
        self._redis = open_redis(url, timeout=_SOCKET_TIMEOUT)
        self._journal = Journal(self._redis, Keys(partitions))
        self._retry_for = retry_for

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    def _send(self, publication: AnyPublication) -> Coroutine[Any, Any, str]:
        return self._append(publication)

    async def _append(self, publication: AnyPublication) -> str:
        with publishing(_about(publication)) as traceparent:
            return await self._retrying(publication, traceparent)

    async def _retrying(self, publication: AnyPublication, traceparent: str) -> str:
        traces = {str(publication.id): traceparent} if traceparent else {}
        failure: BaseException | None = None
        known = cancellations()
        for pause in _pauses(self._retry_for):
            try:
                await self._journal.append([publication], traces)
            except _FAILURES as error:
                failure = error
            else:
                failure = None
            honour_cancellation(beyond=known)  # else who publishes in a loop would never end
            if failure is None:
                return str(publication.id)
            await asyncio.sleep(pause)
        raise RedisUnavailable(f"Redis took nothing for {self._retry_for} s") from failure


class SyncPublisher(Messages[str]):
    """As ``Publisher``, for code without asyncio; safe to share between threads."""

    def __init__(self, url: str, *, partitions: int = 16, retry_for: float = RETRY_FOR) -> None:
        self._redis = open_sync_redis(url, timeout=_SOCKET_TIMEOUT)
        self._keys = Keys(partitions)
        self._retry_for = retry_for

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._redis.close()

    def _send(self, publication: AnyPublication) -> str:
        with publishing(_about(publication)) as traceparent:
            return self._retrying(publication, traceparent)

    def _retrying(self, publication: AnyPublication, traceparent: str) -> str:
        key, fields = journal_entry(self._keys, publication, traceparent)
        failure: BaseException | None = None
        for pause in _pauses(self._retry_for):
            try:
                self._redis.xadd(key, fields)
            except _FAILURES as error:
                failure = error
                time.sleep(pause)
            else:
                return str(publication.id)
        raise RedisUnavailable(f"Redis took nothing for {self._retry_for} s") from failure
