"""The HTTP edge: every refusal is a problem, every answer is protected, and nobody holds a
connection by being slow."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from config.logs import get_logger, setup_logging
from config.settings import Settings
from hub import app, metrics
from hub.gateways.http.edge import EdgeRunner
from tests.support.nodes import signed
from tests.support.rawhttp import protected, wire
from tests.support.wait import eventually

SECRET = "eyJhbGciOiJIUzI1NiJ9.a-token-that-nobody-may-see"
DEEP = 40


async def crash(request: web.Request) -> web.Response:
    """Fails, in one of several ways."""
    get_logger("test").info("test.reached")
    if "body" in request.query:
        return web.Response(body=await request.read())
    if "gone" in request.query:
        raise web.HTTPGone
    if "much" in request.query:
        return web.Response(body=b"x" * (1 << 26))
    raise ZeroDivisionError(SECRET)


@asynccontextmanager
async def edge(settings: Settings, **limits: float) -> AsyncIterator[str]:
    """A node with a resource that fails; its address. It is ready: were it stopped while it
    connects to MongoDB, the driver would leave the socket open."""
    async with app.node(settings) as application:
        application.add_routes([web.route("*", "/crash", crash)])
        patience = limits.pop("patience", settings.request_timeout)
        runner = EdgeRunner(application, patience=patience, shutdown_timeout=1, **limits)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        running = f"http://127.0.0.1:{runner.addresses[0][1]}"

        async def ready() -> bool:
            async with wire(running) as client:
                await client.say(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
                return (await client.answer())[0] == 200

        try:
            await eventually(ready)
            yield running
        finally:
            await runner.cleanup()


@pytest.fixture
async def url(settings: Settings) -> AsyncIterator[str]:
    async with edge(settings) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client whose connections are over before the test is, also those with a body that was
    refused and is not sent to its end."""
    opened: list[socket.socket] = []

    def connecting(address: Any) -> socket.socket:
        opened.append(socket.socket(*address[:3]))
        opened[-1].setblocking(False)
        return opened[-1]

    async def over() -> bool:
        return all(each.fileno() == -1 for each in opened)

    connector = aiohttp.TCPConnector(socket_factory=connecting)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session
    await eventually(over)


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Everything that was logged since it was asked for last, as text."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    setup_logging("INFO", "json")
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(level)


MALFORMED = {
    "no request": b"\x16\x03\x01" + SECRET.encode() + b"\r\n\r\n",
    "a method that is none": b"G@T /%b HTTP/1.1\r\nHost: a\r\n\r\n" % SECRET.encode(),
    "another version": b"GET /%b HTTP/7.1\r\nHost: a\r\n\r\n" % SECRET.encode(),
    "a long line": b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (SECRET.encode() * 400),
    "a long header": b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %b\r\n\r\n"
    % (SECRET.encode() * 400),
    "a header without end": b"GET / HTTP/1.1\r\nAuthorization: " + SECRET.encode() * 400,
    "many headers": b"GET / HTTP/1.1\r\nHost: a\r\n"
    + b"".join(b"X-%d: %b\r\n" % (n, SECRET.encode()) for n in range(200))
    + b"\r\n",
    "a header that is none": b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % SECRET.encode(),
    "a bare CR": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r%b\r\n\r\n" % SECRET.encode(),
    "NUL": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0%b\r\n\r\n" % SECRET.encode(),
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nX: %b\r\nContent-Length: 1\r\n"
    b"Content-Length: 2\r\n\r\nab" % SECRET.encode(),
    "a length and chunks": b"POST / HTTP/1.1\r\nHost: a\r\nX: %b\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % SECRET.encode(),
}


async def test_what_is_no_http_is_a_problem_and_is_not_repeated(
    url: str, logged: Callable[[], str]
) -> None:
    for name, request in MALFORMED.items():
        async with wire(url) as client:
            await client.say(request)
            status, headers, body = await client.answer()
            assert await client.ends() == b"", name
        problem = json.loads(body)
        assert status == problem["status"] == 400, name
        assert headers["content-type"] == "application/problem+json", name
        assert problem["errorCode"] == "INVALID_REQUEST", name
        assert problem["requestId"] == headers["x-request-id"], name
        assert protected(headers), name
        log = logged()
        assert problem["requestId"] in log, name
        for told in (str(headers), body.decode(), log):
            assert SECRET not in told, name
            assert SECRET[:20] not in told, name


