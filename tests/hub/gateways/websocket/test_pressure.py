"""Peers that read slowly, not at all, or vanish: order, bounds, and nobody else's frames."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.delivery.cork import Cork
from hub.gateways.websocket import HIGH_WATER
from tests.hub.gateways.websocket.wire import (
    LIMIT,
    PING,
    Peer,
    Raw,
    Server,
    handshake,
    masked,
    serving,
)

pytestmark = pytest.mark.timeout(30)

SIZE = 5000


@dataclass
class Line:
    """A connection whose messages are numbered."""

    client: Raw
    peer: Peer
    written: int = 0
    read: int = 0

    def write(self, size: int = SIZE) -> None:
        """Writes the next one, of about ``size`` bytes."""
        self.peer.websocket.write(b"%d " % self.written + b"x" * size)
        self.written += 1

    async def fill(self) -> None:
        """Writes until the peer is blocked."""
        while not self.peer.is_blocked:
            self.write()
            if self.written % 3 == 0:
                await asyncio.sleep(0)

    async def take(self, count: int) -> None:
        """Reads as many, each of which must be the next one."""
        for _ in range(count):
            assert (await self.client.text()).split()[0] == str(self.read)
            self.read += 1

    async def drained(self) -> None:
        """Returns when the peer is not blocked any more."""
        async with asyncio.timeout(LIMIT):
            while self.peer.is_blocked:  # noqa: ASYNC110 - told by a callback
                await asyncio.sleep(0.001)


@pytest.fixture(params=["plain", "tls"])
async def line(request: pytest.FixtureRequest, certificate: Path) -> AsyncIterator[Line]:
    """A connection of which the system buffers little, and whose client reads only when made to."""
    tls = certificate if request.param == "tls" else None
    async with serving(certificate=tls, send_buffer=16_384) as server:
        yield Line(*await server.pair(receive_buffer=4096, limit=512))


async def test_a_peer_that_stalls_and_reads_again(line: Line) -> None:
    for times in range(1, 4):
        await line.fill()
        assert line.peer.blocks == times
        assert HIGH_WATER < line.peer.buffered < HIGH_WATER + 4 * SIZE
        await line.take(line.written - line.read - 2)
        await line.drained()
    line.write()
    await line.take(3)
    assert line.peer.buffered == 0


async def test_whatever_the_sizes_and_however_slowly_it_reads(line: Line) -> None:
    dice = random.Random(7)
    for _ in range(60):
        for _ in range(dice.randrange(12)):
            if not line.peer.is_blocked:
                line.write(dice.choice([0, 10, 100, 5000, 20_000]))
        if dice.random() < 0.5:
            await asyncio.sleep(0)
        await line.take(min(dice.randrange(6), line.written - line.read))
    await line.take(line.written - line.read)
    assert line.peer.blocks > 0


async def test_one_message_of_more_than_every_buffer(line: Line) -> None:
    line.write(3_000_000)
    await line.fill()
    await line.take(line.written)


async def test_a_write_overtakes_nothing_although_there_is_room_again(certificate: Path) -> None:
    """The system has room, and the transport does not know it yet: neither of what it holds itself,
    nor of the answer to the handshake."""
    loop = asyncio.get_running_loop()
    async with serving(send_buffer=16_384) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", server.port))
            client.setblocking(False)
            client.send(b"GET /large?size=60000 HTTP/1.1\r\nHost: x\r\n\r\n" + handshake())
            peer = await server.peer()
            got = bytearray()
            for number in range(3):
                take_what_is_there(client, got)
                peer.websocket.write(b"%d" % number)
                if number == 1:
                    peer.websocket.write(b"x" * 30_000)
            async with asyncio.timeout(LIMIT):
                while not got.endswith(b"\x81\x012"):
                    got += await loop.sock_recv(client, 65_536)
        first, _, rest = bytes(got).partition(b"x" * 60_000)
        assert first.startswith(b"HTTP/1.1 200")
        assert rest.startswith(b"HTTP/1.1 101")
        assert rest.endswith(
            b"\r\n\r\n\x81\x010\x81\x011\x81\x7e\x75\x30" + b"x" * 30_000 + b"\x81\x012"
        )


def take_what_is_there(client: socket.socket, into: bytearray) -> None:
    """Reads without giving the loop a turn."""
    with contextlib.suppress(BlockingIOError):
        while data := client.recv(1 << 20):
            into += data


async def test_pings_of_a_peer_that_does_not_read_do_not_pile_up(line: Line) -> None:
    await line.fill()
    held = line.peer.buffered
    for _ in range(200):
        line.client.send(*[masked(b"p" * 125, PING)] * 20)
        await asyncio.sleep(0)
    line.client.send(masked(b"over"))
    assert await line.peer.heard() == "over"
    assert line.peer.buffered <= held


async def test_a_peer_that_stalls_can_be_cut_off_at_once(line: Line) -> None:
    await line.fill()
    line.peer.websocket.abort()
    await line.peer.left()


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_behind_a_cork(certificate: Path, encrypted: bool) -> None:
    cork = Cork()
    async with serving(certificate=certificate if encrypted else None, cork=cork) as server:
        pairs = [await server.pair() for _ in range(3)]
        for number in range(50):
            with cork:
                for _, peer in pairs:
                    peer.websocket.write(b"%d" % number)
                    peer.websocket.write(b"%d again" % number)
            for client, _ in pairs:
                assert [await client.text(), await client.text()] == [
                    f"{number}",
                    f"{number} again",
                ]
        with cork:
            for code, (_, peer) in enumerate(pairs, start=4000):
                peer.websocket.write(b"last")
                peer.websocket.close(code)
        for code, (client, _) in enumerate(pairs, start=4000):
            assert await client.text() == "last"
            assert await client.ended() == code


async def test_nobody_ever_gets_the_frames_of_another(server: Server) -> None:
    """Clients come and go, most of them by a reset, so descriptors are given to others all the
    time, while the server writes to everyone that it ever knew."""
    rounds, crowd = 10 if server.client_tls else 40, 12
    dice = random.Random(3)
    stop = asyncio.Event()

    async def write_to_all() -> None:
        """At times that have nothing to do with when they leave."""
        written: dict[int, int] = {}
        while not stop.is_set():
            for index, peer in enumerate(server.peers):
                if not peer.is_blocked and dice.random() < 0.3:
                    written[index] = written.get(index, 0) + 1
                    peer.websocket.write(b"%d %d" % (index, written[index]))
            await asyncio.sleep(0)

    async def live(client: Raw) -> None:
        """Reads for a while: one's own frames, without a gap."""
        owner, _ = (await client.text()).split()
        for expected in range(2, dice.randrange(3, 30)):
            assert (await client.text()).split() == [owner, str(expected)]
        seen.append(owner)
        if dice.random() < 0.8:
            client.reset()
        else:
            client.writer.close()

    seen: list[str] = []
    writing = asyncio.create_task(write_to_all())
    try:
        for _ in range(rounds):
            clients = await asyncio.gather(*(server.dial() for _ in range(crowd)))
            async with asyncio.TaskGroup() as group:
                for client in clients:
                    group.create_task(live(client))
    finally:
        stop.set()
        await writing
    assert len(set(seen)) == len(seen) == len(server.peers)
