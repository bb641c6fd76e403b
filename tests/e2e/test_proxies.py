"""Stock clients and real nodes, with the shipped proxy configurations between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from config.settings import Settings
from hub import ports, tokens
from tests.conftest import JWT_SECRET
from tests.support.jsclient import JsClient, js_client
from tests.support.play import EVENTS, steps
from tests.support.process import Program, environment
from tests.support.proxies import PROXIES, proxy
from tests.support.wait import eventually
from workers import Publisher

JOB = "550e8400-e29b-41d4-a716-446655440000"
CHANNEL = f"job:{JOB}"
TRANSPORTS: dict[str, list[str] | None] = {
    "default": None,
    "polling": ["polling"],
    "websocket": ["websocket"],
}
SOON = 15
"""Seconds in which all are back; with a proxy that avoids a node that is fine it takes longer."""


@dataclass
class Cluster:
    """Two nodes and an ingest worker."""

    nodes: list[Program]
    ports: list[int]
    redis_url: str


@asynccontextmanager
async def cluster(settings: Settings) -> AsyncIterator[Cluster]:
    env = environment(settings)
    numbers = [ports.free_port() for _ in range(2)]
    nodes = [Program(["hub", "serve", "--port", str(port)], env) for port in numbers]
    ingest = Program(["workers.ingest"], env)
    try:
        await asyncio.gather(*(each.start() for each in (*nodes, ingest)))
        yield Cluster(nodes, numbers, settings.redis_url or "")
    finally:
        await asyncio.gather(*(each.stop() for each in (*nodes, ingest)))


def connects(clients: list[JsClient]) -> list[int]:
    return [len(each.named("connect")) for each in clients]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", PROXIES)
async def test_stock_clients_see_a_job_once_and_in_order_whichever_node_dies(
    settings: Settings, tmp_path: Path, name: str, transport: str
) -> None:
    transports = TRANSPORTS[transport]
    options = {} if transports is None else {"transports": transports}
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(cluster(settings))
        url = await stack.enter_async_context(proxy(name, hub.ports, tmp_path / "proxy"))
        publisher = await stack.enter_async_context(Publisher(hub.redis_url))
        job = publisher.job(JOB, project_id="p1", owner_id="u1")
        await job.start(total_scenarios=12, total_features=3)
        clients = [
            await stack.enter_async_context(
                js_client(
                    url,
                    tokens.mint(JWT_SECRET, f"u{number}", projects=["p1"]),
                    follow=[CHANNEL],
                    **options,
                )
            )
            for number in range(4)
        ]
        for client in clients:
            await client.until(lambda c: c.named("subscribed") or c.named("refused"))
        assert [each.named("connect_error") for each in clients] == [[]] * 4
        expected = "polling" if transport == "polling" else "websocket"
        for client in clients:
            await eventually(lambda c=client: is_on(c, expected))  # type: ignore[misc]

        plan = steps(job)
        for step in plan[:5]:
            await step()
        await hub.nodes[0].kill()
        for step in plan[5:10]:
            await step()
        for client in clients:
            await client.until(lambda c: len(c.events(CHANNEL)) >= 10)
        await hub.nodes[0].start()
        await answered(url)
        await hub.nodes[1].kill()
        for step in plan[10:]:
            await step()
        async with asyncio.timeout(SOON):
            for client in clients:
                await client.until(lambda c: len(c.events(CHANNEL)) >= EVENTS)
        for client in clients:
            assert client.offsets(CHANNEL) == list(range(1, EVENTS + 1))
            assert client.events(CHANNEL) == clients[0].events(CHANNEL)
        assert min(connects(clients)) > 1, "nobody noticed that both nodes died"


async def is_on(client: JsClient, transport: str) -> bool:
    return bool(await client.do("transport") == transport)


async def answered(url: str) -> None:
    """Waits until the proxy finds a node that is ready."""
    async with aiohttp.ClientSession() as http:

        async def ready() -> bool:
            async with http.get(f"{url}/readyz") as answer:
                return answer.status == 200

        await eventually(ready)
