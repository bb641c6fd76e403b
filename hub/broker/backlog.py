"""The journals as an operator sees them: what waits, for how long, who reads, and what is dead."""

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from hub.broker.connect import command
from hub.broker.journal import Entry
from hub.broker.keys import INGEST_WORKERS, Keys
from hub.broker.scripts import Call, Script
from hub.domain import times

_REPLAY: Final = Script("replay")
_COMMANDS: Final = 4  # that look at one partition


class Partition(Struct, frozen=True, rename="camel"):
    """One partition. ``oldest``: seconds that its oldest entry has waited, 0 when none does.
    ``reader``: the ingest worker that has its lease."""

    partition: int
    entries: int
    oldest: float
    dead: int
    reader: str | None


class Letter(Struct, frozen=True):
    """A dead letter. ``id``: ``<partition>:<entry>``."""

    id: str
    partition: int
    reason: str
    raw: bytes
    entry: Entry


class Backlog:
    """Looking at all partitions, in one round trip (to each server). Raises ``RedisError``."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def partitions(self) -> list[Partition]:
        """How each of them stands."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for number in range(self._keys.partitions):
                pipe.xlen(self._keys.journal(number))
                pipe.xrange(self._keys.journal(number), count=1)
                pipe.xlen(self._keys.dead(number))
                pipe.get(self._keys.lease(number))
            replies = await pipe.execute()
        now = time.time()
        return [
            _partition(number, replies[_COMMANDS * number :][:_COMMANDS], now)
            for number in range(self._keys.partitions)
        ]

    async def entries(self) -> int:
        """How many publications wait, over all partitions."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for number in range(self._keys.partitions):
                pipe.xlen(self._keys.journal(number))
            return sum(await pipe.execute())

    async def letters(self, before: str | None, limit: int) -> list[Letter]:
        """Up to ``limit`` dead letters, newest first, older than the one with the id ``before``."""
        end = "+" if before is None else before.partition(":")[2]
        async with self._redis.pipeline(transaction=False) as pipe:
            for number in range(self._keys.partitions):
                pipe.xrevrange(self._keys.dead(number), max=end, count=limit + 1)
            replies = await pipe.execute()
        found = [
            _letter(number, entry_id, fields)
            for number, reply in enumerate(replies)
            for entry_id, fields in reply
        ]
        found.sort(key=_place, reverse=True)
        if before is not None:
            place = (*_order(end), int(before.partition(":")[0]))
            found = [letter for letter in found if _place(letter) < place]
        return found[:limit]

    async def replay(self, ids: Sequence[str]) -> list[str]:
        """Puts dead letters back on their journals; those of ``ids`` that there were."""
        return await self._each(ids, "replay")

    async def drop(self, ids: Sequence[str]) -> list[str]:
        """Throws dead letters away; those of ``ids`` that there were."""
        return await self._each(ids, "drop")

    async def _each(self, ids: Sequence[str], what: str) -> list[str]:
        calls = []
        for each in ids:
            partition, _, entry = each.partition(":")
            number = int(partition)
            keys = [self._keys.dead(number), self._keys.journal(number)]
            calls.append(Call(keys, [what, entry]))
        if not calls:
            return []
        answers = await _REPLAY.run_many(self._redis, calls)
        return [each for each, done in zip(ids, answers, strict=True) if done]

    async def waits(self, id_: str, limit: int) -> list[tuple[int, str]]:
        """Where publications of this id, in lower case, wait, as (partition, entry); looks at the
        first ``limit`` of each partition."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for number in range(self._keys.partitions):
                pipe.xrange(self._keys.journal(number), count=limit)
            replies = await pipe.execute()
        return [
            (number, entry_id.decode())
            for number, reply in enumerate(replies)
            for entry_id, fields in reply
            if is_of(fields.get(b"p", b""), id_)
        ]

    async def workers(self) -> int:
        """How many ingest workers there are, about."""
        return int(await command(self._redis.zcard(INGEST_WORKERS)))


class _Named(Struct):
    id: str = ""


def is_of(raw: bytes, id_: str) -> bool:
    """Whether a publication has an id, in lower case; of what cannot be read, whether that is
    somewhere in it."""
    if id_.encode() not in raw.lower():
        return False
    try:
        return msgspec.json.decode(raw, type=_Named).id.lower() == id_
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True


def _partition(number: int, replies: list[Any], now: float) -> Partition:
    entries, first, dead, reader = replies
    oldest = now - int(first[0][0].partition(b"-")[0]) / 1000 if first else 0.0
    holder = None if reader is None else reader.decode()
    return Partition(number, entries, round(max(0.0, oldest), 3), dead, holder)


def _letter(number: int, entry_id: bytes, fields: dict[bytes, bytes]) -> Letter:
    at = entry_id.decode()
    accepted = fields.get(b"entry", entry_id).decode()
    entry = Entry(accepted, fields.get(b"p", b""), times.from_ms(_order(at)[0]))
    reason = fields.get(b"reason", b"").decode(errors="replace")
    return Letter(f"{number:02d}:{at}", number, reason, entry.raw, entry)


def _order(entry_id: str) -> tuple[int, int]:
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number or 0)


def _place(letter: Letter) -> tuple[int, int, int]:
    return (*_order(letter.id.partition(":")[2]), letter.partition)
