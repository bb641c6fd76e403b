"""Handing connections over, between two servers of one process: what arrives is what was sent."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hub.gateways.sio.engine import Engine
from hub.handover import Handover, Inboxes, Seat

LIMIT = 100_000
"""Bytes of a body; more than one message between processes holds."""


@dataclass
class Process:
    """What would be one process: it answers with its number and the request as it came."""

    number: int
    engine: Engine
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade") == "websocket":
            ws = web.WebSocketResponse()
            await ws.prepare(request)
            async for message in ws:
                await ws.send_str(f"{self.number}: {message.data}")
            return ws
        body = await request.content.read(-1)
        return web.json_response(
            {
                "number": self.number,
                "method": request.method,
                "path": request.raw_path,
                "peer": request.transport and request.transport.get_extra_info("peername")[1],
                "headers": dict(request.headers),
                "size": len(body),
                "body": body[:20].decode(),
            }
        )


@asynccontextmanager
async def process(inboxes: Inboxes, number: int) -> AsyncIterator[Process]:
    engine = Engine(max_http_buffer_size=LIMIT)
    running = Process(number, engine)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/socket.io/", running.answer)
    app.router.add_route("*", "/other/", running.answer)
    seat = inboxes.seat(number)
    duplicates = [os.dup(fd) for fd in seat.descriptors]  # a process inherits copies
    handover = Handover(Seat(number, duplicates[0], tuple(duplicates[1:])))
    handover.attach(app, engine)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        with closing(handover):
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            running.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with handover.serving(runner):
                yield running
    finally:
        await runner.cleanup()


@asynccontextmanager
async def processes(count: int = 2) -> AsyncIterator[list[Process]]:
    with closing(Inboxes(count)) as inboxes:
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(process(inboxes, number)) for number in range(count)
            ]


@pytest.fixture
async def pair() -> AsyncIterator[list[Process]]:
    """Two of them."""
    async with processes() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of one connection, so that what it does next is seen by whoever has it."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        yield session


def query(session: str, **more: str) -> dict[str, str]:
    return {"EIO": "4", "transport": "polling", "sid": session, **more}


async def test_session_ids_name_their_process(pair: list[Process]) -> None:
    ids = [each.engine.generate_id() for each in pair for _ in range(3)]
    assert [sid[:2] for sid in ids] == ["00"] * 3 + ["01"] * 3
    assert len(set(ids)) == 6


async def test_a_request_reaches_its_session_and_the_connection_stays_there(
    pair: list[Process], http: aiohttp.ClientSession
) -> None:
    here = pair[0]
    first = await (await http.get(f"{here.url}/other/")).json()
    passed = await (await http.get(f"{here.url}/socket.io/", params=query("01abc", q="a b"))).json()
    then = await (await http.get(f"{here.url}/other/", headers={"X-Mine": "1"})).json()
    back = await (await http.get(f"{here.url}/socket.io/", params=query("00abc"))).json()
    assert [each["number"] for each in (first, passed, then, back)] == [0, 1, 1, 0]
    assert len({each["peer"] for each in (first, passed, then, back)}) == 1, "not one connection"
    assert passed["path"] == "/socket.io/?EIO=4&transport=polling&sid=01abc&q=a+b"
    assert then["headers"]["X-Mine"] == "1"


BODIES: dict[str, tuple[Any, dict[str, str], str]] = {
    "plain": ("4hello", {}, "4hello"),
    "empty": ("", {}, ""),
    "as large as may be": ("x" * LIMIT, {}, "x" * LIMIT),
    "compressed": (gzip.compress(b"4hello"), {"Content-Encoding": "gzip"}, "4hello"),
    "after 100 Continue": ("4hello", {"Expect": "100-continue"}, "4hello"),
}


@pytest.mark.parametrize("kind", BODIES)
async def test_a_body_arrives_decoded(
    pair: list[Process], http: aiohttp.ClientSession, kind: str
) -> None:
    body, headers, expected = BODIES[kind]
    answer = await http.post(
        f"{pair[0].url}/socket.io/", params=query("01abc"), data=body, headers=headers
    )
    seen = await answer.json()
    assert (seen["number"], seen["method"]) == (1, "POST")
    assert (seen["size"], seen["body"]) == (len(expected), expected[:20])
    assert "Content-Encoding" not in seen["headers"]


async def test_a_body_in_chunks_arrives_whole(
    pair: list[Process], http: aiohttp.ClientSession
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"0123456789"

    answer = await http.post(f"{pair[0].url}/socket.io/", params=query("01a"), data=chunks())
    seen = await answer.json()
    assert (seen["number"], seen["size"]) == (1, 50)
    assert seen["headers"]["Content-Length"] == "50"
    assert "Transfer-Encoding" not in seen["headers"]


async def test_of_a_body_that_is_too_long_one_byte_too_many_arrives(
    pair: list[Process], http: aiohttp.ClientSession
) -> None:
    answer = await http.post(
        f"{pair[0].url}/socket.io/", params=query("01abc"), data="x" * (LIMIT + 100)
    )
    seen = await answer.json()
    assert (seen["number"], seen["size"]) == (1, LIMIT + 1)
    assert answer.headers["Connection"] == "close"
    again = await (await http.get(f"{pair[0].url}/other/")).json()
    assert again["peer"] != seen["peer"]


async def test_an_upgrade_to_websocket_happens_in_the_other_process(
    pair: list[Process], http: aiohttp.ClientSession
) -> None:
    url = f"{pair[0].url}/socket.io/?EIO=4&transport=websocket&sid=01abc"
    async with http.ws_connect(url) as ws:
        for text in ("2probe", "5"):
            await ws.send_str(text)
            assert await ws.receive_str() == f"1: {text}"


@pytest.mark.parametrize("sid", ["", "0", "zz", "-1abc", "02abc", "ffabc", "+1abc", " 1a", "00abc"])
async def test_what_names_no_other_process_is_answered_here(
    pair: list[Process], http: aiohttp.ClientSession, sid: str
) -> None:
    seen = await (await http.get(f"{pair[0].url}/socket.io/", params=query(sid))).json()
    assert seen["number"] == 0


async def test_nothing_is_left_open(pair: list[Process]) -> None:
    async def one(session: str) -> None:
        async with aiohttp.ClientSession() as http:
            seen = await (await http.get(f"{pair[0].url}/socket.io/", params=query(session))).json()
            assert seen["number"] == int(session[:2])

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    await one("01abc")
    before = descriptors()
    for _ in range(20):
        await asyncio.gather(*(one(f"0{number}abc") for number in (0, 1, 1)))
    async with asyncio.timeout(5):
        while descriptors() > before:  # noqa: ASYNC110 - sockets close in their own time
            await asyncio.sleep(0.01)


async def test_what_waits_for_a_process_is_bounded_and_found_by_its_successor() -> None:
    with closing(Inboxes(2)) as inboxes:
        unlimited = aiohttp.TCPConnector(limit=0)
        async with process(inboxes, 0) as here, aiohttp.ClientSession(connector=unlimited) as http:
            url = f"{here.url}/socket.io/"

            async def get() -> dict[str, Any]:
                seen: dict[str, Any] = await (await http.get(url, params=query("01abc"))).json()
                return seen

            waiting: list[asyncio.Task[dict[str, Any]]] = []
            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                while not any(each.done() for each in waiting):
                    waiting += [tasks.create_task(get()) for _ in range(20)]
                    await asyncio.sleep(0.1)
                    assert len(waiting) < 5000
                async with process(inboxes, 1):
                    answers = [(await each)["number"] for each in waiting]
            assert set(answers) == {0, 1}
