"""RFC 6455, by its bytes."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from hub.gateways import websocket
from tests.hub.gateways.websocket.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    Server,
    close_frame,
    masked,
    serving,
)

pytestmark = pytest.mark.timeout(20)

LIMIT = 65_536
"""Of a message."""


async def test_messages_go_both_ways(server: Server) -> None:
    client, peer = await server.pair()
    client.send(masked("grüß".encode()), masked(b"\0\xff", BINARY), masked(b""))
    assert [await peer.heard() for _ in range(3)] == ["grüß", b"\0\xff", ""]
    peer.websocket.write("zurück".encode())
    peer.websocket.write_all([b"one", b"two"])
    assert [await client.text() for _ in range(3)] == ["zurück", "one", "two"]


async def test_control_frames_between_the_fragments_of_a_message(server: Server) -> None:
    client, peer = await server.pair()
    word = "né".encode()
    client.send(
        masked(word[:2], TEXT, fin=False),  # ends in the middle of a letter
        masked(b"are you there?", PING),
        masked(b"", CONTINUATION, fin=False),
        masked(b"unasked", PONG),
        masked(word[2:], CONTINUATION),
        masked(b"next"),
    )
    assert await client.frame() == Frame(PONG, b"are you there?")
    assert [await peer.heard(), await peer.heard()] == ["né", "next"]


@pytest.mark.parametrize("first", [True, False], ids=["before anything else", "afterwards"])
@pytest.mark.parametrize("payload", [b"", b"p" * 125])
async def test_a_ping_is_answered(server: Server, payload: bytes, first: bool) -> None:
    client, peer = await server.pair()
    if not first:
        peer.websocket.write(b"hello")
        assert await client.text() == "hello"
    for _ in range(3):
        client.send(masked(payload, PING))
        assert await client.frame() == Frame(PONG, payload)


async def test_a_frame_in_pieces(server: Server) -> None:
    client, peer = await server.pair()
    frame = masked(b"x" * 300) + masked(b"next")
    for at in range(len(frame)):
        client.send(frame[at : at + 1])
        if at % 20 == 0:
            await asyncio.sleep(0.001)
    assert [await peer.heard(), await peer.heard()] == ["x" * 300, "next"]


class TestClosing:
    @pytest.mark.parametrize(
        ("sent", "answer"),
        [
            (close_frame(1000), 1000),
            (close_frame(1001), 1001),
            (close_frame(4001), 4001),
            (masked((3000).to_bytes(2, "big") + "grüß".encode(), CLOSE), 3000),
            (masked(b"", CLOSE), 1000),
        ],
        ids=["1000", "1001", "4001", "with a reason", "without a code"],
    )
    async def test_by_the_client_is_answered_with_its_code(
        self, server: Server, sent: bytes, answer: int
    ) -> None:
        client, peer = await server.pair()
        client.send(sent, masked(b"too late"))
        assert await client.ended() == answer
        await peer.left()
        assert peer.failures == []
        assert peer.messages.empty()

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535])
    async def test_with_a_code_that_no_one_may_send(self, server: Server, code: int) -> None:
        client, peer = await server.pair()
        client.send(close_frame(code))
        assert await client.ended() == 1002
        await peer.left()

    async def test_by_the_server_comes_behind_what_was_written(self, server: Server) -> None:
        client, peer = await server.pair()
        for number in range(100):
            peer.websocket.write(b"%d" % number + b"x" * 10_000)
        peer.websocket.close(4105)
        peer.websocket.write(b"too late")
        peer.websocket.close(1000)
        for number in range(100):
            assert (await client.text()).rstrip("x") == str(number)
        assert await client.ended() == 4105
        await peer.left()
        deadline = peer.websocket._deadline
        assert deadline is not None
        assert deadline.cancelled(), "it would hold the connection's memory"
        assert peer.losses >= 1

    async def test_takes_nothing_from_a_client_that_is_still_talking(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Data that nobody reads must not make the system reset the connection."""
        monkeypatch.setattr(websocket, "_LAST_WORDS", 60)
        async with serving() as server:
            client, peer = await server.pair()
            peer.websocket.pause_reading()
            client.send(*[masked(b"x" * 60_000)] * 10)
            await asyncio.sleep(0.02)
            peer.websocket.write(b"closing")
            peer.websocket.close(1009)
            await asyncio.sleep(0.02)
            client.send(*[masked(b"x" * 60_000)] * 10)
            await asyncio.sleep(0.02)
            assert await client.text() == "closing"
            assert await client.ended() == 1009
            await peer.left()

    async def test_does_not_wait_for_a_client_that_does_not_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(websocket, "_LAST_WORDS", 0.1)
        async with serving(send_buffer=16_384) as server:
            _, peer = await server.pair(receive_buffer=4096, limit=512)
            while not peer.is_blocked:
                peer.websocket.write(b"x" * 10_000)
            peer.websocket.close(1000)
            assert peer.buffered > 0
            await peer.left()
            assert peer.losses >= 1

    async def test_does_not_wait_for_a_client_that_does_not_close(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(websocket, "_LAST_WORDS", 0.1)
        client, peer = await server.pair()
        peer.websocket.close(1000)
        await peer.left()
        assert await client.ended() == 1000

    async def test_of_a_connection_that_the_system_has_lost_already(self) -> None:
        """Which shows when this side is shut down, and not before."""
        async with serving() as server:
            _, peer = await server.pair()
            peer.websocket._transport = _Reset(peer.websocket._transport)
            peer.websocket.close()
            await peer.left()

    async def test_is_not_disturbed_by_what_still_comes(self, server: Server) -> None:
        client, peer = await server.pair()
        peer.websocket.close(1012)
        client.send(masked(b"x"), masked(b"p", PING), masked(b"x", 0x3), masked(b"x"))
        assert await client.ended() == 1012
        await peer.left()
        assert peer.failures == []
        assert peer.messages.empty()


class _Reset:
    """A transport whose connection was reset a moment ago."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write_eof(self) -> None:
        raise OSError(errno.ENOTCONN, "not connected")


@pytest.mark.parametrize("way", ["eof", "reset", "abort"])
async def test_a_client_that_is_gone(server: Server, way: str) -> None:
    client, peer = await server.pair()
    peer.websocket.write(b"hello")
    assert await client.text() == "hello"
    if way == "reset":
        client.reset()
    elif way == "eof":
        client.writer.close()
    else:
        peer.websocket.abort()
    await peer.left()
    assert peer.losses >= 1
    assert peer.failures == []
    peer.websocket.write(b"nobody there")
    peer.websocket.pause_reading()
    peer.websocket.resume_reading()
    peer.websocket.close()
    peer.websocket.abort()
    assert not peer.is_open


GARBAGE = {
    "reserved bit without compression": masked(b"x", reserved=0b100),
    "second reserved bit": masked(b"x", reserved=0b010),
    "unknown opcode": masked(b"x", 0x3),
    "unknown control opcode": masked(b"x", 0xB),
    "fragmented control frame": masked(b"x", PING, fin=False),
    "long control frame": masked(b"x" * 126, PING),
    "continuation of nothing": masked(b"x", CONTINUATION),
    "text inside a fragmented message": masked(b"x", fin=False) + masked(b"y"),
    "close frame of one byte": masked(b"x", CLOSE),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
async def test_what_is_no_frame_ends_the_connection(server: Server, garbage: bytes) -> None:
    client, peer = await server.pair()
    client.send(masked(b"fine"), garbage, masked(b"too late"))
    assert await peer.heard() == "fine"
    assert await client.ended() == 1002
    await peer.left()
    assert peer.failures == [1002]
    assert peer.losses == 1
    assert peer.messages.empty()


@pytest.mark.parametrize(
    "frames",
    [
        masked(b"\xff"),
        masked("é".encode()[:1]),
        masked("é".encode()[:1], fin=False) + masked(b"x", CONTINUATION),
        masked((1000).to_bytes(2, "big") + b"\xff", CLOSE),
    ],
    ids=["text", "half a letter", "fragments", "a close reason"],
)
async def test_text_that_is_no_utf_8(server: Server, frames: bytes) -> None:
    client, peer = await server.pair()
    client.send(frames)
    assert await client.ended() == 1007
    await peer.left()
    assert peer.failures == [1007]


LARGE: dict[str, tuple[bytes, ...]] = {
    "one frame": (masked(b"x" * (LIMIT + 1)),),
    "fragments": (
        masked(b"x" * LIMIT, fin=False),
        masked(b"", CONTINUATION, fin=False),
        masked(b"x", CONTINUATION),
    ),
    "announced alone": (masked(b"", size=1 << 40),),
    "more than any machine has": (masked(b"", size=(1 << 64) - 1),),
}


@pytest.mark.parametrize("frames", LARGE.values(), ids=LARGE.keys())
async def test_a_message_of_more_than_the_limit(server: Server, frames: tuple[bytes, ...]) -> None:
    client, peer = await server.pair()
    client.send(masked(b"x" * LIMIT))
    client.send(masked(b"y" * (LIMIT - 1), fin=False), masked(b"y", CONTINUATION))
    assert [await peer.heard(), await peer.heard()] == ["x" * LIMIT, "y" * LIMIT]
    client.send(*frames)
    assert await client.ended() == 1009
    await peer.left()
    assert peer.failures == [1009]
    assert peer.messages.empty()


async def test_the_owner_has_the_last_word(server: Server) -> None:
    """What it writes inside ``failed`` comes before the close frame."""
    client, peer = await server.pair()

    def failed(code: int) -> None:
        peer.websocket.write(b"because: %d" % code)

    peer.failed = failed  # type: ignore[method-assign]
    client.send(masked(b"x" * (LIMIT + 1)))
    assert await client.text() == "because: 1009"
    assert await client.ended() == 1009


async def test_reading_pauses_and_goes_on(server: Server) -> None:
    client, peer = await server.pair()
    client.send(masked(b"0"))
    assert await peer.heard() == "0"
    peer.websocket.pause_reading()
    peer.websocket.pause_reading()
    client.send(masked(b"1"))
    await asyncio.sleep(0.05)
    assert peer.messages.empty()
    peer.websocket.resume_reading()
    peer.websocket.resume_reading()
    client.send(masked(b"2"))
    assert [await peer.heard(), await peer.heard()] == ["1", "2"]


async def test_an_owner_hands_over_to_another_between_two_frames(server: Server) -> None:
    """As an upgrade does: what comes behind in the same segment is the new owner's."""
    client, first = await server.pair()
    second: list[Any] = []
    done = asyncio.Event()

    class Second:
        def received(self, message: str | bytes) -> None:
            second.append(message)
            if message == "last":
                done.set()

        def blocked(self) -> None:
            """Not here."""

        writable = lost = blocked

        def failed(self, code: int) -> None:
            """Not here."""

        def log_fields(self) -> dict[str, Any]:
            return {}

    first.received = lambda message: first.websocket.begin(Second())  # type: ignore[method-assign]
    client.send(masked(b"over"), masked(b"next"), masked(b"last"))
    async with asyncio.timeout(5):
        await done.wait()
    assert second == ["next", "last"]
