"""The shipped proxy configurations, in front of nodes of a few lines, which do on purpose what a
real one does in bad moments."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hub.gateways.sio.engine import Engine
from tests.support.proxies import PROXIES, SHIPPED, program, proxy
from tests.support.wait import eventually


@dataclass
class Stub:
    """Answers with its name and what it was asked; ``mood``: what it does instead."""

    name: str
    mood: str = ""
    port: int = 0
    posts: list[str] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            self.posts.append(await request.text())
        if self.mood == "dies":
            assert request.transport is not None
            request.transport.abort()
        if self.mood == "drains":
            return web.json_response({"errorCode": "DRAINING"}, status=503)
        headers = dict(request.headers)
        return web.json_response(
            {"node": self.name, "headers": headers, "size": len("".join(self.posts))}
        )

    async def ready(self, request: web.Request) -> web.Response:
        return web.Response(status=503 if self.mood == "unready" else 200)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        # With its length: nginx, when it buffers, holds such a one back, but no chunks.
        headers = {"Content-Type": "text/event-stream", "Content-Length": str(3 * 9)}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        for number in range(3):
            await response.write(b"data: %d\n\n" % number)
            await self.more.wait()
            self.more.clear()
        return response

    async def engine(self, request: web.Request) -> web.StreamResponse:
        if request.query["transport"] == "websocket":
            ws = web.WebSocketResponse()
            await ws.prepare(request)
            async for message in ws:
                await ws.send_str(f"{self.name}: {message.data}")
            return ws
        if "sid" in request.query:
            return web.Response(text=self.name)
        self.posts.append("")  # makes the id a new one
        return web.Response(text=f'0{{"sid":"{self.name}-{len(self.posts)}","upgrades":[]}}')


@asynccontextmanager
async def stubs() -> AsyncIterator[list[Stub]]:
    async with AsyncExitStack() as stack:
        nodes = [Stub("a"), Stub("b")]
        for node in nodes:
            app = web.Application(client_max_size=1 << 30)
            app.router.add_get("/readyz", node.ready)
            app.router.add_get("/stream", node.stream)
            app.router.add_route("*", "/socket.io/", node.engine)
            app.router.add_route("*", "/{any:.*}", node.answer)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            node.port = runner.addresses[0][1]
        yield nodes


@dataclass
class Front:
    """A proxy before two stubs, and a client that uses a connection once."""

    name: str
    url: str
    nodes: list[Stub]
    http: aiohttp.ClientSession

    def engine(self, transport: str, sid: str | None = None) -> str:
        more = "" if sid is None else f"&sid={sid}"
        return f"{self.url}/socket.io/?EIO=4&transport={transport}{more}"

    async def open_session(self) -> str:
        """Opens an Engine.IO session by polling; gives its id, which begins with the node."""
        answer = await (await self.http.get(self.engine("polling"))).text()
        return answer.split('"')[3]

    async def node(self, path: str = "/") -> str:
        """Which node answers a new request."""
        name: str = (await (await self.http.get(f"{self.url}{path}")).json())["node"]
        return name


@pytest.fixture(params=PROXIES)
async def front(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Front]:
    """Each of the proxies."""
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(stubs())
        ports = [each.port for each in nodes]
        url = await stack.enter_async_context(proxy(request.param, ports, tmp_path / "proxy"))
        connector = aiohttp.TCPConnector(force_close=True)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield Front(request.param, url, nodes, http)


only_haproxy = pytest.mark.parametrize("front", ["haproxy"], indirect=True)


async def test_every_request_of_a_session_reaches_its_node(front: Front) -> None:
    sids = [await front.open_session() for _ in range(8)]
    for sid in sids * 2:
        for send in (front.http.get, front.http.post):
            assert await (await send(front.engine("polling", sid))).text() == sid[0]
        async with front.http.ws_connect(front.engine("websocket", sid)) as ws:
            await ws.send_str("2probe")
            assert await ws.receive_str() == f"{sid[0]}: 2probe"
    # HAProxy knows the sessions; nginx goes by the address, of which there is one here.
    assert len({sid[0] for sid in sids}) == (2 if front.name == "haproxy" else 1)


async def test_websockets_go_where_there_are_fewest(front: Front) -> None:
    async with AsyncExitStack() as stack:
        nodes = []
        for _ in range(6):
            ws = await stack.enter_async_context(front.http.ws_connect(front.engine("websocket")))
            await ws.send_str("2")
            nodes.append((await ws.receive_str())[0])
    assert sorted(nodes) == ["a"] * 3 + ["b"] * 3


async def test_a_node_is_told_who_asks_and_what_for(front: Front) -> None:
    lies = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    answer = await (await front.http.get(front.url, headers=lies)).json()
    seen = answer["headers"]
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "http"
    assert f"http://{seen['Host']}" == front.url


async def test_an_event_stream_is_not_buffered(front: Front) -> None:
    async with asyncio.timeout(10), front.http.get(f"{front.url}/stream") as answer:
        for number in range(3):
            assert await answer.content.readuntil(b"\n\n") == b"data: %d\n\n" % number
            for node in front.nodes:
                node.more.set()
        assert await answer.content.read() == b""


@pytest.mark.parametrize("mood", ["dies", "drains"])
async def test_another_node_is_asked_when_one_does_not_answer(front: Front, mood: str) -> None:
    front.nodes[0].mood = mood
    assert {await front.node() for _ in range(6)} == {"b"}


@pytest.mark.parametrize("mood", ["dies", "drains"])
async def test_what_changes_something_is_not_said_twice(front: Front, mood: str) -> None:
    for node in front.nodes:
        node.mood = mood
    for number in range(4):
        answer = await front.http.post(front.url, data=str(number))
        assert answer.status in (502, 503)
    assert sorted(front.nodes[0].posts + front.nodes[1].posts) == ["0", "1", "2", "3"]


async def test_the_hubs_own_refusal_arrives(front: Front) -> None:
    for node in front.nodes:
        node.mood = "drains"
    answer = await front.http.get(front.url)
    assert (answer.status, await answer.json()) == (503, {"errorCode": "DRAINING"})


async def test_bodies_are_for_the_hub_to_refuse(front: Front) -> None:
    answer = await front.http.post(front.url, data=io.BytesIO(b"x" * 1_500_000))
    assert (await answer.json())["size"] == 1_500_000


async def test_metrics_are_not_public(front: Front) -> None:
    assert (await front.http.get(f"{front.url}/metrics")).status == 404
    assert (await front.http.get(f"{front.url}/metricsX")).status == 200


@only_haproxy
async def test_a_node_that_is_not_ready_keeps_what_it_has_and_gets_nothing_new(
    front: Front,
) -> None:
    sids = {sid[0]: sid for sid in [await front.open_session() for _ in range(4)]}
    async with AsyncExitStack() as stack:
        sockets = [  # fewer at a: that is where new ones would go
            await stack.enter_async_context(
                front.http.ws_connect(front.engine("websocket", sids[name]))
            )
            for name in "abb"
        ]
        assert {await front.node() for _ in range(4)} == {"a"}
        front.nodes[0].mood = "unready"

        async def new_ones_go_to(name: str) -> bool:
            return {await front.node(), (await front.open_session())[0]} == {name}

        await eventually(lambda: new_ones_go_to("b"))
        await sockets[0].send_str("still here")
        assert await sockets[0].receive_str() == "a: still here"
        assert await (await front.http.get(front.engine("polling", sids["a"]))).text() == "a"
        front.nodes[0].mood = ""
        await eventually(lambda: new_ones_go_to("a"))


def test_haproxy_has_nothing_to_complain_about() -> None:
    checked = subprocess.run(
        [program("haproxy"), "-c", "-f", str(SHIPPED["haproxy.cfg"])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def test_no_timeout_is_shorter_than_a_quiet_connection() -> None:
    engine = Engine()
    quiet = engine.ping_interval + engine.ping_timeout
    names = r"timeout (?:client|server|tunnel) +|proxy_(?:read|send)_timeout "
    found = [
        int(seconds)
        for path in SHIPPED.values()
        for seconds in re.findall(rf"^ *(?:{names})(\d+)s\b", path.read_text(), re.MULTILINE)
    ]
    assert len(found) == 5
    assert min(found) > quiet
