"""Channels of all partitions, and somebody who publishes on them whatever happens."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.broker.hotlog import Batch, HotLog
from hub.broker.journal import Journal
from hub.domain import ids
from hub.domain.parsing import parse_publication
from hub.domain.publications import AnyPublication
from tests.hub.broker.listening import KEYS

CHANNELS = {KEYS.partition(f"topic:{n}"): f"topic:{n}" for n in range(200)}
"""A channel of each partition."""


def publication(channel: str, number: int) -> AnyPublication:
    """An event for a topic."""
    return parse_publication(
        b'{"id":"%s","kind":"EVENT","channel":"%s","type":"NEWS","data":{"n":%d}}'
        % (ids.uuid7().encode(), channel.encode(), number)
    )


def batch(channel: str, first: int, count: int = 1) -> Batch:
    """Events as ingest publishes them."""
    return Batch(channel, "e1", first, [b'{"n":%d}' % n for n in range(first, first + count)])


class Publishing:
    """Appends to the journals and publishes until stopped, and repeats what failed."""

    def __init__(self, redis: Redis) -> None:
        self._journal, self._hot_log = Journal(redis, KEYS), HotLog(redis, KEYS)
        self._going = True
        self.told: dict[int, int] = dict.fromkeys(range(16), 0)
        self.failed: set[int] = set()

    def stop(self) -> None:
        """Lets ``on`` return."""
        self._going = False

    async def on(self, partition: int) -> None:
        """Publishes one event after the other on a channel of the partition."""
        channel = CHANNELS[partition]
        while self._going:
            number = self.told[partition] + 1
            try:
                await self._journal.append([publication(channel, number)])
                await self._hot_log.publish([batch(channel, number)])
                self.told[partition] = number
            except RedisError:
                self.failed.add(partition)
            await asyncio.sleep(0.02)
