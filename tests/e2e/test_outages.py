"""A store that is away: nobody waits long for it, nobody is thrown out, and nothing is missing when
it is back. What clients see is in docs/outages.md."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from config.settings import Settings
from hub.broker.keys import Keys
from hub.domain.ids import uuid7
from hub.embedded import EmbeddedServer, MongoServer, RedisServer
from hub.ports import free_port
from tests.support.jsclient import JsClient, js_client
from tests.support.outages import Way, away, give_back, take_away
from tests.support.process import Program, environment
from tests.support.sioline import Line, line
from tests.support.system import System
from tests.support.wait import eventually
from workers import Publisher

JOB = "j1"
CHANNEL = f"job:{JOB}"
ANSWERED = 3  # seconds: two, and what a busy machine adds
BACK = 1.0  # seconds after which a node hears again
CROWD = 150  # more than are being let in at a time
LASTS = float(os.environ.get("OUTAGE_SECONDS", "0"))  # for a look at a longer one

STORES = ["redis", "mongo"]


@dataclass
class Asker:
    """Asks a node for everything that it offers."""

    system: System
    http: ClientSession
    followed: Line  # a connection from before
    cut: Line  # another, that broke
    times: dict[str, float] = field(default_factory=dict)

    async def all(self) -> dict[str, Any]:
        """The answers, all asked for at once, each within two seconds."""
        asks = {
            "healthz": self.get("/healthz"),
            "readyz": self.get("/readyz"),
            "progress": self.get(f"/v1/jobs/{JOB}/progress"),
            "events": self.get(f"/v1/jobs/{JOB}/events"),
            "publish": self.publish(),
            "subscribe": self.followed.command("subscribe", {"channel": "topic:news"}),
            "connect": self.connect("somebody"),
            "return": self.connect("u2", back=self.cut),
        }
        answers = await asyncio.gather(*(self._timed(name, ask) for name, ask in asks.items()))
        return dict(zip(asks, answers, strict=True))

    async def _timed(self, name: str, ask: Awaitable[Any]) -> Any:
        began = time.monotonic()
        async with asyncio.timeout(ANSWERED):
            answer = await ask
        self.times[name] = max(self.times.get(name, 0), round(time.monotonic() - began, 2))
        return answer

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.http.get(path) as answer:
            if answer.status == 503 and path != "/readyz":
                assert int(answer.headers["Retry-After"]) > 0
                assert answer.content_type == "application/problem+json"
            return answer.status, await answer.json(content_type=None)

    async def publish(self) -> tuple[int, Any]:
        item = {"id": uuid7(), "kind": "EVENT", "channel": "topic:t", "type": "T", "data": {}}
        key = {"Idempotency-Key": uuid7()}
        async with self.http.post("/v1/publish", json={"items": [item]}, headers=key) as answer:
            assert (answer.status == 503) == ("Retry-After" in answer.headers)
            return answer.status, await answer.json(content_type=None)

    async def connect(self, user: str, back: Line | None = None) -> dict[str, Any]:
        async with line(self.system.url, self.system.token(user), back=back) as made:
            return made.refusal or {"recovered": made.hello["recovered"]}

    async def ready(self) -> bool:
        return (await self.get("/readyz"))[0] == 200


@asynccontextmanager
async def asking(system: System) -> AsyncIterator[Asker]:
    """One who follows the job, and has a connection that broke."""
    headers = {"Authorization": "Bearer " + system.token(roles=("user", "service"))}
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(ClientSession(system.url, headers=headers))
        lines = [
            await stack.enter_async_context(line(system.url, system.token(user)))
            for user in ("u1", "u2")
        ]
        for each in lines:
            assert (await each.command("subscribe", {"channel": CHANNEL}))["ok"]
        await until_saved(system, lines[1])
        lines[1].cut()
        yield Asker(system, http, followed=lines[0], cut=lines[1])


async def until_saved(system: System, one: Line) -> None:
    """Waits until the session is saved as the client knows it."""
    async with Redis.from_url(system.redis.url) as redis:

        async def saved() -> bool:
            [key] = await redis.keys(f"*:session:{one.pid}:*")
            found: Any = await redis.get(key) or b""
            return CHANNEL.encode() in found

        await eventually(saved)


@asynccontextmanager
async def publishing(system: System) -> AsyncIterator[list[str]]:
    """A job that gets on until the end of the block; the ids of its events, as accepted."""
    ids: list[str] = []
    stop = asyncio.Event()

    async def go_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            ids.append(await job.progress(number % 100))
            await asyncio.sleep(0.02)

    async with Publisher(system.settings.redis_url or "", retry_for=60) as hub:
        job = hub.job(JOB, project_id="p1", owner_id="u1")
        await job.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(go_on())
            await started(system)
            yield ids
            stop.set()


async def started(system: System) -> None:
    """Waits until the job is there to be followed."""
    headers = {"Authorization": "Bearer " + system.token()}
    async with ClientSession(system.url, headers=headers) as http:

        async def there() -> bool:
            async with http.get(f"/v1/jobs/{JOB}/progress") as answer:
                return answer.status == 200

        await eventually(there)


def check_refusals(store: str, answers: dict[str, Any]) -> None:
    """What needs the store is refused and can be tried again; the rest goes on."""
    assert answers["healthz"] == (200, {"status": "ok"})
    status, readiness = answers["readyz"]
    assert status == 503
    assert readiness["status"] == "unavailable"
    wrong = {name for name, state in readiness["dependencies"].items() if state != "ok"}
    assert wrong == {"mongo"} if store == "mongo" else "redis" in wrong <= {"redis", "live"}
    needs_it = ["progress", "events"] if store == "mongo" else ["publish"]
    for name in ("progress", "events", "publish"):
        status, body = answers[name]
        assert (status, body.get("errorCode")) == (
            (503, "UNAVAILABLE") if name in needs_it else (202 if name == "publish" else 200, None)
        ), name
    refused = [answers["subscribe"].get("error"), answers["connect"], answers["return"]]
    for error in refused:
        assert (error["code"], error["retry"]) == ("UNAVAILABLE", True)
        assert error["retryAfter"] > 0


async def heard(system: System, channel: str) -> None:
    """Waits until the node is subscribed to a channel again."""
    name = Keys(system.settings.partitions).live(channel)
    async with asyncio.timeout(BACK), Redis.from_url(system.redis.url) as redis:
        while not dict(await redis.pubsub_numsub(name))[name.encode()]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def everything(client: Line) -> list[str]:
    """The ids of the job's events that came live or with the subscription, in order."""
    replayed = [
        event["id"]
        for entry in client.log
        if entry[0] == "ack" and entry[2].get("data", {}).get("channel") == CHANNEL
        for event in entry[2]["data"]["events"]
    ]
    return replayed + [e["id"] for e in client.named("event") if e["channel"] == CHANNEL]


