"""The stock socket.io-client comes back with ``recovered === true`` and misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from config.settings import Settings
from hub.embedded import MongoServer, RedisServer, free_port
from tests.support.front import Front, front
from tests.support.jsclient import JsClient, js_client
from tests.support.process import Program, environment
from tests.support.system import System, running_system
from tests.support.wait import eventually
from workers import Publisher

JOB, USER, ALL = "job:j1", "user:u1", "all"
TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]


class Stream:
    """Publishes on three channels without a pause. ``sent``: how much on each."""

    def __init__(self, hub: Publisher) -> None:
        self.hub = hub
        self.job = hub.job("j1", project_id="p1", owner_id="u1")
        self.sent = dict.fromkeys((JOB, USER, ALL), 0)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.job.scenario_completed(
                scenario_id=f"s{self.sent[JOB]}",
                feature_id="f1",
                feature_name="F",
                title="T",
                steps_count=1,
            )
            self.sent[JOB] += 1
            await self.hub.notify(users=["u1"], type="a.b", title="t", body="b")
            self.sent[USER] += 1
            await self.hub.notify(everyone=True, type="a.b", title="t", body="b")
            self.sent[ALL] += 1
            await asyncio.sleep(0.01)


@asynccontextmanager
async def streaming(system: System, *clients: JsClient) -> AsyncIterator[Stream]:
    """Clients that follow the job from its first event on, and events that come all the time."""
    async with Publisher(system.settings.redis_url or "") as hub:
        stream = Stream(hub)
        await stream.job.start(total_scenarios=100_000, total_features=1)
        for client in clients:
            await client.until(lambda c: c.named("hello"))

            async def follows(client: JsClient = client) -> bool:
                return bool((await client.do("subscribe", JOB))["ok"])

            await eventually(follows)  # the job is stored by then
        running = asyncio.create_task(stream.run())
        try:
            for client in clients:
                await heard_something(client)
            yield stream
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def heard_something(client: JsClient) -> None:
    """Returns once the client heard something new on every channel."""
    before = {name: len(client.offsets(name)) for name in (JOB, USER, ALL)}
    await client.until(lambda c: all(len(c.offsets(name)) > n for name, n in before.items()))


async def returned(client: JsClient, times: int) -> None:
    """Returns once the client has connected again, that often by now."""
    await client.until(lambda c: len(c.named("hello")) == times + 1)


async def has_everything(client: JsClient, stream: Stream) -> None:
    """Every event from the first on, once and in order."""
    sent = dict(stream.sent)
    await client.until(lambda c: all(c.offsets(name)[-1] >= n for name, n in sent.items()))
    for name in sent:
        offsets = client.offsets(name)
        assert offsets == list(range(1, len(offsets) + 1)), name
    assert client.named("reset") == []


def recoveries(client: JsClient) -> list[bool]:
    """What ``socket.recovered`` was at each connect."""
    return [entry[0] for entry in client.named("connect")]


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
async def test_a_broken_line(system: System, transports: list[str]) -> None:
    port = urlsplit(system.url).port
    assert port is not None
    async with (
        front(port) as before,
        js_client(before.url, system.token(), transports=transports) as client,
        streaming(system, client) as stream,
    ):
        for turn in range(1, 5):
            if turn % 2 or transports == ["polling"]:  # which takes another connection for that
                await client.do("cut")
            else:
                before.cut()
            await returned(client, turn)
            await heard_something(client)
        await has_everything(client, stream)
        assert recoveries(client) == [False, True, True, True, True]
        assert [hello[0]["recovered"] for hello in client.named("hello")] == recoveries(client)


@dataclass
class Pair:
    """Two nodes behind a front."""

    system: System
    front: Front
    nodes: list[Program]

    async def kill_first(self) -> None:
        """kill -9 of the node that clients are on."""
        await self.nodes[0].kill()
        self.nodes.reverse()
        self.front.targets.reverse()


@asynccontextmanager
async def pair(system: System) -> AsyncIterator[Pair]:
    ports = [urlsplit(system.url).port or 0, free_port()]
    other = Program(["hub", "serve", "--port", str(ports[1])], environment(system.settings))
    try:
        await other.start()
        async with front(*ports) as before:
            yield Pair(system, before, [system.node, other])
    finally:
        await other.stop()


async def test_subscribed_and_cut_before_any_event(system: System) -> None:
    """The acknowledgement was the last that the client heard; then its node dies."""
    async with (
        pair(system) as both,
        Publisher(system.settings.redis_url or "") as hub,
        js_client(both.front.url, system.token()) as client,
    ):
        job = hub.job("j1", project_id="p1", owner_id="u1")
        await job.start(total_scenarios=2, total_features=1)
        await job.status("GENERATING")
        await client.until(lambda c: c.named("hello"))
        answer = await client.do("subscribe", JOB)
        while not answer["ok"] or len(answer["data"]["events"]) < 1:
            answer = await client.do("subscribe", JOB)
        assert (await client.command("unsubscribe", {"channel": USER}))["ok"]
        await asyncio.sleep(0.1)  # nothing tells when the session is saved
        await both.kill_first()
        await job.status("VALIDATING")
        await hub.notify(users=["u1"], type="a.b", title="t", body="b")
        await returned(client, 1)
        await client.until(lambda c: c.offsets(JOB)[-1] == 2)
        await hub.notify(everyone=True, type="a.b", title="t", body="b")
        await client.until(lambda c: c.offsets(ALL) == [1])
        assert recoveries(client) == [False, True]
        assert client.offsets(USER) == []


async def test_a_client_that_took_leave_starts_afresh(system: System) -> None:
    async with js_client(system.url, system.token()) as client:
        await client.until(lambda c: c.named("hello"))
        await client.do("offline")
        await client.do("online")
        await returned(client, 1)
        assert recoveries(client) == [False, False]


async def test_a_client_that_stayed_away_too_long(
    settings: Settings, redis_server: RedisServer, mongo_server: MongoServer
) -> None:
    brief = {"HUB_RECOVERY_SECONDS": "0.5"}
    async with running_system(settings, redis_server, mongo_server, **brief) as system:
        port = urlsplit(system.url).port or 0
        async with (
            Publisher(settings.redis_url or "") as hub,
            front(port) as before,
            js_client(before.url, system.token()) as client,
        ):
            await client.until(lambda c: c.named("hello"))
            await asyncio.sleep(1)  # longer than a lost session is kept: this one is not lost
            before.cut()
            await returned(client, 1)
            before.targets = []
            before.cut()
            await hub.notify(users=["u1"], type="a.b", title="t", body="b")
            await asyncio.sleep(1)
            before.targets = [port]
            await returned(client, 2)
            assert recoveries(client) == [False, True, False]
            assert client.offsets(USER) == []
            position = client.named("hello")[-1][0]["channels"][0]
            assert (position["channel"], position["offset"]) == (USER, 1)
