"""The hot log: a channel's newest events in Redis, written in the same step that makes them live.

It is a cache of the end of the channel's log in MongoDB: without holes, of one epoch, and it may
vanish at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from hub.broker.connect import command
from hub.broker.keys import Keys
from hub.broker.scripts import Call, Script
from hub.domain.events import Encoded, Position

KEPT: Final = 1000
"""Events a hot log keeps, at least."""

TTL: Final = 3600
"""Seconds after its last event that a hot log lives."""

_PUBLISH: Final = Script("publish")


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive events of one channel; the first has the offset ``first``."""

    channel: str
    epoch: str
    first: int
    envelopes: Sequence[bytes]

    @property
    def last(self) -> int:
        """Offset of the last event."""
        return self.first + len(self.envelopes) - 1


class HotLog:
    """Publishing events and reading the newest ones back."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def publish(self, batches: Sequence[Batch]) -> None:
        """Appends and makes live, all channels in one round trip; what the hot log has already is
        skipped, so a repeat is harmless. Raises ``redis.RedisError``."""
        calls = [
            Call(
                [self._keys.log(batch.channel), self._keys.live(batch.channel)],
                [batch.epoch, batch.first, KEPT, TTL, *batch.envelopes],
            )
            for batch in batches
        ]
        if calls:
            await _PUBLISH.run_many(self._redis, calls)

    async def after(self, channel: str, position: Position, limit: int) -> list[Encoded] | None:
        """Up to ``limit`` events that follow ``position``; None when the hot log does not reach
        back that far (or not so far forward: it cannot tell an end from having vanished)."""
        reply = await command(
            self._redis.xrange(self._keys.log(channel), min=f"{position.offset + 1}-0", count=limit)
        )
        events = []
        for expected, (entry_id, fields) in enumerate(reply, start=position.offset + 1):
            offset = int(entry_id.partition(b"-")[0])
            if offset != expected or fields[b"epoch"] != position.epoch.encode():
                return None
            events.append(Encoded(offset, fields[b"event"]))
        return events or None


def parse_live(channel: str, payload: bytes) -> Batch:
    """The batch that ``publish.lua`` put on a live channel."""
    head, _, body = payload.partition(b"\n")
    epoch, _, first = head.partition(b" ")
    return Batch(channel, epoch.decode(), int(first), body.split(b"\n"))
