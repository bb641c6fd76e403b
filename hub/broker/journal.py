"""The journal: one Redis stream per partition, the only way in for publications."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from hub import metrics
from hub.broker.connect import command
from hub.broker.keys import Keys
from hub.broker.scripts import Call, Script
from hub.domain import times
from hub.domain.publications import AnyPublication
from hub.telemetry import is_traceparent

GROUP: Final = "ingest"
_LATEST: Final = 4_102_444_800_000  # ms, 2100: whoever appends may give an entry any id
_DEAD_KEPT: Final = 10_000  # per partition; older ones are dropped
_APPEND_ONCE: Final = Script("append_once")
_READ: Final = Script("read_journal")
UNTRACED: Final[Mapping[str, str]] = {}
"""No ``traceparent`` of anything."""


class NotHeld(Exception):
    """Somebody else holds the partition's lease."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A publication in the journal. ``at``: when Redis accepted it; the same however often the
    entry is read."""

    id: str
    raw: bytes
    at: datetime
    traceparent: str = ""  # of whoever published it

    @property
    def order(self) -> tuple[int, int]:
        """The entry's place in its stream: it rises from entry to entry."""
        ms, _, number = self.id.partition("-")
        return int(ms), int(number or 0)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry that can never be processed, and why."""

    entry: Entry
    reason: str


def journal_entry(
    keys: Keys, publication: AnyPublication, traceparent: str = ""
) -> tuple[str, dict[Any, Any]]:
    """The stream that ``publication`` belongs on, and the fields of its entry there."""
    fields: dict[Any, Any] = {"p": publication.encode()}
    if traceparent:
        fields["t"] = traceparent
    return keys.journal(keys.partition(publication.channel)), fields


class Journal:
    """Appending. A publication is durable once ``append`` returned (as far as the Redis server's
    own AOF setting goes); readers may see it twice."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def append(
        self, publications: Iterable[AnyPublication], traces: Mapping[str, str] = UNTRACED
    ) -> None:
        """Appends in order, in one round trip. Raises ``redis.RedisError``; then any part of them
        may be in the journal, and appending them again is harmless. ``traces``: the
        ``traceparent`` of some, by their ids."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for publication in publications:
                trace = traces.get(str(publication.id), "") if traces else ""
                pipe.xadd(*journal_entry(self._keys, publication, trace))
            with metrics.STORES.timed("redis", "append"):
                await pipe.execute()

    async def append_once(
        self, publications: Sequence[AnyPublication], *, remember: int, traceparent: str = ""
    ) -> list[bool]:
        """As ``append``, and says of each whether it is new: False for an id that was appended
        this way within the last ``remember`` seconds. ``traceparent``: of all of them."""
        calls = []
        for publication in publications:
            partition = self._keys.partition(publication.channel)
            mark = self._keys.seen(partition, str(publication.id))
            keys = [self._keys.journal(partition), mark]
            calls.append(Call(keys, [publication.encode(), remember, traceparent]))
        return [bool(new) for new in await _APPEND_ONCE.run_many(self._redis, calls)]


class PartitionReader:
    """Reading one partition. There is one consumer name for whoever holds the partition's lease,
    so what a dead worker had read and not acknowledged is simply read again by the next.

    Promises: whoever lost the lease takes nothing, also if that is news to it. ``holder``: who
    reads; None where there are no leases.
    """

    def __init__(self, redis: Redis, keys: Keys, partition: int, holder: str | None = None) -> None:
        self.partition = partition
        self._redis = redis
        self._journal = keys.journal(partition)
        self._lease = keys.lease(partition)
        self._holder = holder or ""
        self._end = "0"
        self._dead = keys.dead(partition)

    async def pending(self, limit: int) -> list[Entry]:
        """Entries that were read before and never acknowledged, oldest first. Raises ``NotHeld``,
        ``redis.RedisError``."""
        return await self._read("0", limit)

    async def next(self, limit: int, block_ms: int | None) -> list[Entry]:
        """Entries that nobody has read, oldest first; waits up to ``block_ms`` for the first, not
        at all when it is None. Raises ``NotHeld``, ``redis.RedisError``."""
        entries = await self._read(">", limit)
        if entries or block_ms is None or not await self._news(block_ms):
            return entries
        return await self._read(">", limit)

    async def _news(self, block_ms: int) -> bool:
        """Whether anything new came within that time."""
        after: dict[Any, Any] = {self._journal: self._end}
        return bool(await command(self._redis.xread(after, count=1, block=block_ms)))

    async def _read(self, start: str, limit: int) -> list[Entry]:
        args: list[str | bytes | int] = [self._holder, GROUP, "reader", start, limit]
        try:
            reply: Any = await _READ.run(self._redis, Call([self._journal, self._lease], args))
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._create_group()
            return []
        if reply == 0:
            raise NotHeld
        found, end = reply
        self._end = end.decode()
        return [entry_of(id_, _fields(fields)) for id_, fields in found]

    async def _create_group(self) -> None:
        try:
            await command(self._redis.xgroup_create(self._journal, GROUP, id="0", mkstream=True))
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Puts entries on the partition's dead-letter stream, in one round trip."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for letter in letters:
                fields: dict[Any, Any] = {
                    "p": letter.entry.raw,
                    "reason": letter.reason,
                    "entry": letter.entry.id,
                }
                if letter.entry.traceparent:
                    fields["t"] = letter.entry.traceparent
                pipe.xadd(self._dead, fields, maxlen=_DEAD_KEPT, approximate=True)
            await pipe.execute()

    async def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Removes processed entries for good."""
        ids = [entry.id for entry in entries]
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xack(self._journal, GROUP, *ids)
            pipe.xdel(self._journal, *ids)
            await pipe.execute()


def _fields(flat: Sequence[bytes] | None) -> dict[bytes, bytes]:
    """The fields of an entry; none of one that was deleted."""
    pairs = flat or ()
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def entries_of(reply: Any) -> list[Any]:
    """``(id, fields)`` of what streams were read, whatever the shape of the reply."""
    streams = reply.values() if isinstance(reply, dict) else [found for _, found in reply or []]
    return [entry for found in streams for entry in _flat(found)]


def _flat(found: Any) -> list[Any]:
    """One stream's entries, whether the reply nests them once (RESP2) or twice (RESP3)."""
    nested = found and found[0] and isinstance(found[0][0], list | tuple)
    entries: list[Any] = found[0] if nested else found
    return entries


def entry_of(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """The publication of a journal's entry."""
    text = entry_id.decode()
    at = times.from_ms(min(int(text.partition("-")[0]), _LATEST))
    trace = fields.get(b"t", b"").decode(errors="replace")
    return Entry(text, fields.get(b"p", b""), at, trace if is_traceparent(trace) else "")
