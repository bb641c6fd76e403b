"""The HTTP resources of the first issue, on a running hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from hub.domain.ids import uuid7
from tests.support.jsclient import js_client
from tests.support.play import EVENTS, steps
from tests.support.system import System
from tests.support.wait import eventually
from workers import Publisher

JOB = "550e8400-e29b-41d4-a716-446655440000"


class Caller:
    """Requests as one user."""

    def __init__(self, session: ClientSession, base: str, token: str) -> None:
        self._session = session
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str, **query: Any) -> tuple[int, Any]:
        url = self._base + path
        async with self._session.get(url, params=query, headers=self._headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        url = self._base + path
        async with self._session.post(url, json=body, headers=self._headers | headers) as answer:
            return answer.status, await answer.json(content_type=None)


@pytest.fixture
async def caller(system: System) -> AsyncIterator[Caller]:
    async with ClientSession() as session:
        yield Caller(session, system.url, system.token(roles=("user", "service")))


async def played(system: System, caller: Caller, kind: str = "GENERATION_JOB") -> None:
    """A whole job, stored."""
    async with Publisher(system.settings.redis_url or "") as hub:
        job = hub.job(JOB, project_id="p1", owner_id="u1", kind=kind)
        await job.start(total_scenarios=12, total_features=3)
        for step in steps(job):
            await step()

    async def ended() -> bool:
        _, snapshot = await caller.get(f"/v1/jobs/{JOB}/progress")
        return bool(snapshot.get("status") == "COMPLETED")

    await eventually(ended)


async def test_progress_is_the_snapshot_of_the_requirements(system: System, caller: Caller) -> None:
    async with (
        Publisher(system.settings.redis_url or "") as hub,
        js_client(system.url, system.token()) as client,
    ):
        job = hub.job(JOB, project_id="p1", owner_id="u1")
        await job.start(total_scenarios=12, total_features=3)
        while not (await client.command("subscribe", {"channel": f"job:{JOB}"}))["ok"]:
            pass
        for step in steps(job)[:6]:
            await step()
        await job.activity(feature="Gestão de Clientes", scenario="Criar cliente")
        await job.progress(25.0)  # follows the activity: once it is heard, both are stored
        await client.until(lambda c: 7 in c.offsets(f"job:{JOB}"))
    status, snapshot = await caller.get(f"/v1/generation-jobs/{JOB}/progress")
    assert status == 200
    assert snapshot["jobId"] == JOB
    assert snapshot["status"] == "GENERATING"
    assert snapshot["currentActivity"] == {
        "type": "GENERATING_SCENARIO",
        "featureName": "Gestão de Clientes",
        "scenarioTitle": "Criar cliente",
    }
    assert snapshot["progress"] == {
        "completedScenarios": 3,
        "totalScenarios": 12,
        "completedFeatures": 0,
        "totalFeatures": 3,
        "percentage": 25.0,
    }
    assert [event["type"] for event in snapshot["recentEvents"]][3:6] == ["SCENARIO_COMPLETED"] * 3
    assert set(snapshot["recentEvents"][3]) == {"type", "scenarioId", "title", "timestamp"}
    assert snapshot["estimatedTimeRemaining"].startswith("PT")
    assert snapshot["offset"] == 7
    assert {"startedAt", "updatedAt", "epoch"} <= snapshot.keys()


async def test_history_pages_without_missing_or_repeating(system: System, caller: Caller) -> None:
    await played(system, caller)
    path = f"/v1/generation-jobs/{JOB}/events"
    status, whole = await caller.get(path)
    assert status == 200
    assert [event["offset"] for event in whole["events"]] == list(range(1, EVENTS + 1))
    assert (whole["hasMore"], whole["nextCursor"]) == (False, None)
    for limit in (1, 7, EVENTS, 1000):
        events: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            _, page = await caller.get(path, limit=limit, **cursor)
            assert len(page["events"]) <= limit
            events += page["events"]
            if not page["hasMore"]:
                break
            cursor = {"cursor": page["nextCursor"]}
        assert events == whole["events"], limit
    features = [e for e in whole["events"] if e["type"] == "FEATURE_COMPLETED"]
    assert (await caller.get(path, type="FEATURE_COMPLETED"))[1]["events"] == features
    since = whole["events"][9]["timestamp"]
    later = [event for event in whole["events"] if event["timestamp"] > since]
    assert (await caller.get(path, since=since))[1]["events"] == later


async def test_each_path_serves_its_kind(system: System, caller: Caller) -> None:
    await played(system, caller, "TEAM_EXECUTION")
    assert (await caller.get(f"/v1/team-executions/{JOB}/events"))[0] == 200
    assert (await caller.get(f"/v1/jobs/{JOB}/events"))[0] == 200
    status, problem = await caller.get(f"/v1/generation-jobs/{JOB}/events")
    assert (status, problem["errorCode"]) == (404, "JOB_NOT_FOUND")


async def test_publishing_over_http_has_effect_once(system: System, caller: Caller) -> None:
    notice = {
        "id": uuid7(),
        "kind": "NOTIFICATION",
        "to": {"users": ["u1"]},
        "type": "team.updated",
        "title": "t",
        "body": "b",
    }
    async with js_client(system.url, system.token()) as client:
        await client.until(lambda c: c.named("hello"))
        first = {"accepted": 1, "duplicates": 0, "ids": [notice["id"]]}
        again = {"accepted": 0, "duplicates": 1, "ids": [notice["id"]]}
        body = {"items": [notice]}
        assert await caller.post("/v1/publish", body, **{"Idempotency-Key": "k1"}) == (202, first)
        assert await caller.post("/v1/publish", body, **{"Idempotency-Key": "k1"}) == (202, first)
        assert await caller.post("/v1/publish", body) == (202, again)
        other = {"items": [{**notice, "id": uuid7()}]}
        status, problem = await caller.post("/v1/publish", other, **{"Idempotency-Key": "k1"})
        assert (status, problem["errorCode"]) == (409, "CONFLICT")
        assert (await caller.post("/v1/publish", other))[1]["accepted"] == 1
        await client.until(lambda c: len(c.events("user:u1")) >= 2)
        assert [event["id"] for event in client.events("user:u1")] == [
            notice["id"],
            other["items"][0]["id"],
        ]


async def test_health_tells_which_store_is_away(system: System, caller: Caller) -> None:
    assert await caller.get("/healthz") == (200, {"status": "ok"})
    assert (await caller.get("/readyz"))[0] == 200
    system.mongo.kill()
    status, state = await caller.get("/readyz")
    assert status == 503
    assert state["dependencies"]["redis"] == "ok"
    assert state["dependencies"]["mongo"] != "ok"
    status, problem = await caller.get(f"/v1/jobs/{JOB}/progress")
    assert (status, problem["errorCode"]) == (503, "UNAVAILABLE")
    await system.mongo.start()

    async def ready() -> bool:
        return (await caller.get("/readyz"))[0] == 200

    await eventually(ready)
