"""A node that stops sends its clients away gently, and they are complete on another one."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest

from hub.broker.connect import open_redis
from hub.broker.nodes import Nodes, this_node
from hub.embedded import free_port
from tests.support.crowd import crowd
from tests.support.process import Program, environment
from tests.support.system import System
from tests.support.wait import eventually
from workers import Publisher

CLIENTS = 1000
WINDOW, AT_MOST = 100, 100  # milliseconds, reconnects


async def publish_until(hub: Publisher, stop: asyncio.Event) -> int:
    """Announces something every 50 ms; how often."""
    count = 0
    while not stop.is_set():
        await hub.notify(everyone=True, type="t", title=f"{count}", body="b")
        count += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await stop.wait()
    return count


@pytest.mark.alone
@pytest.mark.timeout(120)
async def test_a_thousand_clients_move_to_another_node(system: System) -> None:
    port = free_port()
    other = Program(["hub", "serve", "--port", str(port)], environment(system.settings))
    await other.start()
    urls = [system.url, f"http://127.0.0.1:{port}"]
    tokens = [system.token(f"u{number}") for number in range(CLIENTS)]
    stop = asyncio.Event()
    try:
        async with (
            Publisher(system.settings.redis_url or "") as hub,
            crowd(urls, tokens, "all") as clients,
        ):
            await clients.until_hellos(CLIENTS)
            publishing = asyncio.create_task(publish_until(hub, stop))
            assert await system.node.stop() == 0
            await clients.until_hellos(2 * CLIENTS)
            stop.set()
            count = await publishing

            async def complete() -> bool:
                return all(len(each["offsets"]) == count for each in await clients.states())

            await eventually(complete)
            for state in await clients.states():
                assert state["offsets"] == list(range(1, count + 1))
                assert [closing["code"] for closing in state["closing"]] == ["DRAINING"]
                assert 0 < state["closing"][0]["retryAfter"] <= 2
            returned = sorted(time for _, time in clients.hellos[CLIENTS:])
            busiest = max(
                sum(start <= time < start + WINDOW for time in returned) for start in returned
            )
            assert busiest <= AT_MOST, f"{busiest} came back within {WINDOW} ms"
    finally:
        await other.stop()


async def test_a_draining_node_is_not_ready_and_takes_nobody(system: System) -> None:
    """Seen from a client that lingers: a polling one that does not fetch its last words."""
    async with aiohttp.ClientSession(system.url) as http:
        params = {"EIO": "4", "transport": "polling"}
        async with http.get("/socket.io/", params=params) as opened:
            sid = (await opened.text())[1:].split('"sid":"')[1].split('"')[0]
        stopping = asyncio.create_task(system.node.stop())

        async def draining() -> bool:
            async with http.get("/readyz") as ready:
                return ready.status == 503 and (await ready.json())["status"] == "draining"

        await eventually(draining)
        async with open_redis(system.settings.redis_url or "") as redis:
            [node] = await Nodes(redis, this_node("")).alive()
        assert f"http://{node.address}" == system.url
        assert node.draining
        async with http.get("/socket.io/", params=params) as refused:
            assert refused.status == 503
            assert refused.headers["Retry-After"] == "1"
        async with http.get("/socket.io/", params={**params, "sid": sid}) as last:
            assert await last.text() == "1"
        assert await stopping == 0
    async with open_redis(system.settings.redis_url or "") as redis:
        assert await Nodes(redis, this_node("")).alive() == []
