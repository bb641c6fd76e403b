"""The path of issue one: published → stored → delivered → resumed, with the stock JS client."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.jsclient import JsClient, js_client
from tests.support.play import EVENTS, FEATURES, steps
from tests.support.system import System
from workers import Publisher

JOB = "550e8400-e29b-41d4-a716-446655440000"
CHANNEL = f"job:{JOB}"
ALL = list(range(1, EVENTS + 1))


async def joined(client: JsClient) -> None:
    await client.until(lambda c: c.named("subscribed"))


def complete(client: JsClient) -> bool:
    return len(client.events(CHANNEL)) >= EVENTS


def expected_progress() -> dict[int, dict[str, Any]]:
    """The progress of each offset that has one, from the plan alone."""
    offset, scenarios, features = 3, 0, 0
    found = {}
    for count in FEATURES.values():
        for kind in ["scenario"] * count + ["feature"]:
            offset += 1
            scenarios += kind == "scenario"
            features += kind == "feature"
            found[offset] = {
                "completedScenarios": scenarios,
                "totalScenarios": 12,
                "completedFeatures": features,
                "totalFeatures": 3,
                "percentage": round(100 * scenarios / 12, 2),
            }
    return found


async def test_everyone_sees_the_same_job_whenever_they_join(system: System) -> None:
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(Publisher(system.settings.redis_url or ""))
        job = hub.job(JOB, project_id="p1", owner_id="u1")
        await job.start(total_scenarios=12, total_features=3)
        early = await stack.enter_async_context(
            js_client(system.url, system.token(), follow=[CHANNEL])
        )
        cut = await stack.enter_async_context(
            js_client(system.url, system.token("u2"), follow=[CHANNEL])
        )
        await early.until(lambda c: c.named("subscribed") or c.named("refused"))
        await joined(cut)

        ids = []
        for number, step in enumerate(steps(job), start=1):
            if number == 6:
                await cut.until(lambda c: c.offsets(CHANNEL) == [1, 2, 3, 4, 5])
                await cut.do("offline")
            if number == 8:
                await early.until(lambda c: 7 in c.offsets(CHANNEL))
                late = await stack.enter_async_context(
                    js_client(system.url, system.token("u3"), follow=[CHANNEL])
                )
                await joined(late)
            if number == 10:
                await cut.do("online")
            ids.append(await step())
        for client in (early, cut, late):
            await client.until(complete)

        events = early.events(CHANNEL)
        assert [event["id"] for event in events] == ids
        for client in (early, cut, late):
            assert client.offsets(CHANNEL) == ALL
            assert client.events(CHANNEL) == events
        assert cut.named("subscribed")[1][1] == "REPLAYED"
        check_events(events)


def check_events(events: list[dict[str, Any]]) -> None:
    progress = expected_progress()
    for event in events:
        assert event["v"] == 1
        assert event["jobId"] == JOB
        assert event["channel"] == CHANNEL
        assert event["epoch"] == events[0]["epoch"]
        assert event.get("progress") == progress.get(event["offset"])
    assert [event["data"]["previousStatus"] for event in events[:3]] == [
        "CREATED",
        "PLANNING",
        "PLANNED",
    ]
    assert events[3]["data"] == {
        "scenarioId": "s1.1",
        "featureId": "f1",
        "featureName": "Autenticação de Usuários",
        "title": "Cenário 1 de Autenticação de Usuários",
        "stepsCount": 4,
    }
    summary = events[-1]["data"]["summary"]
    assert summary.pop("duration").startswith("PT")
    assert summary == {
        "featuresGenerated": 3,
        "scenariosGenerated": 12,
        "totalSteps": 48,
        "passed": 11,
        "failed": 1,
    }


@pytest.mark.timeout(120)
async def test_no_killed_process_loses_or_repeats_anything(system: System) -> None:
    """kill -9 of the node, of the ingest worker and of Redis, one after the other, mid-job."""
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(Publisher(system.settings.redis_url or ""))
        job = hub.job(JOB, project_id="p1", owner_id="u1")
        await job.start(total_scenarios=12, total_features=3)
        clients = [
            await stack.enter_async_context(
                js_client(system.url, system.token(user), follow=[CHANNEL])
            )
            for user in ("u1", "u2", "u3")
        ]
        for client in clients:
            await client.until(lambda c: c.named("subscribed") or c.named("refused"))

        plan = steps(job)
        for number, step in enumerate(plan, start=1):
            if number == 5:
                await system.node.kill()
                restart = asyncio.create_task(system.node.start())
            elif number == 10:
                await restart
                await system.ingest.kill()
                restart = asyncio.create_task(system.ingest.start())
            elif number == 15:
                await restart
                system.redis.kill()
                restart = asyncio.create_task(system.redis.start())
            await step()
        await restart
        for client in clients:
            await client.until(complete)
            assert client.offsets(CHANNEL) == ALL
            assert client.events(CHANNEL) == clients[0].events(CHANNEL)
        check_events(clients[0].events(CHANNEL))


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
async def test_a_long_absence_is_replayed_on_every_transport(
    system: System, transports: list[str]
) -> None:
    """More than the outbox holds at once: 400 notifications of 4 KB."""
    async with Publisher(system.settings.redis_url or "") as hub:
        sent = [
            await hub.notify(users=["u1"], type="a.b", title=str(n), body="x" * 4000)
            for n in range(400)
        ]
        async with js_client(system.url, system.token()) as witness:
            await witness.until(lambda c: c.named("hello"))
            last = await hub.notify(users=["u1"], type="a.b", title="last", body="now")
            await witness.until(lambda c: c.events("user:u1"), limit=60)
            while witness.events("user:u1")[-1]["id"] != last:
                await witness.until(lambda c: c.events("user:u1")[-1]["id"] == last, limit=60)
        auth = {"token": system.token(), "channels": {"user:u1": {"offset": 0}}}
        async with js_client(system.url, None, auth=auth, transports=transports) as client:
            await client.until(lambda c: len(c.events("user:u1")) >= 401)
            assert [event["id"] for event in client.events("user:u1")] == [*sent, last]
            assert client.offsets("user:u1") == list(range(1, 402))
            assert len(client.named("connect")) == 1
