"""Limits over the whole cluster: how much fits, when there is room again, and outages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from config.settings import Rate, Settings
from hub import metrics
from hub.broker.connect import open_redis
from hub.broker.windows import Windows
from hub.domain import codes
from hub.embedded import RedisServer
from hub.services.limits import Limits


class Clock:
    """What the nodes take for the time, and Redis does not."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def counting(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Limits]:
    """What one node has."""
    redis = open_redis(settings.redis_url or "")
    limits = Limits(settings, Windows(redis), clock or Clock())
    task = asyncio.create_task(limits.run())
    try:
        yield limits
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await limits.close()
        await redis.aclose()


def few(settings: Settings, amount: int = 5, seconds: int = 60) -> Settings:
    rate = Rate(amount, seconds)
    return settings.model_copy(update={"rate_connects": rate, "rate_publishes": rate})


async def allowed(limits: Limits, who: str, times: int, cost: int = 1) -> int:
    """How many of so many may."""
    count = 0
    for _ in range(times):
        refusal = await refused(limits, who, cost)
        if refusal is None:
            count += 1
        else:
            assert refusal.code is codes.RATE_LIMITED
            assert 0 < (refusal.retry_after or 0) <= 120
    return count


async def refused(limits: Limits, who: str, cost: int) -> codes.HubError | None:
    try:
        await limits.take("connects", who, cost)
    except codes.HubError as error:
        return error
    return None


async def test_nodes_count_together_and_everybody_for_themselves(settings: Settings) -> None:
    small = few(settings)
    async with counting(small) as one, counting(small) as two:
        before = metrics.LIMITED.by_labels.get(("connects",), 0)
        assert await allowed(one, "a", 3) == 3
        assert await allowed(two, "a", 10) == 2
        assert await allowed(one, "a", 10) == 0
        assert metrics.LIMITED.by_labels[("connects",)] - before == 8 + 10
        assert await allowed(one, "b", 3, cost=2) == 2
        await one.take("publishes", "a", 5)  # another limit
        with pytest.raises(codes.HubError):
            await two.take("publishes", "a", 1)


async def test_what_costs_more_than_a_period_allows_takes_all_of_it(settings: Settings) -> None:
    async with counting(few(settings)) as limits:
        await limits.take("publishes", "a", 500)
        with pytest.raises(codes.HubError):
            await limits.take("publishes", "a", 1)


async def test_many_at_once_are_one_round_trip_and_no_more_than_may(settings: Settings) -> None:
    async with counting(few(settings, 30)) as limits:
        trips = metrics.STORES.counts("redis", "limit_acquire")
        results = await asyncio.gather(
            *(limits.take("connects", "a") for _ in range(100)), return_exceptions=True
        )
        assert results.count(None) == 30
        again = metrics.STORES.counts("redis", "limit_acquire")
        assert sum(again) - sum(trips) <= 3


async def test_who_comes_back_when_told_finds_room(settings: Settings) -> None:
    clock = Clock()
    async with counting(few(settings, 4, 1), clock) as limits:
        assert await allowed(limits, "a", 4) == 4
        for _ in range(3):
            with pytest.raises(codes.HubError) as refused:
                await limits.take("connects", "a")
            wait = refused.value.retry_after or 0
            assert 0 < wait <= 2
            await asyncio.sleep(wait)  # Redis has a clock of its own
            clock.now += wait
            await limits.take("connects", "a")


async def test_who_is_refused_costs_redis_nothing_more(settings: Settings) -> None:
    async with counting(few(settings)) as limits:
        assert await allowed(limits, "a", 6) == 5
        assert not limits.flooding("connects", "a")
        before = sum(metrics.STORES.counts("redis", "limit_acquire"))
        assert await allowed(limits, "a", 30) == 0
        assert sum(metrics.STORES.counts("redis", "limit_acquire")) == before
        assert limits.flooding("connects", "a")
        assert not limits.flooding("connects", "b")


async def test_what_is_noted_is_refused_the_next_time(settings: Settings) -> None:
    async with counting(few(settings)) as limits:
        for _ in range(6):  # the last one is too much, which is noticed while it is done
            limits.note("connects", "a")
            await asyncio.gather(*limits._counting)
        with pytest.raises(codes.HubError):
            limits.note("connects", "a")


async def test_redis_is_told_of_a_twentieth_of_the_rate_at_a_time(settings: Settings) -> None:
    clock = Clock()
    async with counting(few(settings, 100), clock) as limits:

        async def noted(times: int) -> int:
            """How many round trips that takes."""
            before = sum(metrics.STORES.counts("redis", "limit_acquire"))
            for _ in range(times):
                limits.note("connects", "a")
                await asyncio.gather(*limits._counting)
            return sum(metrics.STORES.counts("redis", "limit_acquire")) - before

        assert await noted(4) == 0
        clock.now += 61
        assert await noted(4) == 0  # what was long ago does not count
        assert await noted(1) == 1
        assert await noted(100) == 20
        with pytest.raises(codes.HubError):
            limits.note("connects", "a")


async def test_without_redis_nobody_is_refused_or_waits_long(
    settings: Settings, redis_server: RedisServer
) -> None:
    clock = Clock()
    async with counting(few(settings), clock) as limits:
        assert await allowed(limits, "a", 5) == 5
        redis_server.kill()
        await redis_server.wait()
        async with asyncio.timeout(2):
            assert await allowed(limits, "a", 100) == 100
            limits.note("connects", "a")
        await redis_server.start()
        clock.now += 60
        assert await allowed(limits, "b", 6) == 5


async def test_a_redis_that_hangs_holds_up_nobody(settings: Settings) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        hung = few(settings).model_copy(update={"redis_url": f"redis://127.0.0.1:{port}"})
        async with counting(hung) as limits, asyncio.timeout(2):
            assert await allowed(limits, "a", 100) == 100
