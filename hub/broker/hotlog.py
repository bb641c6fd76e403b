"""The hot log: a channel's newest events in Redis, written in the same step that makes them live.

It is a cache of the end of the channel's log in MongoDB: without holes, of one epoch, and it may
vanish at any time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis

from hub.broker.cluster import ClusterRedis
from hub.broker.connect import command
from hub.broker.keys import Keys
from hub.broker.scripts import Call, Script
from hub.domain import times
from hub.domain.events import Encoded, Position

KEPT: Final = 1000
"""Events a hot log keeps, at least."""

TTL: Final = 3600
"""Seconds after its last event that a hot log lives."""

_PUBLISH: Final = Script("publish")
_FOR_GOOD: Final[Mapping[str, datetime]] = {}


class Batch(Struct, frozen=True):
    """Consecutive events of one channel; the first has the offset ``first``."""

    channel: str
    epoch: str
    first: int
    envelopes: Sequence[bytes]
    traces: Mapping[int, str] = {}
    """The ``traceparent`` of some of them, by offset; told live, and kept nowhere."""

    @property
    def last(self) -> int:
        """Offset of the last event."""
        return self.first + len(self.envelopes) - 1


class HotLog:
    """Publishing events and reading the newest ones back."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def publish(
        self, batches: Sequence[Batch], *, kept_until: Mapping[str, datetime] = _FOR_GOOD
    ) -> None:
        """Appends and makes live, all channels in one round trip (to each server); what the hot
        log has already is skipped, so a repeat is harmless. Raises ``redis.RedisError``.

        ``kept_until``: when a channel's hot log has to be gone, if it has to.
        """
        if batches:
            calls = [self._call(batch, kept_until.get(batch.channel)) for batch in batches]
            await _PUBLISH.run_many(self._redis, calls)

    def _call(self, batch: Batch, kept_until: datetime | None) -> Call:
        keys = [self._keys.log(batch.channel), self._keys.live(batch.channel)]
        told = "cluster" if isinstance(self._redis, ClusterRedis) else "server"
        gone = 0 if kept_until is None else times.to_ms(kept_until)
        traces = ";".join(f"{offset}={trace}" for offset, trace in batch.traces.items())
        head: list[str | int] = [batch.epoch, batch.first, KEPT, TTL, gone, told, traces]
        return Call(keys, [*head, *batch.envelopes])

    async def after(self, channel: str, position: Position, limit: int) -> list[Encoded] | None:
        """Up to ``limit`` events that follow ``position``; None when the hot log does not reach
        back that far (or not so far forward: it cannot tell an end from having vanished)."""
        reply = await command(
            self._redis.xrange(self._keys.log(channel), min=f"{position.offset + 1}-0", count=limit)
        )
        events = []
        for expected, (entry_id, fields) in enumerate(reply, start=position.offset + 1):
            offset = int(entry_id.partition(b"-")[0])
            event = fields.get(b"event")
            same = fields.get(b"epoch") == position.epoch.encode()
            if offset != expected or not same or event is None:
                return None
            events.append(Encoded(offset, event))
        return events or None


def merged(batches: Sequence[Batch]) -> Sequence[Batch]:
    """The same events in fewer batches: those of a channel that follow one another are one.

    The order within a channel stays; between channels it is that of their first batches.
    """
    if len({batch.channel for batch in batches}) == len(batches):
        return batches
    runs: list[list[Batch]] = []
    latest: dict[str, list[Batch]] = {}
    for batch in batches:
        run = latest.get(batch.channel)
        if run is None or run[-1].epoch != batch.epoch or run[-1].last + 1 != batch.first:
            run = latest[batch.channel] = []
            runs.append(run)
        run.append(batch)
    return [_joined(run) for run in runs]


def _joined(run: Sequence[Batch]) -> Batch:
    head = run[0]
    envelopes = [envelope for batch in run for envelope in batch.envelopes]
    traces = {at: trace for batch in run for at, trace in batch.traces.items()}
    return Batch(head.channel, head.epoch, head.first, envelopes, traces)


def parse_live(channel: str, payload: bytes) -> Batch:
    """The batch that ``publish.lua`` put on a live channel. Raises ``ValueError`` for what that
    did not."""
    head, *envelopes = payload.split(b"\n")
    epoch, first, *traces = head.split(b" ")
    if not traces:
        return Batch(channel, epoch.decode(), int(first), envelopes)
    pairs = (each.partition("=") for each in traces[0].decode().split(";"))
    traced = {int(offset): trace for offset, _, trace in pairs}
    return Batch(channel, epoch.decode(), int(first), envelopes, traced)
