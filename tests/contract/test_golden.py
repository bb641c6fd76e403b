"""What each door says, field by field beside the samples of the progress requirements."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from hub.gateways.http.documents import JobEvent, JobHistory, JobSnapshot
from tests.e2e.conftest import system as system
from tests.support.doors import address, bearer, raw, source
from tests.support.play import steps
from tests.support.sioline import line
from tests.support.system import System
from tests.support.wait import eventually
from workers import Job, Publisher

SAMPLES = {
    path.stem: json.loads(path.read_text())
    for path in (Path(__file__).parent / "protocol").glob("*.json")
}
DONE, FAILED = "550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440001"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
DURATION = re.compile(r"PT(\d+H)?(\d+M)?(\d+S)?")
MORE = {
    "event": {"v", "id", "channel", "epoch", "offset"},
    "progress": {"jobKind", "projectId", "updatedAt", "epoch", "offset"},
    "data": {"message"},  # of a status, where there is none in the sample
}
"""What the contract adds to a sample's fields."""


def differences(sample: Any, found: Any, path: str = "", more: set[str] | None = None) -> list[str]:
    """Where ``found`` is not of the sample's form: other fields, other types, other formats."""
    if isinstance(sample, dict) and isinstance(found, dict):
        missing = [f"{path}.{name} is missing" for name in sample.keys() - found.keys()]
        extra = found.keys() - sample.keys() - (more or set())
        told = [*missing, *(f"{path}.{name} is not in the sample" for name in extra)]
        for name in sample.keys() & found.keys():
            told += differences(sample[name], found[name], f"{path}.{name}", MORE.get(name))
        return told
    if isinstance(sample, list) and isinstance(found, list):
        return [
            each
            for like in sample
            for item in found
            if item["type"] == like["type"]
            for each in differences(like, item, f"{path}[]", MORE["event"])
        ]
    for form in (INSTANT, DURATION):
        if isinstance(sample, str) and form.fullmatch(sample):
            fits = isinstance(found, str) and form.fullmatch(found)
            return [] if fits else [f"{path}: {found!r} is not like {sample!r}"]
    if type(sample) is not type(found):
        return [f"{path}: {found!r} is not a {type(sample).__name__}"]
    if isinstance(sample, str) and sample.isupper() and "_" in sample:  # one of an enumeration
        return [] if found.isupper() else [f"{path}: {found!r} is not like {sample!r}"]
    return []


def check(event: dict[str, Any]) -> None:
    """An event is of its sample's form, and of the document's."""
    msgspec.convert(event, JobEvent)
    sample = SAMPLES[event["type"].lower()]
    if "message" not in event["data"] and event["type"] == "JOB_STATUS_CHANGED":
        data = {key: value for key, value in sample["data"].items() if key != "message"}
        sample = sample | {"data": data}
    assert differences(sample, event, event["type"], MORE["event"]) == []
    assert event["type"] == sample["type"]


def test_the_comparison_finds_what_is_different() -> None:
    sample = SAMPLES["job_completed"]
    broken = json.loads(json.dumps(sample))
    broken["data"]["summary"]["duration"] = 330
    broken["data"]["summary"]["passed"] = "11"
    del broken["data"]["status"]
    broken["when"] = broken.pop("timestamp")
    assert len(differences(sample, broken)) == 5


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def play(system: System, http: ClientSession, job: Job, *, fail: bool) -> dict[str, Any]:
    """Plays a job; the snapshot in the middle of it."""
    url, headers = address(system.url, job.id), bearer(system.token())
    plan = steps(job)
    for step in plan[:10]:
        await step()
    await job.activity(feature="Gestão de Clientes", scenario="Criar cliente com dados válidos")
    snapshot: dict[str, Any] = {}

    async def there() -> bool:
        async with http.get(url, headers=headers) as answer:
            snapshot.update(await answer.json(content_type=None))
        return bool(snapshot.get("offset") == 10 and snapshot["currentActivity"])

    await eventually(there)
    for step in plan[10:-1]:
        await step()
    await (job.fail("GENERATION_TIMEOUT", "Generation timed out") if fail else plan[-1]())
    return snapshot


@pytest.mark.parametrize("fail", [False, True], ids=["completed", "failed"])
async def test_every_door_speaks_as_the_samples_do(
    system: System, http: ClientSession, fail: bool
) -> None:
    job_id = FAILED if fail else DONE
    url, token = address(system.url, job_id), system.token()
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(Publisher(system.settings.redis_url or ""))
        job = hub.job(job_id, project_id="p1", owner_id="u1")
        await job.start(total_scenarios=12, total_features=3)
        client = await stack.enter_async_context(line(system.url, token))

        async def subscribed() -> bool:
            answer = await client.command("subscribe", {"channel": f"job:{job_id}"})
            return bool(answer["ok"])

        await eventually(subscribed)
        socket = await stack.enter_async_context(raw(http, url, token))
        stream = await stack.enter_async_context(source(http, url, token))
        snapshot = await play(system, http, job, fail=fail)
        msgspec.convert(snapshot, JobSnapshot)
        assert differences(SAMPLES["progress"], snapshot, "snapshot", MORE["progress"]) == []

        assert await socket.to_the_end() == 1000
        await stream.to_the_end()
        await client.until(lambda: len(client.named("event")) >= len(socket.messages))
        events = [each for each in client.named("event") if each["channel"] == f"job:{job_id}"]
        async with http.get(url[: -len("progress")] + "events", headers=bearer(token)) as answer:
            history = await answer.json()
        msgspec.convert(history, JobHistory)
        assert history.keys() == SAMPLES["events"].keys()
        assert [type(value) for value in history.values()] == [
            type(SAMPLES["events"][name]) for name in history
        ]
        doors = [socket.messages, [each.data for each in stream.events[:-1]], events]
        assert doors == [history["events"]] * 3
        for event in history["events"]:
            check(event)
        types = {event["type"] for event in history["events"]}
        assert {"JOB_FAILED" if fail else "JOB_COMPLETED", "FEATURE_COMPLETED"} < types
        async with http.get(url, headers=bearer(token)) as answer:
            msgspec.convert(await answer.json(), JobSnapshot)
