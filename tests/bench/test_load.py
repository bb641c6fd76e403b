"""The load client against a server that is written out byte by byte."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.load.build import load_client
from bench.load.client import LoadClient, LoadError
from bench.payload import stamp

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OPEN = '0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000}'


@pytest.fixture(autouse=True, scope="module")
def built() -> Path:
    return load_client()


def frame(text: str) -> bytes:
    body = text.encode()
    if len(body) < 126:
        return bytes([0x81, len(body)]) + body
    return b"\x81\x7e" + struct.pack(">H", len(body)) + body


async def received(reader: asyncio.StreamReader) -> str:
    """The next text frame of the client, unmasked."""
    head = await reader.readexactly(2)
    size = head[1] & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", await reader.readexactly(2))
    mask = await reader.readexactly(4)
    body = await reader.readexactly(size)
    return bytes(byte ^ mask[i & 3] for i, byte in enumerate(body)).decode()


@asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[int]:
    """A server that upgrades, opens the Engine.IO session and then talks; its port."""
    failures: list[BaseException] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
            writer.write(frame(OPEN))
            await talk(reader, writer)
            await reader.read()
        except ConnectionError:
            pass  # the client is killed at the end of a test
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
    assert not failures


async def test_it_joins_packet_by_packet_and_counts_what_comes_in_pieces() -> None:
    heard: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await received(reader))
        writer.write(frame('40{"sid":"y"}') + frame('42["hello",{}]'))
        heard.append(await received(reader))
        writer.write(frame('431[{"ok":true}]') + frame("2"))
        heard.append(await received(reader))
        await asyncio.sleep(0.1)
        for padding in (0, 200, 70_000 // 2):
            for piece in _pieces(frame(f'42["event",{{"title":"{stamp()}{"x" * padding}"}}]')):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    async with serving(talk) as port, LoadClient(port) as load:
        plan = '40{"token":"t"}\t421["subscribe",{"channel":"job:1"}]'
        assert (await load.connect([plan]))["ready"] == 1
        await load.begin()
        row = await load.collect(3, 10)
        assert (row["deliveries"], row["lost"], row["fewest"], row["most"]) == (3, 0, 3, 3)
        assert 0 <= row["p50_ms"] <= row["max_ms"] < 10_000
    assert heard == [*plan.split("\t"), "3"]


def _pieces(data: bytes) -> list[bytes]:
    """The first bytes one by one, so that every header is cut everywhere, then the rest."""
    return [data[i : i + 1] for i in range(12)] + [data[12:]]


async def test_a_refusal_names_the_answer() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await received(reader)
        writer.write(frame('44{"message":"UNAUTHENTICATED"}'))

    async with serving(talk) as port, LoadClient(port) as load:
        with pytest.raises(LoadError, match=r"only 0 of 1 clients connected.*UNAUTHENTICATED"):
            await load.connect(['40{"token":"bad"}'])


async def test_a_refused_command_names_the_answer() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await received(reader)
        writer.write(frame("40{}"))
        await received(reader)
        writer.write(frame('431[{"ok":false,"error":{"code":"JOB_NOT_FOUND"}}]'))

    async with serving(talk) as port, LoadClient(port) as load:
        with pytest.raises(LoadError, match="JOB_NOT_FOUND"):
            await load.connect(["40{}\t421[]"])


async def test_nobody_there() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Never reached."""

    async with serving(talk) as port:
        pass
    async with LoadClient(port) as load:
        with pytest.raises(LoadError, match="connection refused"):
            await load.connect(["40{}"])
