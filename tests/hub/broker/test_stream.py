"""Taking a socket over from redis-py. Guards what this needs of redis-py and of the event loops."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.asyncio import ConnectionPool

from hub.broker.stream import ReplyStream
from hub.embedded import RedisServer
from tests.hub.broker.proxy import Proxy

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [
    asyncio.new_event_loop,
    uvloop.new_event_loop,
]


def certificate(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for 127.0.0.1, and the certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = directory / "cert.pem"
    pem.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context, pem


@asynccontextmanager
async def taken_over(url: str) -> AsyncIterator[tuple[ReplyStream, asyncio.Queue[list[Any]]]]:
    """A stream over a connection that redis-py opened, and what it reads."""
    read: asyncio.Queue[list[Any]] = asyncio.Queue()
    stream = ReplyStream(read.put_nowait, lambda: None)
    connection: Any = ConnectionPool.from_url(url, protocol=3).make_connection()  # type: ignore[no-untyped-call]
    await connection.connect()
    await stream.take_over(connection)
    try:
        yield stream, read
    finally:
        stream.abort()
        await connection.disconnect(nowait=True)
        await asyncio.sleep(0)


async def exchange(url: str) -> None:
    """Commands and their replies, small ones and one larger than any buffer."""
    async with asyncio.timeout(10), taken_over(url) as (stream, read):
        stream.send("CLIENT", "GETNAME")
        assert await read.get() == [None]
        stream.send("SELECT", 0)
        stream.send("ECHO", "näh")
        stream.send("ECHO", b"x" * 3_000_000)
        replies: list[Any] = []
        while len(replies) < 3:
            replies += await read.get()
        assert replies == [b"OK", "näh".encode(), b"x" * 3_000_000]
        stream.pause()
        stream.send("PING")
        await asyncio.sleep(0.05)
        assert read.empty()
        stream.resume()
        assert await read.get() == [b"PONG"]
        assert not stream.lost.done()


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_commands_and_replies(
    redis_server: RedisServer,
    tmp_path: Path,
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    *,
    tls: bool,
) -> None:
    async def through_tls() -> None:
        context, pem = certificate(tmp_path)
        async with Proxy(redis_server.port).serving(context) as proxy:
            await exchange(f"rediss://127.0.0.1:{proxy.port}?ssl_ca_certs={pem}")

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(through_tls() if tls else exchange(redis_server.url))


@pytest.mark.parametrize("new_loop", LOOPS)
def test_the_end_of_the_connection_is_told(
    redis_server: RedisServer, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def end() -> None:
        async with taken_over(redis_server.url) as (stream, _):
            stream.send("QUIT")
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(stream.lost, 5)
            assert not stream.writable
            stream.send("PING")  # harmless
            stream.pause()
            stream.resume()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(end())


async def test_replies_may_come_in_any_pieces() -> None:
    whole = b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$6\r\n1\r\n2\r\n\r\n+OK\r\n%1\r\n$1\r\nk\r\n:5\r\n"
    for at in range(len(whole)):
        replies: list[Any] = []
        stream = ReplyStream(replies.extend, lambda: None)
        stream.data_received(whole[:at])
        stream.data_received(whole[at:])
        assert replies == [[b"message", b"a", b"1\r\n2\r\n"], b"OK", {b"k": 5}]


async def test_what_is_no_reply_ends_the_connection() -> None:
    replies: list[Any] = []
    stream = ReplyStream(replies.extend, lambda: None)
    stream.data_received(b"HTTP/1.1 400 Bad Request\r\n")
    with pytest.raises(ConnectionError, match="not a Redis reply"):
        await stream.lost
    stream.data_received(b"+OK\r\n")
    assert replies == []


async def test_an_unread_reply_forbids_the_takeover(redis_server: RedisServer) -> None:
    connection: Any = ConnectionPool.from_url(redis_server.url).make_connection()  # type: ignore[no-untyped-call]
    await connection.connect()
    await connection.send_command("PING")
    async with asyncio.timeout(5):
        while not await connection.can_read():  # noqa: ASYNC110 - the socket tells nobody
            await asyncio.sleep(0.01)
    with pytest.raises(ConnectionError, match="not in order"):
        await ReplyStream(lambda _: None, lambda: None).take_over(connection)
    await connection.disconnect()
