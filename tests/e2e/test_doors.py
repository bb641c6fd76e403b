"""A job's progress through its doors: Socket.IO, raw WebSocket, Server-Sent Events, polling."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession, WSMsgType

from hub.embedded import free_port
from tests.support.doors import Poller, Refused, Source, address, bearer, raw, source
from tests.support.jsclient import js_client
from tests.support.play import EVENTS, steps
from tests.support.process import Program, environment
from tests.support.sioline import line
from tests.support.system import System
from tests.support.wait import eventually
from workers import Job, Publisher

JOB = "550e8400-e29b-41d4-a716-446655440000"
CHANNEL = f"job:{JOB}"
ALL = list(range(1, EVENTS + 1))


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


@pytest.fixture
async def publisher(system: System) -> AsyncIterator[Publisher]:
    async with Publisher(system.settings.redis_url or "") as hub:
        yield hub


async def begun(system: System, hub: Publisher, http: ClientSession, name: str = JOB) -> Job:
    """A job that the hub knows."""
    job = hub.job(name, project_id="p1", owner_id="u1")
    await job.start(total_scenarios=12, total_features=3)

    async def known() -> bool:
        url = address(system.url, name)
        async with http.get(url, headers=bearer(system.token())) as answer:
            return answer.status == 200

    await eventually(known)
    return job


@pytest.mark.timeout(120)
async def test_all_doors_see_the_same_job_and_resume_after_the_node_died(
    system: System, publisher: Publisher, http: ClientSession
) -> None:
    url, token = address(system.url, JOB), system.token()
    job = await begun(system, publisher, http)
    plan = steps(job)
    async with AsyncExitStack() as stack:
        js = await stack.enter_async_context(js_client(system.url, token, follow=[CHANNEL]))
        await js.until(lambda c: c.named("subscribed"))
        first_raw = await stack.enter_async_context(raw(http, url, token))
        first_sse = await stack.enter_async_context(source(http, url, token))
        poller = Poller(http, url, token)
        for step in plan[:8]:
            await step()
        await poller.upto(8)
        await first_raw.upto(8)
        await first_sse.upto(8)
        await system.node.kill()
        with pytest.raises(aiohttp.ClientError):
            await poller.poll()
        assert await first_raw.to_the_end() != 1000
        with contextlib.suppress(aiohttp.ClientError):
            assert await first_sse.next() is None
        for step in plan[8:12]:
            await step()
        await system.node.start()
        await js.until(lambda c: 12 in c.offsets(CHANNEL))
        position = {key: first_raw.messages[-1][key] for key in ("epoch", "offset")}
        again_raw = await stack.enter_async_context(raw(http, url, token, **position))
        again_sse = await stack.enter_async_context(source(http, url, token, first_sse.last_id))
        for step in plan[12:]:
            await step()
        assert await again_raw.to_the_end() == 1000
        assert (await again_sse.to_the_end())[-1] == "end"
        await js.until(lambda c: len(c.events(CHANNEL)) >= EVENTS)
        seen = first_raw.messages + again_raw.messages
        streamed = [event.data for event in first_sse.events + again_sse.events[:-1]]
        assert [event["offset"] for event in seen] == ALL
        await poller.upto(EVENTS)
        assert seen == streamed == js.events(CHANNEL) == poller.events
        before = poller.unchanged
        await poller.poll()
        assert poller.unchanged == before + 1
        check_stream(first_sse, again_sse)
        async with http.get(address(system.url, JOB)[: -len("progress")] + "events",
                            headers=bearer(token)) as answer:  # fmt: skip
            assert (await answer.json())["events"] == seen
        await ended_job(http, url, token, seen, again_sse)


def check_stream(*sources: Source) -> None:
    for each in sources:
        assert each.retry == 1000
        for event in each.events:
            if event.name != "end":
                assert event.name == event.data["type"]
                assert event.id == f"{event.data['epoch']}:{event.data['offset']}"


async def ended_job(
    http: ClientSession, url: str, token: str, seen: list[Any], sse: Source
) -> None:
    """What a job that has ended answers: everything, then the end; any number of followers."""
    for _ in range(3):
        async with raw(http, url, token) as late, source(http, url, token) as stream:
            assert await late.to_the_end() == 1000
            assert late.messages == seen
            assert (await stream.to_the_end())[-1] == "end"
            assert [event.data for event in stream.events[:-1]] == seen
    with pytest.raises(Refused) as nothing:
        async with source(http, url, token, sse.last_id):
            pass
    assert nothing.value.status == 204
    position = {"epoch": seen[-1]["epoch"], "offset": seen[-1]["offset"]}
    async with raw(http, url, token, **position) as late:
        assert await late.to_the_end() == 1000
        assert late.messages == []
    async with raw(http, url, token, epoch="other", offset=3) as lost:
        message = await lost.next()
        assert message is not None
        assert (message["type"], message["offset"]) == ("RESET", EVENTS)
        assert message["snapshot"]["status"] == "COMPLETED"
        assert await lost.to_the_end() == 1000


async def test_refusals_are_problems_before_anything_is_upgraded(
    system: System, publisher: Publisher, http: ClientSession
) -> None:
    await begun(system, publisher, http)
    token, url = system.token(), system.url
    other = system.token(projects=["p2"])
    table: list[tuple[str, str | None, dict[str, Any], int, str]] = [
        (address(url, JOB), None, {}, 401, "UNAUTHENTICATED"),
        (address(url, JOB), "nonsense", {}, 401, "UNAUTHENTICATED"),
        (address(url, JOB), None, {"ticket": "nonsense"}, 401, "UNAUTHENTICATED"),
        (address(url, JOB), token, {"ticket": "x"}, 400, "INVALID_REQUEST"),
        (address(url, JOB), None, {"token": token}, 400, "INVALID_REQUEST"),
        (address(url, JOB), other, {}, 403, "INSUFFICIENT_PERMISSIONS"),
        (address(url, "unknown"), token, {}, 404, "JOB_NOT_FOUND"),
        (address(url, JOB, "team-executions"), token, {}, 404, "JOB_NOT_FOUND"),
        (address(url, "-"), token, {}, 400, "INVALID_REQUEST"),
        (address(url, JOB), token, {"offset": "x"}, 400, "INVALID_REQUEST"),
        (address(url, JOB), token, {"offset": "-1"}, 400, "INVALID_REQUEST"),
        (address(url, JOB), token, {"offset": "3"}, 400, "INVALID_REQUEST"),
        (address(url, JOB), token, {"epoch": "e"}, 400, "INVALID_REQUEST"),
        (address(url, JOB), token, {"offset[$gt]": "0"}, 400, "INVALID_REQUEST"),
    ]
    for path, who, query, status, code in table:
        for door in (raw, source):
            with pytest.raises(Refused) as refused:
                async with door(http, path, who, **query):
                    pass
            found = refused.value
            assert (found.status, found.problem["errorCode"]) == (status, code), (door, query)
            assert found.headers["Content-Type"].startswith("application/problem+json")
            if status == 400:
                assert found.problem["details"][0]["field"] in {"jobId", "epoch", "offset", *query}
    for bad in ("nonsense", "e:-1", ":3", "e:x"):
        with pytest.raises(Refused) as refused:
            async with source(http, address(url, JOB), token, bad):
                pass
        assert refused.value.status == 400
    headers = bearer(token) | {"Upgrade": "websocket", "Connection": "Upgrade"}
    async with http.get(address(url, JOB), headers=headers) as answer:
        assert (answer.status, (await answer.json(content_type=None))["errorCode"]) == (
            *(400, "INVALID_REQUEST"),
        )
    for _ in range(6):  # none of all these kept a slot
        async with raw(http, address(url, JOB), token):
            pass


async def test_a_ticket_lets_in_once(
    system: System, publisher: Publisher, http: ClientSession
) -> None:
    job = await begun(system, publisher, http)
    await job.status("GENERATING")
    url = address(system.url, JOB)

    async def ticket() -> str:
        async with http.post(f"{system.url}/v1/tickets", headers=bearer(system.token())) as answer:
            assert answer.status == 201
            given = await answer.json()
            assert given.keys() == {"ticket", "expiresAt"}
            return str(given["ticket"])

    for door in (raw, source):
        given = await ticket()
        async with door(http, url, None, ticket=given) as client:
            await client.upto(1)
            with pytest.raises(Refused) as refused:
                async with door(http, url, None, ticket=given):
                    pass
            assert refused.value.status == 401
    given = await ticket()
    async with http.get(url, params={"ticket": given}) as answer:
        assert answer.status == 401  # a poll can send a header
    async with http.post(f"{system.url}/v1/tickets") as answer:
        assert answer.status == 401


async def test_a_poll_of_an_unchanged_job_is_not_modified(
    system: System, publisher: Publisher, http: ClientSession
) -> None:
    job = await begun(system, publisher, http)
    url, headers = address(system.url, JOB), bearer(system.token())

    async def poll(tag: str = "") -> tuple[int, str, str]:
        async with http.get(url, headers=headers | {"If-None-Match": tag}) as answer:
            body = await answer.read()
            assert bool(body) == (answer.status == 200)
            return answer.status, answer.headers["ETag"], answer.headers["Poll-Interval"]

    async def changed(tag: str) -> tuple[str, str]:
        """The next tag and interval."""
        found: tuple[int, str, str] = (304, tag, "")

        async def modified() -> bool:
            nonlocal found
            found = await poll(tag)
            return found[0] == 200

        await eventually(modified)
        return found[1], found[2]

    status, tag, interval = await poll()
    assert (status, interval) == (200, "2")
    assert await poll(tag) == (304, tag, "2")
    assert (await poll(f'"x", {tag.removeprefix("W/")}'))[0] == 304
    assert (await poll("*"))[0] == 304
    assert (await poll('W/"x"'))[0] == 200
    await job.activity(scenario="Criar cliente")
    tag, interval = await changed(tag)
    assert interval == "2"
    await job.status("GENERATING")
    tag, interval = await changed(tag)
    assert interval == "3"
    await job.status("WAITING_APPROVAL")
    tag, interval = await changed(tag)
    assert interval == "10"
    await job.complete(passed=0, failed=0)
    tag, interval = await changed(tag)
    assert interval == "10"
    assert (await poll(tag))[0] == 304


async def test_what_a_raw_client_says_is_ignored_until_it_says_too_much(
    system: System, publisher: Publisher, http: ClientSession
) -> None:
    job = await begun(system, publisher, http)
    async with raw(http, address(system.url, JOB), system.token()) as client:
        for _ in range(20):
            await client.ws.send_str('{"type":"JOB_FAILED"}')
        await job.status("GENERATING")
        await client.upto(1)
        for _ in range(40):
            await client.ws.send_bytes(b"flood")
        assert await client.to_the_end() == 4103
    async with raw(http, address(system.url, JOB), system.token()) as client:
        await client.ws.send_str("x" * 70_000)
        assert await client.to_the_end() == 1009


async def test_the_hub_pings_and_drops_who_does_not_answer(
    system: System, publisher: Publisher, http: ClientSession
) -> None:
    await begun(system, publisher, http)
    url, headers = address(system.url, JOB), bearer(system.token())
    async with http.ws_connect(url, headers=headers, autoping=False) as deaf:
        began = time.monotonic()
        assert (await deaf.receive(timeout=10)).type is WSMsgType.PING
        assert (await deaf.receive(timeout=20)).type is not WSMsgType.TEXT
        assert deaf.closed
        assert time.monotonic() - began < 20


@pytest.mark.timeout(120)
async def test_fifty_at_once_on_two_nodes_and_a_dead_node_frees_its_slots(
    system: System, publisher: Publisher, http: ClientSession
) -> None:
    port = free_port()
    other = Program(["hub", "serve", "--port", str(port)], environment(system.settings))
    await other.start()
    job = await begun(system, publisher, http)
    urls = [system.url, f"http://127.0.0.1:{port}"]
    stack, inside, codes = AsyncExitStack(), [0, 0], []
    after: set[tuple[int, str]] = set()

    async def attempt(number: int) -> None:
        node, door = number % 2, number // 2 % 3
        url, token = urls[node], system.token(f"u{number}")
        try:
            if door == 0:
                await stack.enter_async_context(raw(http, address(url, JOB), token))
            elif door == 1:
                await stack.enter_async_context(source(http, address(url, JOB), token))
            else:
                client = await stack.enter_async_context(line(url, token))
                answer = await client.command("subscribe", {"channel": CHANNEL})
                if not answer["ok"]:
                    codes.append(answer["error"]["code"])
                    assert answer["error"]["retry"]
                    return
        except Refused as refused:
            codes.append(refused.problem["errorCode"])
            after.add((refused.status, refused.headers["Retry-After"]))
            return
        inside[node] += 1

    try:
        await asyncio.gather(*map(attempt, range(50)))
        assert sum(inside) == 5, inside
        assert codes == ["TOO_MANY_CONNECTIONS"] * 45
        assert after == {(429, "10")}
        async with http.get(address(system.url, JOB), headers=bearer(system.token())) as polled:
            assert polled.status == 200  # polling is free
        await other.kill()
        died = time.monotonic()

        async def has_room() -> bool:
            try:
                await stack.enter_async_context(raw(http, address(system.url, JOB), system.token()))
            except Refused:
                return False
            return True

        for _ in range(inside[1]):
            await eventually(has_room, limit=15 - (time.monotonic() - died))
        assert not await has_room()
        await job.complete(passed=1, failed=0)
    finally:
        await stack.aclose()
        await other.stop()


async def test_a_crowded_job_does_not_keep_its_user_from_connecting(
    system: System, publisher: Publisher, http: ClientSession
) -> None:
    await begun(system, publisher, http)
    url, token = address(system.url, JOB), system.token()
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(raw(http, url, token))
        async with line(system.url, token, channels={CHANNEL: {"offset": 0}}) as client:
            followed = [each["channel"] for each in client.hello["channels"]]
            assert followed == ["user:u1", "all", CHANNEL]
            assert (await client.command("subscribe", {"channel": CHANNEL}))["ok"]  # no second slot
            client.cut()
            async with line(system.url, token, back=client) as back:
                assert back.hello["recovered"]
        await stack.enter_async_context(raw(http, url, token))
        async with line(system.url, token, channels={CHANNEL: {"offset": 0}}) as client:
            assert [each["channel"] for each in client.hello["channels"]] == ["user:u1", "all"]
            answer = await client.command("subscribe", {"channel": CHANNEL})
            assert answer["error"]["code"] == "TOO_MANY_CONNECTIONS"


async def test_a_node_that_stops_says_so_and_the_stream_goes_on_elsewhere(
    system: System, publisher: Publisher, http: ClientSession
) -> None:
    await begun(system, publisher, http)
    url, token = address(system.url, JOB), system.token()
    async with raw(http, url, token) as client, source(http, url, token) as stream:
        status, code, names = await asyncio.gather(
            system.node.stop(), client.to_the_end(), stream.to_the_end()
        )
        assert (status, code, names) == (0, 1012, ["closing"])
        assert stream.events[0].data["code"] == "DRAINING"
        assert stream.retry is not None
        assert 500 <= stream.retry <= 1500