REFUSED = [
    ("GET", "/nothing", 404, "NOT_FOUND"),
    ("GET", "/v1/jobs/../../etc/passwd", 404, "NOT_FOUND"),
    ("DELETE", "/v1/publish", 405, "METHOD_NOT_ALLOWED"),
    ("TRACE", "/v1/publish", 405, "METHOD_NOT_ALLOWED"),
    ("GET", "/v1/notifications", 401, "UNAUTHENTICATED"),
    ("GET", "/crash", 500, "INTERNAL"),
    ("GET", "/crash?gone", 400, "INVALID_REQUEST"),
    ("POST", "/crash?body", 413, "PAYLOAD_TOO_LARGE"),
]


async def test_every_refusal_is_a_problem_with_the_requests_id(
    url: str, http: aiohttp.ClientSession, logged: Callable[[], str]
) -> None:
    for method, path, status, code in REFUSED:
        for given, kept in (
            ("trace-1.2:3_4", True),
            (None, False),
            ("", False),
            ("a b", False),
            ("é", False),
            ("x" * 65, False),
            ('"}', False),
        ):
            data = BytesIO(b"x" * (1 << 20) + b"x") if status == 413 else None
            headers = {} if given is None else {"X-Request-Id": given}
            async with http.request(method, url + path, headers=headers, data=data) as answer:
                problem = await answer.json(content_type="application/problem+json")
                assert (answer.status, problem["errorCode"]) == (status, code), path
                known = problem["requestId"]
                assert answer.headers["X-Request-Id"] == known
                assert (known == given) is kept, given
                assert protected(answer.headers), path
            if path.startswith("/crash"):
                lines = [json.loads(line) for line in logged().splitlines()]
                reached = next(line for line in lines if line["event"] == "test.reached")
                assert reached["request_id"] == known
                if code == "INTERNAL":
                    assert any(line["event"] == "http.failed" for line in lines)
                    assert SECRET not in await answer.text()


async def test_an_expectation_that_nobody_meets(url: str) -> None:
    async with wire(url) as client:
        await client.say(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: the-impossible\r\n\r\n")
        status, headers, body = await client.answer()
        assert (status, json.loads(body)["errorCode"]) == (400, "INVALID_REQUEST")
        assert protected(headers)


async def test_every_answer_is_protected(url: str, http: aiohttp.ClientSession) -> None:
    token = {"Authorization": f"Bearer {signed()}"}
    for path in ("/healthz", "/metrics", "/openapi.json", "/v1/notifications", "/v1/jobs"):
        async with http.get(url + path, headers={**token, "X-Request-Id": "r1"}) as answer:
            assert answer.status == 200
            assert protected(answer.headers), path
            assert answer.headers["X-Request-Id"] == "r1"
    async with http.get(f"{url}/socket.io/?EIO=4&transport=polling") as answer:
        assert answer.status == 200
        assert protected(answer.headers)
    async with http.get(f"{url}/socket.io/?EIO=3&transport=polling") as answer:
        assert answer.status == 400
        assert protected(answer.headers)
    named = {"X-Request-Id": "r1"}
    async with http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket", headers=named) as own:
        assert own._response.headers["X-Request-Id"] == "r1"


async def chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def test_a_body_has_its_limits_however_it_comes(
    url: str, http: aiohttp.ClientSession
) -> None:
    token = {"Authorization": f"Bearer {signed(roles=['service'])}"}
    large = b'"' + b"x" * (1 << 20) + b'"'
    packed = gzip.compress(b" " * (1 << 24))
    for data, more in (
        (BytesIO(large), {}),
        (chunks(large, 10_000), {}),
        (packed, {"Content-Encoding": "gzip"}),
    ):
        async with http.post(f"{url}/v1/publish", data=data, headers=token | more) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["errorCode"]) == (413, "PAYLOAD_TOO_LARGE")
    for opens, closes in (("[", "]"), ('{"a":', "}")):
        for depth, refused in ((DEEP - 1, "payload"), (DEEP + 1, "body"), (5_000, "body")):
            data = (opens * depth + "1" + closes * depth).encode()
            async with http.post(f"{url}/v1/publish", data=data, headers=token) as answer:
                problem = await answer.json(content_type="application/problem+json")
                assert (answer.status, problem["errorCode"]) == (400, "INVALID_REQUEST")
                deep = problem["details"][0]["field"] == "body"
                assert deep is (refused == "body"), depth


