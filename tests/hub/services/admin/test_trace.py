"""Looking for what is not stored: bounded in time, one at a time, and never a NOT_FOUND in vain."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from hub.broker.backlog import Backlog, Search
from hub.broker.traces import TraceStore
from hub.domain import codes
from hub.services.admin import trace
from hub.services.admin.trace import Traces
from tests.hub.domain import samples
from tests.support.stores import Opened, opened


class Scene:
    def __init__(self, stores: Opened) -> None:
        self.stores = stores
        backlog = Backlog(stores.redis, stores.keys)
        kept = stores.stores
        self.traces = Traces(
            TraceStore(stores.redis), kept.events, kept.inboxes.notifications, backlog
        )

    async def wait_in_line(self, number: int, *publication_ids: str, size: int = 10) -> None:
        async with self.stores.redis.pipeline(transaction=False) as pipe:
            for each in publication_ids:
                fields = {"p": json.dumps({"id": each, "body": "x" * size})}
                pipe.xadd(self.stores.keys.journal(number), fields)  # type: ignore[arg-type]
            await pipe.execute()

    async def refusal(self, event_id: str) -> codes.HubError:
        with pytest.raises(codes.HubError) as caught:
            await self.traces.find(event_id)
        return caught.value


@pytest.fixture
async def scene(settings: Settings) -> AsyncIterator[Scene]:
    async with opened(settings) as stores:
        yield Scene(stores)


def other() -> str:
    """An id that does not tell its time."""
    return str(uuid.uuid4())


async def test_it_is_found_behind_more_than_a_thousand(scene: Scene) -> None:
    await scene.wait_in_line(3, *(other() for _ in range(1500)), last := other())
    found = await scene.traces.find(last)
    assert (found["state"], found["partition"]) == ("WAITING", 3)
    assert (await scene.refusal(other())).code is codes.NOT_FOUND


async def test_where_there_is_no_time_to_look_at_all_nobody_says_that_there_is_none(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.wait_in_line(3, *(other() for _ in range(2000)), last := other(), size=1000)
    monkeypatch.setattr(trace, "SEARCH", 0.0)
    refused = await scene.refusal(last)
    assert refused.code is codes.UNAVAILABLE
    assert "MB that were looked at" in refused.message
    monkeypatch.setattr(trace, "SEARCH", 10.0)
    assert (await scene.traces.find(last))["state"] == "WAITING"


async def test_one_is_looked_for_at_a_time_and_what_is_stored_does_not_wait(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = samples.notification(1, "u1")
    await scene.stores.publish([stored])
    await scene.stores.drain(scene.stores.ingest())
    await scene.wait_in_line(3, *(other() for _ in range(300)), last := other(), size=5000)
    step, busy, most, go_on = Search.step, 0, 0, asyncio.Event()

    async def watched(search: Search) -> None:
        nonlocal busy, most
        busy, most = busy + 1, max(most, busy + 1)
        await go_on.wait()
        await step(search)
        busy -= 1

    monkeypatch.setattr(Search, "step", watched)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(scene.traces.find(last)) for _ in range(5)]
        assert (await scene.traces.find(str(stored.id)))["state"] == "STORED"
        assert not any(each.done() for each in asked)
        go_on.set()
    assert {each.result()["state"] for each in asked} == {"WAITING"}
    assert most == 1


async def test_what_is_stored_while_it_is_looked_for_is_found(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = samples.notification(1, "u1")
    step, due = Search.step, [note]

    async def late(search: Search) -> None:
        if due:
            await scene.stores.publish([due.pop()])
            await scene.stores.drain(scene.stores.ingest())
        await step(search)

    monkeypatch.setattr(Search, "step", late)
    assert (await scene.traces.find(str(note.id)))["state"] == "STORED"