@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("store", STORES)
async def test_nobody_waits_and_nothing_is_missing_afterwards(
    system: System, store: str, way: Way
) -> None:
    server: EmbeddedServer = getattr(system, store)
    async with AsyncExitStack() as stack:
        async with publishing(system) as ids:
            asker = await stack.enter_async_context(asking(system))
            async with away(server, way):
                check_refusals(store, await asker.all())
                await asyncio.sleep(LASTS)
                check_refusals(store, await asker.all())  # by now it is known to be away
                crowd = await asyncio.gather(
                    *(asker._timed("crowd", asker.connect(f"c{n}")) for n in range(CROWD))
                )
                assert {each["code"] for each in crowd} == {"UNAVAILABLE"}
            returned = time.monotonic()
            await heard(system, CHANNEL)
            asker.times["heard"] = round(time.monotonic() - returned, 2)
            await eventually(asker.ready, limit=5)
            asker.times["ready"] = round(time.monotonic() - returned, 2)
            before = len(everything(asker.followed))
            await asker.followed.until(lambda: len(everything(asker.followed)) > before)
            asker.times["next event"] = round(time.monotonic() - returned, 2)
            back = await stack.enter_async_context(
                line(system.url, system.token("u2"), back=asker.cut)
            )
        await asker.followed.until(lambda: len(everything(asker.followed)) >= len(ids))
        assert everything(asker.followed) == ids
        assert not asker.followed.closed
        assert back.hello["recovered"] is True
        await back.until(lambda: len(everything(asker.cut) + everything(back)) >= len(ids))
        assert everything(asker.cut) + everything(back) == ids
    print(f"\n{store} {way} {LASTS:.0f} s: {asker.times}")


