"""A job's retention at every door, by a clock that the test moves. The store's own sweep, which
goes by the real time, never runs meanwhile: whatever is refused here is still stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, web

from config.settings import Settings
from hub import tokens
from hub.app import node
from hub.domain import times
from hub.services import rechecks
from tests.support.doors import Refused, address, bearer, raw, source
from tests.support.play import EVENTS, steps
from tests.support.sioline import line
from tests.support.stores import opened
from workers import Publisher

JOB = "550e8400-e29b-41d4-a716-446655440000"
CHANNEL = f"job:{JOB}"
ALL = list(range(1, EVENTS + 1))


@dataclass
class Clock:
    """Says what it is told."""

    at: datetime = field(default_factory=times.now)

    def __call__(self) -> datetime:
        return self.at


@asynccontextmanager
async def served(settings: Settings, clock: Callable[[], datetime]) -> AsyncIterator[str]:
    """A node of this process; its address."""
    async with node(settings, clock=clock) as app:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()


async def played(settings: Settings) -> datetime:
    """A whole job, stored; when it ended."""
    async with opened(settings) as stores:
        async with Publisher(settings.redis_url or "") as hub:
            job = hub.job(JOB, project_id="p1", owner_id="u1")
            await job.start(total_scenarios=12, total_features=3)
            for step in steps(job):
                await step()
        await stores.drain(stores.ingest())
        head = await stores.stores.heads.get(CHANNEL)
    assert head is not None
    assert head.job is not None
    assert head.job.ended_at is not None
    return head.job.ended_at


class Doors:
    """All ways to a job, each of which gives the offsets that it found, or a code."""

    def __init__(self, url: str, token: str, http: ClientSession) -> None:
        self._url, self._token, self._http = url, token, http

    async def all(self) -> dict[str, Any]:
        """What each of them answers."""
        answers: dict[str, Any] = {}
        for kind in ("generation-jobs", "jobs"):
            answers[f"{kind} poll"] = await self._get(kind, "progress")
            answers[f"{kind} history"] = await self._get(kind, "events")
            answers[f"{kind} websocket"] = await self._raw(kind)
            answers[f"{kind} events"] = await self._source(kind)
        async with line(self._url, self._token) as client:
            for since in ({}, {"offset": 0}):
                reply = await client.command("subscribe", {"channel": CHANNEL, **since})
                answers[f"subscribe {since}"] = (
                    [event["offset"] for event in reply["data"]["events"]]
                    if reply["ok"]
                    else reply["error"]["code"]
                )
        return answers

    async def _get(self, kind: str, resource: str) -> Any:
        url = f"{self._url}/v1/{kind}/{JOB}/{resource}"
        async with self._http.get(url, headers=bearer(self._token)) as answer:
            found = await answer.json(content_type=None)
        if answer.status != 200:
            return found["errorCode"]
        if resource == "progress":
            return list(range(1, found["offset"] + 1))
        return [event["offset"] for event in found["events"]]

    async def _raw(self, kind: str) -> Any:
        try:
            async with raw(self._http, address(self._url, JOB, kind), self._token) as client:
                assert await client.to_the_end() == 1000
                return [message["offset"] for message in client.messages]
        except Refused as refused:
            return refused.problem["errorCode"]

    async def _source(self, kind: str) -> Any:
        try:
            async with source(self._http, address(self._url, JOB, kind), self._token) as stream:
                await stream.to_the_end()
                return [event.data["offset"] for event in stream.events if event.name != "end"]
        except Refused as refused:
            return refused.problem["errorCode"]


def token(settings: Settings) -> str:
    assert settings.jwt_secret is not None
    return tokens.mint(settings.jwt_secret.get_secret_value(), "u1", projects=["p1"])


@pytest.mark.timeout(120)
async def test_every_door_has_the_job_until_its_retention_ends_and_none_afterwards(
    settings: Settings,
) -> None:
    gone = await played(settings) + timedelta(seconds=settings.job_retention)
    clock, mine = Clock(), token(settings)
    async with served(settings, clock) as url, ClientSession() as http:
        doors = Doors(url, mine, http)
        for moment in (clock.at, gone - timedelta(milliseconds=1)):
            clock.at = moment
            found = await doors.all()
            assert found == dict.fromkeys(found, ALL)
        async with line(url, mine) as client:
            assert (await client.command("subscribe", {"channel": CHANNEL}))["ok"]
            client.cut()
        clock.at = gone
        found = await doors.all()
        assert found == dict.fromkeys(found, "JOB_NOT_FOUND")
        async with line(url, mine, back=client) as back:
            assert not back.hello["recovered"]
            assert CHANNEL not in [each["channel"] for each in back.hello["channels"]]
        async with line(url, mine, channels={CHANNEL: {"offset": 0}}) as resumed:
            assert [each["channel"] for each in resumed.hello["channels"]] == ["user:u1", "all"]
    async with opened(settings) as stores:  # and all of it was there
        assert await stores.db["events"].count_documents({"channel": CHANNEL}) == EVENTS
        assert await stores.redis.exists(stores.keys.log(CHANNEL))


async def test_a_permission_that_is_lost_ends_every_stream(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is moved to a project that its followers may not read."""
    monkeypatch.setattr(rechecks, "PERIOD", 0.05)
    mine = token(settings)
    async with (
        opened(settings) as stores,
        served(settings, times.now) as url,
        ClientSession() as http,
        Publisher(settings.redis_url or "") as hub,
    ):
        await hub.job(JOB, project_id="p1", owner_id="u1").start()
        await stores.drain(stores.ingest())
        async with (
            raw(http, address(url, JOB), mine) as socket,
            source(http, address(url, JOB), mine) as stream,
            line(url, mine) as client,
        ):
            assert (await client.command("subscribe", {"channel": CHANNEL}))["ok"]
            await stores.db["channels"].update_one(
                {"_id": CHANNEL}, {"$set": {"job.project_id": "p2"}}
            )
            assert await socket.to_the_end() == 4503
            assert await stream.to_the_end() == ["closing"]
            assert stream.events[0].data["code"] == "INSUFFICIENT_PERMISSIONS"
            await client.until(lambda: client.named("closing"))
            (closing,) = client.named("closing")
        assert (closing["code"], closing["reconnect"]) == ("INSUFFICIENT_PERMISSIONS", False)


