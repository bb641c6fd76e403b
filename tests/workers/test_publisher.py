"""The publishers against a real Redis that comes and goes."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
import time
from typing import Any

import pytest
from redis.asyncio import Redis

import workers
from config.settings import Settings
from hub.broker.keys import Keys
from hub.domain.channels import job_channel
from hub.domain.parsing import parse_publication
from hub.embedded import RedisServer
from tests.support.outages import Way, give_back, take_away
from workers import PublicationInvalid, Publisher, RedisUnavailable, SyncPublisher
from workers.messages import JobMessages, Messages


async def journal(settings: Settings, job_id: str) -> list[dict[str, Any]]:
    """What is on the journal of a job's partition."""
    keys = Keys(16)
    async with Redis.from_url(settings.redis_url or "") as redis:
        entries: Any = await redis.xrange(keys.journal(keys.partition(job_channel(job_id))))
    return [json.loads(fields[b"p"]) for _, fields in entries]


async def test_a_publish_is_in_redis_when_it_returns(settings: Settings) -> None:
    async with Publisher(settings.redis_url or "") as hub:
        job = hub.job("j1", project_id="p1", owner_id="u1", watcher_ids=["u2"], important=True)
        ids = [
            await job.start(total_scenarios=12, total_features=3),
            await job.status("GENERATING", message="…"),
            await job.activity(feature="Gestão de Clientes", scenario="Criar cliente"),
            await job.complete(passed=11, failed=1),
        ]
    found = await journal(settings, "j1")
    assert [each["id"] for each in found] == ids
    assert found[0]["totals"] == {"scenarios": 12, "features": 3}
    assert found[2]["activity"]["featureName"] == "Gestão de Clientes"
    for each in found:
        parse_publication(json.dumps(each))


async def test_the_synchronous_publisher_says_the_same(settings: Settings) -> None:
    def report() -> list[str]:
        with SyncPublisher(settings.redis_url or "") as hub:
            job = hub.job("j1", project_id="p1", owner_id="u1")
            return [job.start(), job.progress(50.0), job.fail("GENERATION_TIMEOUT", "too long")]

    ids = await asyncio.to_thread(report)
    found = await journal(settings, "j1")
    assert [each["id"] for each in found] == ids
    assert found[2]["data"] == {"errorCode": "GENERATION_TIMEOUT", "message": "too long"}


def test_both_offer_the_same_names() -> None:
    for name, _ in inspect.getmembers(Messages, inspect.isfunction):
        assert callable(getattr(Publisher, name))
        assert callable(getattr(SyncPublisher, name))
    assert set(workers.__all__) == {
        *("Job", "PublicationInvalid", "PublishError", "Publisher", "RedisUnavailable"),
        *("SyncJob", "SyncPublisher", "traceparent"),
    }
    assert {name for name in vars(JobMessages) if not name.startswith("_")} == {
        *("start", "status", "activity", "scenario_completed", "feature_completed"),
        *("progress", "complete", "fail", "cancel"),
    }


BAD: list[tuple[dict[str, Any], str]] = [
    ({"users": ["u1"], "type": "t", "title": "t", "body": "b", "data": {"a": {1, 2}}}, "data.a"),
    (
        {"users": ["u1"], "type": "t", "title": "t", "body": "b", "data": {"a": [object()]}},
        "data.a[0]",
    ),
    (
        {"users": ["u1"], "type": "t", "title": "t", "body": "b", "data": {"a": float("nan")}},
        "data.a",
    ),
    ({"users": ["u1"], "type": "t", "title": "t", "body": "\ud800"}, "body"),
    ({"users": ["u1"], "type": "t", "title": "t", "body": "x" * 70_000}, "body"),
    (
        {"users": ["u1"], "type": "t", "title": "t", "body": "b", "data": {"a": "x" * 70_000}},
        "data.a",
    ),
    ({"users": ["u1"], "type": "t", "title": "", "body": "b"}, "title"),
    ({"users": ["no spaces"], "type": "t", "title": "t", "body": "b"}, "to.users[0]"),
    ({"users": ["u1"], "everyone": True, "type": "t", "title": "t", "body": "b"}, "to"),
    ({"type": "t", "title": "t", "body": "b"}, "to"),
]


@pytest.mark.parametrize(("arguments", "field"), BAD)
async def test_what_cannot_be_published_raises_at_once_and_names_the_field(
    settings: Settings, arguments: dict[str, Any], field: str
) -> None:
    async with Publisher(settings.redis_url or "") as hub:
        with pytest.raises(PublicationInvalid) as caught:
            await hub.notify(**arguments)
        assert caught.value.field == field
    with SyncPublisher(settings.redis_url or "") as hub_sync, pytest.raises(PublicationInvalid):
        hub_sync.notify(**arguments)


async def test_it_waits_for_a_redis_that_comes_back(
    settings: Settings, redis_server: RedisServer
) -> None:
    async with Publisher(settings.redis_url or "", retry_for=15) as hub:
        job = hub.job("j1", project_id="p1", owner_id="u1")
        first = await job.start()
        redis_server.kill()
        waiting = asyncio.create_task(job.status("PLANNING"))
        await redis_server.start()
        second = await waiting
    assert [each["id"] for each in await journal(settings, "j1")] == [first, second]


@pytest.mark.parametrize("way", list(Way))
async def test_it_raises_when_redis_stays_away(
    settings: Settings, redis_server: RedisServer, way: Way
) -> None:
    await take_away(redis_server, way)
    try:
        await both_raise(settings)
    finally:
        await give_back(redis_server)
    if way is Way.KILLED:  # else it takes, late, what nobody waits for any more
        assert await journal(settings, "j1") == []


async def both_raise(settings: Settings) -> None:
    async with Publisher(settings.redis_url or "", retry_for=0.5) as hub:
        with pytest.raises(RedisUnavailable):
            await hub.job("j1", project_id="p1", owner_id="u1").start()

    def sync() -> float:
        began = time.monotonic()
        with (
            SyncPublisher(settings.redis_url or "", retry_for=0.5) as hub,
            pytest.raises(RedisUnavailable),
        ):
            hub.job("j1", project_id="p1", owner_id="u1").start()
        return time.monotonic() - began

    assert await asyncio.to_thread(sync) < 30


async def test_who_publishes_in_a_loop_ends_when_cancelled(settings: Settings) -> None:
    """redis-py drops a cancellation that comes in a certain moment of sending."""
    dice = random.Random(3)
    async with Publisher(settings.redis_url or "") as hub:

        async def publish() -> None:
            while True:
                await hub.notify(users=["u1"], type="t", title="t", body="b")

        for _ in range(400):
            task = asyncio.create_task(publish())
            await asyncio.sleep(dice.random() * 0.003)
            task.cancel()
            await asyncio.wait([task], timeout=5)
            assert task.cancelled()
