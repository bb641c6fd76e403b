"""Saving and renewing the legs of sessions, on a real Redis that also fails."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.settings import Settings
from hub.broker import sessions as sessions_module
from hub.broker.connect import open_redis
from hub.broker.keys import Keys
from hub.broker.scripts import Script
from hub.broker.sessions import Leg, Sessions
from hub.embedded import RedisServer
from tests.support.wait import eventually

KEYS = Keys(16)
PID = "a" * 24
KEEP = 60.0


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    opened = open_redis(settings.redis_url or "")
    yield opened
    await opened.aclose()


@asynccontextmanager
async def running(redis: Redis, keep: float = KEEP) -> AsyncIterator[Sessions]:
    """Sessions that are saved; at the end their node dies."""
    sessions = Sessions(redis, KEYS, keep)
    task = asyncio.create_task(sessions.run())
    try:
        yield sessions
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled():
        task.result()


def leg(content: bytes | Callable[[], bytes], name: str = "leg1") -> Leg:
    return Leg(PID, name, content if callable(content) else lambda: content)


async def remaining(redis: Redis, name: str = "leg1") -> float:
    """Seconds that the leg has left."""
    return float(await redis.pttl(KEYS.session(PID, name))) / 1000


async def test_what_was_saved_is_loaded(redis: Redis) -> None:
    async with running(redis) as sessions:
        assert await sessions.load(PID, "leg1") == b""
        await sessions.saved(leg(b'{"a b": "c d"}'))
        assert await sessions.load(PID, "leg1") == b'{"a b": "c d"}'
        assert await sessions.load(PID, "leg2") == b""


async def test_a_leg_is_saved_as_it_is_when_its_turn_comes(redis: Redis) -> None:
    content = b"1"
    async with running(redis) as sessions:
        one = leg(lambda: content)
        await sessions.saved(one)
        sessions.save(one)
        content = b"2"
        await sessions.saved(one)
        assert await sessions.load(PID, "leg1") == b"2"


async def test_all_that_changes_in_one_turn_leaves_in_one_round_trip(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: list[int] = []
    run_many = Script.run_many

    async def counted(self: Script, redis: Redis, calls: Any) -> list[Any]:
        trips.append(sum(len(call.keys) for call in calls))
        assert len(calls) <= KEYS.partitions
        return await run_many(self, redis, calls)

    monkeypatch.setattr(Script, "run_many", counted)
    async with running(redis) as sessions:
        legs = [Leg(f"{n:024}", "leg1", lambda: b"x") for n in range(501)]
        await asyncio.gather(*map(sessions.saved, legs[:500]))
        assert trips == [500]
        await asyncio.gather(*map(sessions.saved, legs))
        assert trips == [500, 500, 1]
        assert [await sessions.load(leg.pid, "leg1") for leg in legs] == [b"x"] * 501


async def test_an_earlier_save_never_replaces_a_later_one(redis: Redis) -> None:
    """As when a save timed out, and Redis carries it out after the next one all the same."""
    async with running(redis) as sessions:
        content = b"earlier"
        one = leg(lambda: content)
        await sessions.saved(one)
        late = sessions._calls([one.save(KEEP)])
        content = b"later"
        await sessions.saved(one)
        await sessions_module._SAVE.run_many(redis, late)
        assert await sessions.load(PID, "leg1") == b"later"


async def test_a_lost_leg_is_kept_for_as_long_as_was_said(redis: Redis) -> None:
    async with running(redis) as sessions:
        one = leg(b"x")
        await sessions.saved(one)
        assert await remaining(redis) > KEEP
        sessions.lose(one)
        await sessions.saved(one)
        assert KEEP - 5 < await remaining(redis) <= KEEP
        assert len(sessions) == 0


async def test_an_ended_leg_is_gone_at_once_and_stays_gone(redis: Redis) -> None:
    async with running(redis) as sessions:
        one, other, before = leg(b"x"), leg(b"y", "leg2"), "leg0"
        await redis.set(KEYS.session(PID, before), b"7 z")
        for each in (one, other):
            await sessions.saved(each)
        sessions.save(one)
        sessions.end(one, before)
        sessions.save(one)
        await sessions.saved(one)
        await sessions.saved(other)
        assert [await sessions.load(PID, f"leg{n}") for n in range(3)] == [b"", b"", b"y"]
        assert len(sessions) == 1


async def test_a_leg_lives_as_long_as_its_node(redis: Redis) -> None:
    legs = [leg(b"x", f"leg{n}") for n in range(40)]
    keys = [KEYS.session(PID, each.name) for each in legs]
    ends: list[set[int]] = [set() for _ in legs]

    async def all_renewed_twice() -> bool:
        for key, seen in zip(keys, ends, strict=True):
            seen.add(await redis.pexpiretime(key))
        return min(map(len, ends)) > 2

    async with running(redis, keep=3) as sessions:
        for each in legs:
            await sessions.saved(each)
        await eventually(all_renewed_twice)
        assert all(end > 0 for seen in ends for end in seen), "one was gone"

    async def gone() -> bool:
        return await redis.exists(*keys) == 0

    await eventually(gone)


async def test_the_renewals_of_a_crowd_are_spread(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(redis, keep=2.0) as sessions:
        legs = [leg(b"x", f"leg{n}") for n in range(160)]
        await asyncio.gather(*map(sessions.saved, legs))
        renewed: list[int] = []
        flush = Sessions._flush

        async def counted(self: Sessions) -> bool:
            renewed.append(len(self._changed))
            return await flush(self)

        monkeypatch.setattr(Sessions, "_flush", counted)

        async def all_renewed() -> bool:
            return sum(renewed) >= 320

        await eventually(all_renewed)
        assert set(renewed) == {10}


async def test_after_redis_forgot_everything_is_saved_again(redis: Redis) -> None:
    async with running(redis) as sessions:
        for n in range(600):
            sessions.save(leg(b"x", f"leg{n}"))
        await sessions.saved(leg(b"x", "last"))
        await redis.flushall()
        await redis.script_flush()
        sessions.save_all()

        async def all_there() -> bool:
            return await redis.dbsize() == 601

        await eventually(all_there)


async def test_an_outage_fails_soon_and_is_made_good(
    redis: Redis, redis_server: RedisServer
) -> None:
    loop = asyncio.get_running_loop()
    async with running(redis) as sessions:
        content = b"1"
        one = leg(lambda: content)
        await sessions.saved(one)
        redis_server.kill()
        content = b"2"
        began = loop.time()
        with pytest.raises((OSError, RedisError)):
            await sessions.saved(one)
        assert loop.time() - began < 2.2
        await redis_server.start()

        async def saved() -> bool:
            return await sessions.load(PID, "leg1") == b"2"

        await eventually(saved)


async def test_nobody_waits_longer_than_2_s_on_a_redis_that_hangs(
    redis: Redis, redis_server: RedisServer
) -> None:
    loop = asyncio.get_running_loop()
    async with running(redis) as sessions:
        one, other = leg(b"x"), leg(b"x", "leg2")
        await sessions.saved(one)
        os.kill(redis_server.pid, signal.SIGSTOP)
        try:
            sessions.save(one)
            await asyncio.sleep(0.5)
            began = loop.time()
            with pytest.raises((OSError, TimeoutError, RedisError)):
                await sessions.saved(other)
            assert loop.time() - began < 2.3
        finally:
            os.kill(redis_server.pid, signal.SIGCONT)


async def test_what_waits_at_the_end_is_saved(redis: Redis) -> None:
    async with running(redis) as sessions:
        one, ended = leg(b"x"), leg(b"y", "leg2")
        await sessions.saved(ended)
    sessions.lose(one)
    sessions.end(ended)
    await sessions.close()
    assert await sessions.load(PID, "leg1") == b"x"
    assert await sessions.load(PID, "leg2") == b""
