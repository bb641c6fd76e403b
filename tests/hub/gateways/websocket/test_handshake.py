"""Answering the handshake, and taking the connection from aiohttp in the middle of anything."""

from __future__ import annotations

import asyncio
import zlib

import aiohttp
import pytest

from hub.gateways import websocket
from tests.hub.gateways.websocket.wire import (
    ACCEPTED,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Frame,
    Server,
    close_frame,
    handshake,
    masked,
    serving,
)

pytestmark = pytest.mark.timeout(20)


async def test_is_answered_as_the_rfc_says(server: Server) -> None:
    client = await server.dial()
    assert client.status == 101
    assert client.headers == {
        "upgrade": "websocket",
        "connection": "upgrade",
        "sec-websocket-accept": ACCEPTED.lower(),
    }


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "WebSocket"},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "keep-alive\r\nConnection: upgrade"},
    ],
    ids=["case", "list", "two headers"],
)
async def test_in_other_words(server: Server, headers: dict[str, str]) -> None:
    client = await server.dial(headers)
    assert client.status == 101


@pytest.mark.parametrize(
    ("headers", "method"),
    [
        ({"Upgrade": ""}, "GET"),
        ({"Upgrade": "h2c"}, "GET"),
        ({"Connection": ""}, "GET"),
        ({"Connection": "keep-alive"}, "GET"),
        ({"Sec-WebSocket-Version": ""}, "GET"),
        ({"Sec-WebSocket-Version": "8"}, "GET"),
        ({"Sec-WebSocket-Key": ""}, "GET"),
        ({"Sec-WebSocket-Key": "c2hvcnQ="}, "GET"),
        ({"Sec-WebSocket-Key": "!" * 24}, "GET"),
        ({}, "POST"),
    ],
)
async def test_what_is_none_is_refused_and_stays_http(
    server: Server, headers: dict[str, str], method: str
) -> None:
    client = await server.connect()
    client.send(handshake(headers, method))
    await client.answered()
    assert client.status == 400
    await client.reader.readexactly(int(client.headers["content-length"]))
    client.send(handshake())
    await client.answered()
    assert client.status == 101


class TestEarlyData:
    """Clients have to wait for the answer; what some send before is not lost all the same."""

    async def test_behind_the_request(self, server: Server) -> None:
        early = masked(b"one") + masked(b"p", PING) + masked(b"two")
        client = await server.dial(behind=early + masked(b"three")[:3])
        peer = await server.peer()
        assert await client.frame() == Frame(PONG, b"p")
        client.send(masked(b"three")[3:], masked(b"four"))
        assert [await peer.heard() for _ in range(4)] == ["one", "two", "three", "four"]

    async def test_while_the_answer_is_being_thought_of(self, server: Server) -> None:
        """So much that aiohttp stops reading."""
        server.gate.clear()
        client = await server.connect(limit=1 << 20)
        client.send(handshake())
        frames = [masked(b"%d" % number + b"x" * 30_000) for number in range(30)]
        client.send(*frames)
        await asyncio.sleep(0.1)
        server.gate.set()
        await client.answered()
        peer = await server.peer()
        heard = [str(await peer.heard()).rstrip("x") for _ in range(30)]
        assert heard == [str(number) for number in range(30)]
        client.send(masked(b"later"))
        assert await peer.heard() == "later"

    async def test_that_closes_at_once(self, server: Server) -> None:
        client = await server.dial(behind=masked(b"one") + close_frame(1000))
        peer = await server.peer()
        assert await peer.heard() == "one"
        assert await client.ended() == 1000
        await peer.left()

    async def test_that_is_no_frame(self, server: Server) -> None:
        client = await server.dial(behind=b"GET / HTTP/1.1\r\n\r\n")
        peer = await server.peer()
        assert await client.ended() == 1002
        assert peer.failures == [1002]


