"""Log lines of connections, and the frames of those that are looked at."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import pytest

from config.logs import setup_logging
from config.settings import Settings
from hub.broker import traces
from hub.gateways import wire
from hub.gateways.sio.connection import Connection
from hub.gateways.websocket import WebSocket
from hub.services.admin import tails
from tests.hub.gateways.inboxes import House, running_house
from tests.support.doors import address, raw, source
from tests.support.nodes import Local, local_node, signed
from tests.support.sioline import Line, line
from tests.support.wait import eventually

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """What was logged since the last look."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    setup_logging("INFO", "json")
    yield lambda: [json.loads(each) for each in capsys.readouterr().err.splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def frames(found: list[dict[str, Any]], way: str) -> list[str]:
    return [each["frame"] for each in found if each["event"] == f"wire.{way}"]


def watching(settings: Settings, *names: str, **more: Any) -> Settings:
    return settings.model_copy(update={"log_wire": names, **more})


async def test_each_line_of_a_connection_names_it(settings: Settings, lines: Lines) -> None:
    async with local_node(settings) as node, line(node.url, signed("u1")) as client:
        await client.say("9nonsense")
        await client.until(lambda: client.closed)
        found = {each["event"]: each for each in lines()}
        for event in ("engine.bad_packet", "connection.ended"):
            assert found[event]["sid"] == client.hello["sid"]
            assert found[event]["user_id"] == "u1"
            assert found[event]["node"]


async def test_a_broken_line_is_named_too(settings: Settings, lines: Lines) -> None:
    async with local_node(settings) as node, line(node.url, signed("u1")) as client:
        client._ws._writer.transport.write(b"\xff\xff\xff\xff\xff\xff")
        await client.until(lambda: client.closed)
        (broken,) = [each for each in lines() if each["event"] == "websocket.broken"]
        assert (broken["sid"], broken["user_id"]) == (client.hello["sid"], "u1")


async def spoken(client: Line, token: str) -> None:
    answer = await client.command("auth:refresh", {"token": token})
    assert answer["ok"], answer


@pytest.mark.parametrize("compression", [False, True])
async def test_the_frames_of_one_user_are_logged(
    settings: Settings, lines: Lines, compression: bool
) -> None:
    token = signed("u1")
    wanted = watching(settings, "user:u1", "sid:other", compression=compression)
    async with local_node(wanted) as node:
        async with line(node.url, token) as client, line(node.url, signed("u2")) as other:
            await spoken(client, token)
            await spoken(other, signed("u2"))
            sid = client.hello["sid"]
        found = lines()
    said = [each for each in found if each["event"].startswith("wire.")]
    assert {(each["sid"], each["user_id"], each["level"]) for each in said} == {(sid, "u1", "info")}
    assert frames(found, "in") == ['421["auth:refresh", {"token": "***"}]']
    out = frames(found, "out")
    assert out[0].startswith('40{"sid":"')
    assert out[1].startswith('42["hello",')
    assert out[2].startswith('431[{"ok":true,')
    assert token.split(".")[1] not in json.dumps(found)


async def test_polling_and_the_change_to_websocket(
    settings: Settings, lines: Lines, http: aiohttp.ClientSession
) -> None:
    token = signed("u1")
    async with local_node(watching(settings, "user:u1")) as node:
        url = f"{node.url}/socket.io/?EIO=4"
        poll = f"{url}&transport=polling"

        async def get(sid: str) -> str:
            async with http.get(f"{poll}&sid={sid}") as answer:
                return await answer.text()

        async with http.get(poll) as answer:
            sid = json.loads((await answer.text())[1:])["sid"]
        connect = "40" + json.dumps({"token": token})
        async with http.post(f"{poll}&sid={sid}", data=connect) as answer:
            assert answer.status == 200
        assert "hello" in await get(sid)
        async with http.post(f"{poll}&sid={sid}", data='427["nonsense",{}]') as answer:
            assert answer.status == 200
        assert "UNKNOWN_COMMAND" in await get(sid)
        async with http.ws_connect(f"{url}&transport=websocket&sid={sid}") as ws:
            await ws.send_str("2probe")
            assert await ws.receive_str() == "3probe"
            await ws.send_str("5")
            await ws.send_str('428["nonsense",{}]')
            assert (await ws.receive_str()).startswith("438[")
        found = lines()
    assert frames(found, "in")[:2] == ['427["nonsense",{}]', '428["nonsense",{}]']
    out = frames(found, "out")
    assert [each[:3] for each in out if each[:2] in ("40", "42", "43")] == [
        "40{",
        "42[",
        "437",
        "438",
    ]
    assert sid not in json.dumps(found)  # who has it could go on with the session


async def begun(house: House, job_id: str) -> Any:
    job = house.hub.job(job_id, project_id="p1", owner_id="u1")
    await job.start(total_scenarios=9)
    await job.status("GENERATING")

    async def stored() -> bool:
        status, document = await house.ask("GET", f"/v1/jobs/{job_id}/progress")
        return status == 200 and document["offset"] == 1

    await eventually(stored)
    return job


async def test_event_streams_and_raw_websockets(settings: Settings, lines: Lines) -> None:
    async with running_house(watching(settings, "user:u1")) as house:
        job, url = await begun(house, "j1"), address(house.urls[0], "j1", "jobs")
        device = await house.device()
        await device.line.command("subscribe", {"channel": "job:j1"})
        lines()
        async with raw(house.http, url, signed("u1")) as socket:
            await socket.upto(1)
            async with source(house.http, url, signed("u1")) as stream:
                await stream.upto(1)
                await job.status("VALIDATING")
                await stream.upto(2)
                await socket.upto(2)
                found = lines()
    by_door: dict[str, list[str]] = {}
    for each in found:
        if each["event"] == "wire.out" and "door" in each:
            by_door.setdefault(each["door"], []).append(each["frame"])
    assert [json.loads(each)["offset"] for each in by_door["WEBSOCKET"]] == [1, 2]
    assert [each.count('"offset":') for each in by_door["SSE"]] == [1, 1]


async def test_a_tail_switches_it_on_for_a_while(
    settings: Settings, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "WATCH", 1.0)
    monkeypatch.setattr(tails, "_RENEW", 0.3)
    async with running_house(settings) as house:
        device, other = await house.device("u1", at=1), await house.device("u2", at=1)
        nobody = await house.device("u2", at=1)
        admin = await house.stack.enter_async_context(
            line(house.urls[0], signed("root", roles=["admin"]), namespace="/admin")
        )

        async def seen() -> set[str]:
            """The connections whose frames were logged while each of them said something."""
            lines()
            for each in (device, other, nobody):
                await each.line.command("unsubscribe", {"channel": "job:none"})
            return {each["sid"] for each in lines() if each["event"] == "wire.in"}

        sids = [each.line.hello["sid"] for each in (device, other, nobody)]
        assert await seen() == set()
        assert (await admin.command("tail", {"userId": "u1"}))["ok"]
        assert (await admin.command("tail", {"sid": sids[1]}))["ok"]
        assert await seen() == set(sids[:2])
        assert (await admin.command("untail", {}))["ok"]
        async with asyncio.timeout(10):
            while await seen():  # noqa: ASYNC110 - it ends by itself, unannounced
                await asyncio.sleep(0.1)


async def test_nothing_is_lost_or_overtakes_when_it_is_switched(settings: Settings) -> None:
    async with local_node(settings) as node, line(node.url, signed("u1")) as client:
        (connection,) = connections(node)
        for number in range(200):
            wire._watch(connection.line, on=number % 3 == 0)
            connection.send("count", {"number": number})
        await client.until(lambda: len(client.named("count")) == 200)
        assert [each["number"] for each in client.named("count")] == list(range(200))
        wire._watch(connection.line, on=False)
        connection.send("count", {"number": 200})
        await client.until(lambda: len(client.named("count")) == 201)
        websocket: Any = connection.line.websocket
        assert websocket.descriptor >= 0  # it is written to directly again
        assert type(websocket) is WebSocket


def connections(node: Local) -> list[Any]:
    return [each for each in node.guests if isinstance(each, Connection)]