async def test_who_followed_a_job_does_not_hear_the_next_one_of_its_id(settings: Settings) -> None:
    """It is another job, perhaps of another project, and has slots of its own."""
    mine, short = token(settings), timedelta(milliseconds=1)
    async with (
        opened(settings) as stores,
        served(settings, times.now) as url,
        Publisher(settings.redis_url or "") as hub,
        line(url, mine) as client,
    ):
        job = hub.job(JOB, project_id="p1", owner_id="u1")
        await job.start()
        await job.status("GENERATING")
        await stores.drain(stores.ingest())
        assert (await client.command("subscribe", {"channel": CHANNEL}))["ok"]
        await job.complete(passed=1, failed=0)
        await stores.drain(stores.ingest(job_retention=short))
        await client.until(lambda: client.offsets(CHANNEL) == [2])
        anew = hub.job(JOB, project_id="p2", owner_id="u2")
        await anew.start()
        await anew.status("PLANNING")
        await stores.drain(stores.ingest(job_retention=short))
        await client.until(lambda: client.closed)
        assert client.offsets(CHANNEL) == [2]
        assert client.named("reset") == []
        assert client.named("closing")[0]["reconnect"]
        async with line(url, mine, back=client, channels={CHANNEL: {"offset": 0}}) as back:
            assert not back.hello["recovered"]
            assert CHANNEL not in [each["channel"] for each in back.hello["channels"]]
