"""The cluster's history has one entry for each moment, whoever writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from config.settings import Settings
from hub import metrics
from hub.broker.backlog import Backlog
from hub.broker.figures import KEPT, FiguresStore
from hub.broker.nodes import Nodes, this_node
from hub.services.admin.stats import YOUNG, Doors, Figures, Stats, together
from tests.support.stores import Opened, opened


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Opened]:
    async with opened(settings) as found:
        yield found


def figures(name: str, **more: Any) -> Figures:
    given: dict[str, Any] = {
        "connections": Doors(socketio=2, sse=1),
        "users": 3,
        "channels": 4,
        "publications_per_second": 5.0,
        "deliveries_per_second": 6.0,
        "latency": [0] * (len(metrics.BOUNDS) + 1),
        "outbox_bytes": 7,
        "slow_consumers": 8,
        "dropped": 9,
        "memory_bytes": 10,
        "cpu_percent": 11.0,
        "started_at": "2026-01-01T00:00:00.000Z",
        "draining": False,
    }
    return Figures(id=name, **(given | more))


def test_the_figures_of_nodes_are_summed() -> None:
    quick, slow = ([0] * (len(metrics.BOUNDS) + 1) for _ in range(2))
    quick[metrics.BOUNDS.index(0.002)] = 98
    slow[metrics.BOUNDS.index(0.5)] = 2
    one = figures("a", latency=quick)
    two = figures("b", latency=slow, draining=True, started_at="2025-01-01T00:00:00.000Z")
    both = together([one, two], 42.0)
    assert both["connections"] == {"socketio": 4, "websocket": 0, "sse": 2}
    assert (both["users"], both["outboxBytes"], both["cpuPercent"]) == (6, 14, 22.0)
    assert both["publicationsPerSecond"] == 42.0
    assert 1 <= both["latencyMs"]["p50"] <= 2
    assert 250 <= both["latencyMs"]["p99"] <= 500
    assert (both["draining"], both["startedAt"]) == (True, two.started_at)
    assert together([], 0)["latencyMs"] == {"p50": None, "p99": None}


async def test_two_nodes_at_once_make_one_entry(stores: Opened) -> None:
    store = FiguresStore(stores.redis)
    assert await store.add_to_history(2000, b"a")
    assert not await store.add_to_history(2000, b"b")
    assert not await store.add_to_history(1000, b"c")
    assert await store.history() == [b"a"]
    for number in range(2, KEPT + 200):
        await store.add_to_history(2000 * number, b"%d" % number)
    kept = await store.history()
    assert len(kept) == KEPT
    assert kept[-1] == b"%d" % (KEPT + 199)
    assert 0 < await stores.redis.ttl("hub:{nodes}:history") <= 900


async def test_what_ingest_stored_is_the_clusters_rate(stores: Opened) -> None:
    nodes = Nodes(stores.redis, this_node("a:1"))
    backlog, heads = Backlog(stores.redis, stores.keys), stores.stores.heads
    me = nodes.me.id
    stats = Stats(FiguresStore(stores.redis), nodes, backlog, heads, lambda: figures(me))
    running = [asyncio.create_task(each.run()) for each in (nodes, stats)]
    try:
        async with asyncio.timeout(15):
            while not (await stats.history()):  # noqa: ASYNC110 - its own clock
                await asyncio.sleep(0.05)
            await stores.redis.incrby("hub:{nodes}:ingested", 1000)
            while (await stats.now())["cluster"]["publicationsPerSecond"] == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        now = await stats.now()
        assert [node["id"] for node in now["nodes"]] == [me]
        assert now["nodes"][0]["publicationsPerSecond"] == 5.0
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
    await stats.leave()
    assert (await stats.now())["nodes"] == []


def test_figures_of_another_form_are_left_out_of_what_they_do_not_fit() -> None:
    spread = [0] * (len(metrics.BOUNDS) + 1)
    spread[metrics.BOUNDS.index(0.002)] = 98
    both = together([figures("a", latency=spread), figures("b", latency=[1]), Figures(id="c")], 0)
    assert (both["users"], both["connections"]["socketio"]) == (6, 4)
    assert 1 <= both["latencyMs"]["p50"] <= 2
    assert both["startedAt"] == "2026-01-01T00:00:00.000Z"
    assert Figures(id="c").wire()["startedAt"] is None


async def test_the_history_goes_on_when_the_node_that_kept_it_dies(stores: Opened) -> None:
    store, backlog = FiguresStore(stores.redis), Backlog(stores.redis, stores.keys)
    nodes = Nodes(stores.redis, this_node("a:1"))
    me = nodes.me.id
    await stores.redis.sadd("hub:{nodes}:ids", "0")  # before all others, with a lease to the end
    await stores.redis.set("hub:{nodes}:node:0", b'{"id": "0"}')
    stats = Stats(store, nodes, backlog, stores.stores.heads, lambda: figures(me))
    running = [asyncio.create_task(each.run()) for each in (nodes, stats)]
    try:
        await store.put("0", msgspec.json.encode(figures("0")), YOUNG)
        assert await stores.redis.pttl("hub:{nodes}:figures:0") <= 5_000
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(10):
            while not await stats.history():  # noqa: ASYNC110 - its own clock
                await asyncio.sleep(0.05)
        assert asyncio.get_running_loop().time() - began > YOUNG - 1
        assert [each["id"] for each in (await stats.now())["nodes"]] == [me]
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
