"""Traces in Redis: what happened to an event, for a quarter of an hour; and who is watched."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis

from hub.broker import keys as key_names
from hub.broker.connect import command

KEPT: Final = 900
"""Seconds that a trace is kept."""

STEPS_AT_MOST: Final = 2000
"""Steps of one event that are kept."""

WATCH: Final = 15.0
"""Seconds that a tail lasts unless it is renewed."""

_TAIL_KEPT: Final = 1000
_TAIL_LIVES: Final = 60


class TraceStore:
    """Writing and reading them. Raises ``redis.RedisError``."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(
        self, traced: Mapping[str, Sequence[bytes]], tailed: Mapping[str, Sequence[bytes]]
    ) -> None:
        """Adds steps, by event and by channel that has a tail; in one round trip (to each
        server)."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for event_id, steps in traced.items():
                key = key_names.trace(event_id)
                pipe.rpush(key, *steps)
                pipe.ltrim(key, 0, STEPS_AT_MOST - 1)
                pipe.expire(key, KEPT)
            for channel, steps in tailed.items():
                key = key_names.tail(channel)
                for step in steps:
                    fields: dict[Any, Any] = {"s": step}
                    pipe.xadd(key, fields, maxlen=_TAIL_KEPT, approximate=True)
                pipe.expire(key, _TAIL_LIVES)
            await pipe.execute()

    async def steps(self, event_id: str) -> list[bytes]:
        """What was noted of an event."""
        found: list[bytes] = await command(self._redis.lrange(key_names.trace(event_id), 0, -1))
        return found

    async def watch(self, channels: Iterable[str]) -> None:
        """Begins tails, or renews them."""
        until = int((time.time() + WATCH) * 1000)
        fields: dict[Any, Any] = dict.fromkeys(channels, until)
        if fields:
            await command(self._redis.hset(key_names.TAILS, mapping=fields))

    async def watched(self) -> frozenset[str]:
        """The channels that have a tail now; forgets those whose time is over."""
        found = await command(self._redis.hgetall(key_names.TAILS))
        now = time.time() * 1000
        over = [channel for channel, until in found.items() if not _later(until, now)]
        if over:
            await command(self._redis.hdel(key_names.TAILS, *over))
        return frozenset(
            channel.decode(errors="replace") for channel in found if channel not in over
        )

    async def tail_end(self, channel: str) -> bytes:
        """Where the tail of a channel ends now."""
        found = await command(self._redis.xrevrange(key_names.tail(channel), count=1))
        return found[0][0] if found else b"0-0"

    async def tail(self, channel: str, after: bytes) -> list[tuple[bytes, bytes]]:
        """What was added to a tail since, as (place, step)."""
        found = await command(self._redis.xrange(key_names.tail(channel), min=b"(" + after))
        return [(place, fields.get(b"s", b"")) for place, fields in found]


def _later(until: bytes, now: float) -> bool:
    """Whether a time is still to come; what is none is over."""
    try:
        return int(until) >= now
    except ValueError:
        return False