async def test_a_client_that_does_not_wait_for_the_answer(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.gate.clear()
    client = await server.connect()
    client.send(handshake())
    await asyncio.sleep(0.02)
    client.reset()
    await asyncio.sleep(0.02)
    server.gate.set()
    await asyncio.sleep(0.02)
    assert server.peers == []
    assert not caplog.records, "that is nobody's error"
    assert (await server.dial()).status == 101


async def test_behind_an_answer_that_was_not_taken() -> None:
    """A connection may begin its life already blocked: whoever owns it has to know."""
    async with serving(send_buffer=16_384) as server:
        server.gate.clear()
        client = await server.connect(receive_buffer=4096, limit=512)
        client.send(b"GET /large?size=80000 HTTP/1.1\r\nHost: x\r\n\r\n", handshake())
        await asyncio.sleep(0.02)
        (connection,) = server.runner.server.connections  # type: ignore[union-attr]
        transport = connection.transport
        assert transport is not None
        missing = websocket.HIGH_WATER - transport.get_write_buffer_size()
        assert missing > 0, "aiohttp itself waits"
        transport.write(b"x" * missing)
        server.gate.set()
        peer = await server.peer()
        assert peer.is_blocked
        await client.answered()
        await client.reader.readexactly(80_000 + missing)
        await client.answered()
        assert client.status == 101
        peer.websocket.write(b"hello")
        assert await client.text() == "hello"
        assert not peer.is_blocked


async def test_aiohttp_forgets_the_connection(server: Server) -> None:
    _, peer = await server.pair()
    assert server.runner.server is not None
    async with asyncio.timeout(1):
        while server.runner.server.connections:  # noqa: ASYNC110 - the handler's task ends first
            await asyncio.sleep(0.001)
        await server.runner.cleanup()
    assert peer.is_open


EXTENSIONS = [
    ("permessage-deflate", 15, "permessage-deflate; server_no_context_takeover"),
    (
        "permessage-deflate; client_max_window_bits",
        15,
        "permessage-deflate; server_no_context_takeover",
    ),
    (
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10",
        10,
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
    ),
    (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        15,
        "permessage-deflate; server_no_context_takeover",
    ),
    (
        "permessage-deflate; server_max_window_bits=8, permessage-deflate",
        15,
        "permessage-deflate; server_no_context_takeover",
    ),
    ("permessage-deflate; server_max_window_bits=8", None, None),
    ("permessage-deflate; unheard_of=1", None, None),
    ("x-other", None, None),
    ("", None, None),
]


class TestCompression:
    @pytest.mark.parametrize(("offered", "bits", "answer"), EXTENSIONS)
    async def test_is_agreed_upon(self, offered: str, bits: int | None, answer: str | None) -> None:
        message = b"".join(b"%d, " % (number * number) for number in range(2000)) * 2
        async with serving(compress=True) as server:
            client, peer = await server.pair({"Sec-WebSocket-Extensions": offered})
            assert client.headers.get("sec-websocket-extensions") == answer
            assert peer.websocket.compresses is (bits is not None)
            peer.websocket.write(message)
            peer.websocket.write_all([message, message])
            for _ in range(3):  # none refers to the one before
                frame = await client.frame()
                assert frame is not None
                if bits is None:
                    assert frame == Frame(TEXT, message)
                else:
                    assert frame.compressed
                    inflater = zlib.decompressobj(-bits)
                    assert inflater.decompress(frame.payload + b"\0\0\xff\xff") == message

    async def test_never_happens_unless_it_was_switched_on(self, server: Server) -> None:
        client, peer = await server.pair({"Sec-WebSocket-Extensions": "permessage-deflate"})
        assert "sec-websocket-extensions" not in client.headers
        peer.websocket.write(b"x" * 10_000)
        assert await client.frame() == Frame(TEXT, b"x" * 10_000)
        client.send(masked(b"x", reserved=0b100))
        frame = await client.frame()
        assert frame is not None
        assert frame.opcode == CLOSE

    @pytest.mark.parametrize("bits", [9, 15])
    async def test_with_the_client_of_aiohttp(self, bits: int) -> None:
        messages = ["short", "much of the same, " * 1000, "", "and once more, " * 2000]
        async with (
            serving(compress=True) as server,
            aiohttp.ClientSession() as http,
            http.ws_connect(server.url, compress=bits) as client,
        ):
            peer = await server.peer()
            for message in messages:
                await client.send_str(message)
                assert await peer.heard() == message
                peer.websocket.write(message.encode())
                assert await client.receive_str() == message
            peer.websocket.write_all([message.encode() for message in messages])
            assert [await client.receive_str() for _ in messages] == messages

    async def test_does_not_let_a_small_message_become_a_large_one(self) -> None:
        bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = bomb.compress(b"x" * 50_000_000) + bomb.flush(zlib.Z_SYNC_FLUSH)
        async with serving(compress=True) as server:
            client, peer = await server.pair({"Sec-WebSocket-Extensions": "permessage-deflate"})
            client.send(masked(packed.removesuffix(b"\0\0\xff\xff"), reserved=0b100))
            assert await client.ended() == 1009
            assert peer.failures == [1009]

    async def test_of_what_is_not_compressed_ends_the_connection(self) -> None:
        async with serving(compress=True) as server:
            client, peer = await server.pair({"Sec-WebSocket-Extensions": "permessage-deflate"})
            client.send(masked(b"\xff\xff\xff", reserved=0b100), masked(b"too late"))
            assert await client.ended() == 1002
            assert peer.messages.empty()