async def test_a_body_that_breaks_off_is_nobodys_fault(url: str, logged: Callable[[], str]) -> None:
    async with wire(url) as client:
        head = b"POST /crash?body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        await client.say(head + b"zz\r\nno chunk\r\n")
        status, _, body = await client.answer()
        assert (status, json.loads(body)["errorCode"]) == (400, "INVALID_REQUEST")
    async with wire(url) as client:
        await client.say(b"POST /crash?body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
    async with wire(url) as client:  # by now it has noticed
        await client.say(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer())[0] == 200
    assert "http.failed" not in logged()


async def test_a_body_that_is_announced_as_too_large_is_refused_at_once(url: str) -> None:
    token = signed(roles=["service"])
    head = f"POST /v1/publish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
    for more in ("", "Expect: 100-continue\r\n"):
        async with wire(url) as client:
            await client.say(f"{head}{more}Content-Length: 2000000\r\n\r\n".encode())
            status, _, body = await client.answer()
            assert (status, json.loads(body)["errorCode"]) == (413, "PAYLOAD_TOO_LARGE")
    async with wire(url) as client:
        await client.say(f"{head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode())
        assert (await client.answer())[0] == 100
        await client.say(b"{}")
        assert (await client.answer())[0] == 400


@pytest.mark.parametrize("path", ["/v1/publish", "/healthz", "/nothing"])
async def test_a_body_that_cannot_be_decoded_fills_no_log(
    url: str, logged: Callable[[], str], path: str
) -> None:
    packed = gzip.compress(b"{}")
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {signed()}\r\n"
    head += f"Content-Encoding: deflate\r\nContent-Length: {len(packed)}\r\n\r\n"
    async with wire(url) as client:
        await client.say(head.encode() + packed)
        assert 400 <= (await client.answer())[0] < 500
        await client.ends()
    log = logged()
    assert "http.malformed" in log
    assert "Unhandled" not in log
    assert "error" not in {json.loads(line)["level"] for line in log.splitlines()}


WHOLE = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = {
    "says nothing": [b""],
    "half a line": [b"GET /hea"],
    "no end of the head": [b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b"X-1: 1\r\n", b"X-2: 1\r\n"],
    "a second head": [
        WHOLE,
        b"GET /healthz HTTP/1.1\r\n",
        b"Ho",
    ],
    "half a body": [
        b"POST /crash?body HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n",
        b"a",
        b"b",
    ],
    "chunks": [
        b"POST /crash?body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\na\r\n",
        b"1\r\n",
    ],
    "a body that nobody wants": [
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n",
        b"a",
    ],
}


async def test_who_takes_too_long_to_ask_is_cut_off(
    settings: Settings, logged: Callable[[], str]
) -> None:
    async with edge(settings, patience=0.4) as url:
        for name, parts in SLOW.items():
            async with wire(url) as client:
                for part in parts:
                    await client.say(part)
                    if part == WHOLE:
                        assert (await client.answer())[0] == 200
                before = metrics.LIMITED.by_labels.get(("slow_requests",), 0)
                answered = await client.ends()
                assert not answered or b" 405 " in answered, name
                assert metrics.LIMITED.by_labels[("slow_requests",)] == before + 1, name
        assert "http.failed" not in logged()


async def test_who_is_quick_keeps_its_connection(settings: Settings) -> None:
    async with edge(settings, patience=0.4) as url, wire(url) as client:
        for part in range(4):
            await client.say(b"POST /crash?body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
            await client.say(b"ab%d" % part)
            assert (await client.answer())[::2] == (200, b"ab%d" % part)
            await asyncio.sleep(0.2)  # in all longer than one request may take
        for _ in range(40):  # at once: more than are taken at a time
            await client.say(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert {(await client.answer())[0] for _ in range(40)} == {200}


async def test_who_does_not_read_is_cut_off(settings: Settings) -> None:
    before = metrics.LIMITED.by_labels.get(("slow_readers",), 0)
    async with edge(settings, stalled=0.3) as url, wire(url) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.say(b"GET /crash?much HTTP/1.1\r\nHost: a\r\n\r\n")

        async def cut_off() -> bool:
            return metrics.LIMITED.by_labels.get(("slow_readers",), 0) > before

        await eventually(cut_off)
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await client.ends()) < 1 << 26
