"""Frames, read back by readers that are not ours: aiohttp's, and zlib."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http import WebSocketReader, WSMsgType
from hypothesis import given
from hypothesis import strategies as st

from hub.delivery.frames import BINARY, CLOSE, PONG, TEXT, Binary, Deflater, frame, header

SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]
WINDOWS = range(9, 16)


class _Read(WebSocketDataQueue):
    def __init__(self) -> None:
        super().__init__(object(), 1 << 30, loop=None)  # type: ignore[arg-type]
        self.messages: list[tuple[WSMsgType, Any]] = []

    def feed_data(self, data: Any, size: int) -> None:
        self.messages.append((data[0], data[1]))


def read(*pieces: bytes, compress: bool = False) -> list[tuple[WSMsgType, Any]]:
    """What a client of aiohttp's gets out of the bytes."""
    queue = _Read()
    reader = WebSocketReader(queue, 0, compress=compress, decode_text=True)
    for piece in pieces:
        failed, _ = reader.feed_data(piece)
        assert not failed, queue.exception()
    return queue.messages


@pytest.mark.parametrize("size", SIZES)
def test_a_client_reads_what_was_framed(size: int) -> None:
    text, binary = b"t" * size, Binary(b"\xff" * size)
    both = frame(text) + frame(binary) + header(4, PONG) + b"pong"
    assert read(both) == [
        (WSMsgType.TEXT, text.decode()),
        (WSMsgType.BINARY, bytes(binary)),
        (WSMsgType.PONG, b"pong"),
    ]


@pytest.mark.parametrize(("size", "length"), [(125, 2), (126, 4), (65_535, 4), (65_536, 10)])
def test_a_header_is_no_longer_than_it_has_to_be(size: int, length: int) -> None:
    assert len(header(size)) == length


def test_headers_are_those_of_the_protocol() -> None:
    assert header(5) == b"\x81\x05"
    assert header(5, BINARY) == b"\x82\x05"
    assert header(2, CLOSE) == b"\x88\x02"
    assert header(65_536, TEXT) == b"\x81\x7f\0\0\0\0\0\1\0\0"


messages = st.lists(st.text(max_size=300) | st.binary(max_size=300))


@given(messages, st.integers(1, 50))
def test_any_messages_in_any_pieces(sent: list[str | bytes], step: int) -> None:
    framed = [frame(each.encode() if isinstance(each, str) else Binary(each)) for each in sent]
    data = b"".join(framed)
    got = read(*(data[at : at + step] for at in range(0, len(data), step)))
    assert [content for _, content in got] == sent


def events(size: int) -> bytes:
    """Text like that of the hub: much of it comes again, from near and from far."""
    line = '42["event",{"v":1,"id":"%08d","type":"SCENARIO_COMPLETED","title":"Autenticação %d"}]'
    return "".join(line % (n, n * n) for n in range(size // 60)).encode()[:size].rstrip(b"\xc3")


@pytest.mark.parametrize("bits", WINDOWS)
@pytest.mark.parametrize("size", [1024, 65_536, 300_000])
def test_every_window_is_read_by_zlib_with_that_window(bits: int, size: int) -> None:
    message = events(size)
    made = Deflater(bits).frame(message)
    assert len(made) < len(message) / 2
    assert made[0] == 0xC1
    packed = made[{126: 4, 127: 10}.get(made[1], 2) :]
    reader = zlib.decompressobj(-bits)
    assert reader.decompress(packed + b"\x00\x00\xff\xff") == message
    assert not reader.unused_data


@pytest.mark.parametrize("bits", WINDOWS)
def test_a_client_reads_compressed_and_plain_frames_mixed(bits: int) -> None:
    deflater = Deflater(bits)
    sent = [b"short", events(5000), Binary(b"\xfe" * 3000), events(100_000), b"", events(5000)]
    got = read(b"".join(map(deflater.frame, sent)), compress=True)
    for (kind, content), message in zip(got, sent, strict=True):
        if isinstance(message, Binary):
            assert kind is WSMsgType.BINARY
            assert content == message
        else:
            assert content.encode() == message


def test_what_is_not_worth_it_is_not_compressed() -> None:
    assert Deflater().frame(b"x" * 1023) == frame(b"x" * 1023)
    assert Deflater().frame(Binary(b"x")) == frame(Binary(b"x"))


def test_messages_do_not_depend_on_each_other() -> None:
    """So no window has to be kept for a connection."""
    deflater = Deflater()
    assert deflater.frame(events(5000)) == deflater.frame(events(5000))


@given(st.binary(min_size=1024, max_size=4096), st.sampled_from(WINDOWS))
def test_any_bytes_survive(content: bytes, bits: int) -> None:
    ((kind, got),) = read(Deflater(bits).frame(Binary(content)), compress=True)
    assert kind is WSMsgType.BINARY
    assert got == content
