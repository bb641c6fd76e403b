"""The journals as an operator sees them: what waits, for how long, who reads, and what is dead."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from hub.broker.connect import command
from hub.broker.journal import Entry, entry_of
from hub.broker.keys import INGEST_WORKERS, Keys
from hub.broker.scripts import Call, Script
from hub.domain.ids import minted_at

_REPLAY: Final = Script("replay")
_SEARCH: Final = Script("search")
_LOOKED_AT: Final = 256 * 1024  # bytes, in one step
_SKEW: Final = 60_000  # milliseconds that the clock of whoever minted an id may be ahead
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
    """A dead letter. ``id``: ``<partition>:<entry>``, as it is among the letters; ``entry``: as it
    was on the journal."""

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

    def search(self, id_: str) -> "Search":
        """Looking for the publication with this id, in lower case."""
        return Search(self._redis, self._keys, id_)

    async def workers(self, within: float) -> int:
        """How many ingest workers have shown life within so many seconds."""
        since = time.time() - within
        return int(await command(self._redis.zcount(INGEST_WORKERS, since, "+inf")))


class Waiting(Struct, frozen=True):
    """A publication on its journal."""

    partition: int
    entry: Entry


class Search:
    """Looks for a publication on all journals and among all dead letters, as far back as they
    reach. A step looks at a bounded part, so that nobody waits long behind it: not on the server,
    which takes a millisecond or two for it, nor on this loop, which gets only what has the id.

    The hub's ids tell when they were minted, so what came since then is looked at first. ``found``:
    where it is. ``over``: that everything was looked at. ``looked``: at so many bytes.
    """

    def __init__(self, redis: Redis, keys: Keys, id_: str) -> None:
        self._redis = redis
        self._id = id_
        self._left = deque(_stretches(keys, id_))
        self.found: Waiting | Letter | None = None
        self.looked = 0

    @property
    def over(self) -> bool:
        """See above."""
        return not self._left

    async def step(self) -> None:
        """Looks at the next part, in one round trip. Raises ``redis.RedisError``."""
        first = self._left[0]
        args: list[str | bytes | int] = [self._id, first.begin, first.end, _LOOKED_AT]
        last, looked, entries = await _SEARCH.run(self._redis, Call([first.stream], args))
        self.looked += looked
        for entry_id, flat in entries:
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            if is_of(fields[b"p"], self._id):
                self.found = first.made(first.partition, entry_id, fields)
                return
        self._left.popleft()
        if last:  # the other streams of this kind have their turn before the rest of this one
            rest = replace(first, begin=f"({last.decode()}")
            self._left.insert(sum(each.turn == first.turn for each in self._left), rest)


_Made = Callable[[int, bytes, dict[bytes, bytes]], Waiting | Letter]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of a stream. Those of a lower ``turn`` are looked at first."""

    turn: int
    stream: str
    partition: int
    begin: str
    end: str
    made: _Made


def _stretches(keys: Keys, id_: str) -> list[_Stretch]:
    """All journals, then all dead letters; since the id was minted, and then those before. What is
    buried meanwhile is a letter before it is off its journal, so it is found as one of both."""
    split = max(0, minted_at(id_) - _SKEW)
    parts = [(f"{split}-0", "+"), *([("-", f"({split}-0")] if split else ())]
    kinds: list[tuple[Callable[[int], str], _Made]] = [
        (keys.journal, _waiting),
        (keys.dead, _letter),
    ]
    return [
        _Stretch(turn, stream(number), number, begin, end, made)
        for turn, ((begin, end), (stream, made)) in enumerate(product(parts, kinds))
        for number in range(keys.partitions)
    ]


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


def _waiting(number: int, entry_id: bytes, fields: dict[bytes, bytes]) -> Waiting:
    return Waiting(number, entry_of(entry_id, fields))


def _partition(number: int, replies: list[Any], now: float) -> Partition:
    entries, first, dead, reader = replies
    oldest = now - int(first[0][0].partition(b"-")[0]) / 1000 if first else 0.0
    holder = None if reader is None else reader.decode()
    return Partition(number, entries, round(max(0.0, oldest), 3), dead, holder)


def _letter(number: int, entry_id: bytes, fields: dict[bytes, bytes]) -> Letter:
    entry = entry_of(fields.get(b"entry", entry_id), fields)
    reason = fields.get(b"reason", b"").decode(errors="replace")
    return Letter(f"{number:02d}:{entry_id.decode()}", number, reason, entry.raw, entry)


def _order(entry_id: str) -> tuple[int, int]:
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number or 0)


def _place(letter: Letter) -> tuple[int, int, int]:
    return (*_order(letter.id.partition(":")[2]), letter.partition)