async def test_short_outages_are_a_delay(system: System) -> None:
    """One second of each, one after the other."""
    async with AsyncExitStack() as stack:
        async with publishing(system) as ids:
            client = await stack.enter_async_context(
                js_client(system.url, system.token(), follow=[CHANNEL])
            )
            await client.until(lambda c: c.named("subscribed"))
            for server in (system.redis, system.mongo):
                for way in Way:
                    async with away(server, way):
                        await asyncio.sleep(1)
                    await heard(system, CHANNEL)
                    await until_newer(client)
        await client.until(lambda c: len(c.events(CHANNEL)) >= len(ids))
        assert [event["id"] for event in client.events(CHANNEL)] == ids
        assert len(client.named("connect")) == 1
        assert not client.named("disconnect")


async def until_newer(client: JsClient) -> None:
    """Waits for another event of the job."""
    count = len(client.events(CHANNEL))
    await client.until(lambda c: len(c.events(CHANNEL)) > count)


@pytest.mark.parametrize("store", STORES)
async def test_a_store_that_is_not_there_at_the_start(
    settings: Settings, redis_server: RedisServer, mongo_server: MongoServer, store: str
) -> None:
    server: EmbeddedServer = redis_server if store == "redis" else mongo_server
    port = free_port()
    node = Program(["hub", "serve", "--port", str(port)], environment(settings))
    ingest = Program(["workers.ingest"], environment(settings))
    system = System(settings, redis_server, mongo_server, node, ingest, f"http://127.0.0.1:{port}")
    async with AsyncExitStack() as stack:
        await take_away(server, Way.KILLED)
        stack.push_async_callback(give_back, server)
        stack.push_async_callback(node.stop)
        stack.push_async_callback(ingest.stop)
        await node.start()
        working = asyncio.create_task(ingest.start())
        async with ClientSession(system.url) as http, http.get("/readyz") as readiness:
            assert readiness.status == 503
            states = (await readiness.json())["dependencies"]
        assert states[store] != "ok"
        assert states["mongo" if store == "redis" else "redis"] == "ok"
        async with line(system.url, system.token()) as refused:
            assert refused.refusal is not None
            assert refused.refusal["code"] == "UNAVAILABLE"
        await give_back(server)
        await working
        async with ClientSession(system.url) as http:

            async def ready() -> bool:
                async with http.get("/readyz") as readiness:
                    return readiness.status == 200

            await eventually(ready)
        async with publishing(system) as ids:
            client = await stack.enter_async_context(line(system.url, system.token()))
            assert (await client.command("subscribe", {"channel": CHANNEL}))["ok"]
        await client.until(lambda: len(everything(client)) >= len(ids))
        assert everything(client) == ids


async def test_a_node_stops_in_good_order_while_both_stores_hang(system: System) -> None:
    async with (
        line(system.url, system.token()) as client,
        away(system.redis, Way.HUNG),
        away(system.mongo, Way.HUNG),
    ):
        began = time.monotonic()
        assert await system.node.stop() == 0
        assert time.monotonic() - began < 8
        await client.until(lambda: client.closed)
        assert [closing["code"] for closing in client.named("closing")] == ["DRAINING"]
