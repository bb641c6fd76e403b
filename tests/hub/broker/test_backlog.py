"""The journals as an operator sees them: a publication is found wherever it is."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from hub.broker.backlog import Backlog, Letter, Waiting, is_of
from hub.broker.connect import open_redis
from hub.broker.journal import DeadLetter, PartitionReader
from hub.broker.keys import Keys
from hub.domain import ids, times
from hub.embedded import RedisServer

ID = "01a21e93-d222-70ed-a478-8506b33f4dfb"
DEEP = f'{{"id":"{ID}","x":{"[" * 20_000}{"]" * 20_000}}}'
KEYS = Keys(16)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LONG_AGO = "1600000000000"


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    async with open_redis(server.url) as client:
        yield client


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (json.dumps({"id": ID}), True),
        (json.dumps({"id": ID.upper()}), True),
        (json.dumps({"id": "another", "jobId": ID}), False),
        (json.dumps({"jobId": ID}), False),
        (json.dumps({"id": [ID]}), True),
        (f'{{"id": "{ID}', True),
        (DEEP, True),
        ("nonsense", False),
    ],
)
def test_by_its_id_or_where_it_cannot_be_read_by_its_text(raw: str, found: bool) -> None:
    assert is_of(raw.encode(), ID) is found


async def searched(redis: Redis, id_: str) -> tuple[Waiting | Letter | None, int]:
    """What is found, and in how many steps, of which each looks at little."""
    search, steps = Backlog(redis, KEYS).search(id_), 0
    while search.found is None and not search.over:
        before, steps = search.looked, steps + 1
        await search.step()
        assert search.looked - before < 1_000_000
    return search.found, steps


async def fill(redis: Redis, number: int, count: int, size: int, **more: str) -> None:
    """Publications of half a minute ago."""
    now = times.to_ms(times.now())
    async with redis.pipeline(transaction=False) as pipe:
        for place in range(count):
            publication = {"id": ids.uuid7(), "body": "x" * size} | more
            fields = {"p": json.dumps(publication)}
            pipe.xadd(KEYS.journal(number), fields, id=f"{now - 30_000}-{place}")  # type: ignore[arg-type]
        await pipe.execute()


@pytest.mark.parametrize("id_", [ids.uuid7(), str(uuid.uuid4())], ids=["uuid7", "uuid4"])
async def test_what_waits_is_found_behind_any_number_of_others(redis: Redis, id_: str) -> None:
    for number in range(3):
        await fill(redis, number, 3000, 1000)
    await redis.xadd(KEYS.journal(2), {"p": (raw := json.dumps({"id": id_.upper()}))})
    found, steps = await searched(redis, id_)
    assert isinstance(found, Waiting)
    assert (found.partition, found.entry.raw) == (2, raw.encode())
    assert steps < 80
    nothing, steps = await searched(redis, str(uuid.uuid4()))
    assert nothing is None
    assert 40 < steps < 150


async def test_an_id_that_tells_its_time_is_found_at_once(redis: Redis) -> None:
    """However much waits from before."""
    async with redis.pipeline(transaction=False) as pipe:
        for place in range(1000):
            pipe.xadd(KEYS.journal(1), {"p": b"x" * 10_000}, id=f"{LONG_AGO}-{place}")
        await pipe.execute()
    await redis.xadd(KEYS.journal(1), {"p": json.dumps({"id": (id_ := ids.uuid7())})})
    found, steps = await searched(redis, id_)
    assert isinstance(found, Waiting)
    assert steps <= 16


@pytest.mark.parametrize("id_", [ids.uuid7(), str(uuid.uuid4())], ids=["uuid7", "uuid4"])
async def test_it_is_found_also_where_the_clock_was_wrong(redis: Redis, id_: str) -> None:
    await redis.xadd(KEYS.journal(1), {"p": json.dumps({"id": id_})}, id=f"{LONG_AGO}-0")
    found, _ = await searched(redis, id_)
    assert isinstance(found, Waiting)
    assert times.to_ms(found.entry.at) == int(LONG_AGO)


async def test_what_only_names_the_id_is_passed_over(redis: Redis) -> None:
    await fill(redis, 4, 500, 1000, jobId=(id_ := ids.uuid7()))
    assert (await searched(redis, id_))[0] is None
    await redis.xadd(KEYS.journal(4), {"p": json.dumps({"id": id_})})
    assert isinstance((await searched(redis, id_))[0], Waiting)


async def test_a_letter_is_found_and_says_when_it_was_accepted(redis: Redis) -> None:
    reader = PartitionReader(redis, KEYS, 5)
    assert await reader.next(10, None) == []  # the group is made
    raw = json.dumps({"id": (id_ := ids.uuid7())})
    await redis.xadd(KEYS.journal(5), {"p": raw}, id=f"{LONG_AGO}-7")
    (entry,) = await reader.next(10, None)
    await reader.bury([DeadLetter(entry, "why")])
    await reader.acknowledge([entry])
    found, _ = await searched(redis, id_)
    assert isinstance(found, Letter)
    assert (found.partition, found.reason, found.raw) == (5, "why", raw.encode())
    assert found.entry == entry
    assert await Backlog(redis, KEYS).letters(None, 10) == [found]


@pytest.mark.parametrize("fields", [{"p": b"{}"}, {"p": b"{}", "t": TRACEPARENT}])
async def test_a_letter_goes_back_as_it_came(redis: Redis, fields: dict[str, str]) -> None:
    reader = PartitionReader(redis, KEYS, 5)
    assert await reader.next(10, None) == []
    await redis.xadd(KEYS.journal(5), fields)  # type: ignore[arg-type]
    (entry,) = await reader.next(10, None)
    await reader.bury([DeadLetter(entry, "why")])
    await reader.acknowledge([entry])
    (letter,) = await Backlog(redis, KEYS).letters(None, 10)
    assert await Backlog(redis, KEYS).replay([letter.id]) == [letter.id]
    (again,) = await reader.next(10, None)
    assert (again.raw, again.traceparent) == (entry.raw, fields.get("t", ""))
    assert await redis.xlen(KEYS.dead(5)) == 0
