"""Engine.IO on its own WebSockets: floods, stalls, upgrades under load, and how everything ends."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hub.delivery.frames import frame
from hub.domain.codes import Code
from hub.gateways import websocket as websocket_module
from hub.gateways.sio import engine as engine_module
from hub.gateways.sio.server import Client, SocketServer
from hub.gateways.sio.session import EngineSocket
from hub.gateways.websocket import HIGH_WATER
from tests.conformance.raw import Endpoint, endpoint
from tests.hub.gateways.websocket.wire import Raw, connect, handshake, masked
from tests.support.leftovers import nothing_left_behind

pytestmark = pytest.mark.timeout(30)

PATH = "/socket.io/?EIO=4&transport=websocket"
LIMIT = 65_536


class Namespace:
    """Echoes; while ``gate`` is closed, events wait."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.clients: list[Client] = []
        self.heard: list[Any] = []

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        return {}

    async def connected(self, client: Client) -> None:
        self.clients.append(client)

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        await self.gate.wait()
        self.heard.append(args[0])
        if ack_id is not None:
            client.acknowledge(ack_id, *args)

    def closing(self, client: Client, code: Code, retry_after: float) -> None:
        """Nothing to say."""

    async def disconnected(self, client: Client, reason: str) -> None:
        """Forgets it."""
        self.clients.remove(client)


@dataclass
class Running:
    """A server in this process, with little of the system's buffers for each connection."""

    namespace: Namespace
    server: SocketServer
    runner: web.AppRunner
    port: int = 0
    clients: list[Raw] = field(default_factory=list)

    @property
    def sessions(self) -> list[EngineSocket]:
        return list(self.server.eio.sockets.values())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def dial(self, sid: str | None = None, **how: Any) -> Raw:
        """A WebSocket after its handshake."""
        client = await connect(self.port, **how)
        self.clients.append(client)
        client.send(handshake(path=PATH + (f"&sid={sid}" if sid else "")))
        return await client.answered()

    async def client(self, **how: Any) -> tuple[Raw, EngineSocket]:
        """A connected client, and its session."""
        client = await self.dial(**how)
        sid = json.loads((await client.text())[1:])["sid"]
        client.send(masked(b"40"))
        assert (await client.text()).startswith("40")
        return client, self.server.eio.sockets[sid]

    async def forgotten(self) -> None:
        """Returns once the server has no session left."""
        await until(lambda: not self.sessions)


async def until(true: Callable[[], object]) -> None:
    """Waits for a state that nothing announces."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Running]:
    """A started server."""
    options = {"max_http_buffer_size": LIMIT, "outbox_bytes": 1 << 20} | options
    server, app = SocketServer(**options), web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, handle_signals=False)
    running = Running(Namespace(), server, runner)
    server.register("/", running.namespace)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, 16_384)
    running.port = sock.getsockname()[1]
    await web.SockSite(runner, sock).start()
    try:
        yield running
    finally:
        running.namespace.gate.set()
        websockets = [session._websocket for session in running.sessions]
        await server.eio.stop()
        for client in running.clients:
            client.writer.transport.abort()
        await runner.cleanup()
        await until(lambda: not any(each and each._owner for each in websockets))


@pytest.fixture
async def run() -> AsyncIterator[Running]:
    async with serving() as running:
        yield running


class TestMessagesIn:
    async def test_thousands_in_one_segment_are_handled_in_order(self, run: Running) -> None:
        client, session = await run.client()
        run.namespace.gate.clear()
        total = 5000
        client.send(*[masked(b'42%d["n",%d]' % (n, n)) for n in range(total)])
        await until(lambda: session._websocket and not session._websocket._transport.is_reading())
        assert len(session._waiting or ()) < total
        run.namespace.gate.set()
        answers = [await client.text() for _ in range(total)]
        assert answers == [f"43{n}[{n}]" for n in range(total)]
        assert run.namespace.heard == list(range(total))
        assert session._websocket is not None
        assert session._websocket._transport.is_reading()

    async def test_no_more_are_read_than_are_handled(self, run: Running) -> None:
        client, session = await run.client()
        run.namespace.gate.clear()
        flood = masked(b'42["n","' + b"x" * 1000 + b'"]') * 100
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send_for_ever(client, flood), 0.3)
        assert sum(map(len, session._waiting or ())) < 1_000_000
        handled = len(run.namespace.heard)
        run.namespace.gate.set()
        await until(lambda: len(run.namespace.heard) > handled + 100)

    async def test_one_above_the_limit(self, run: Running) -> None:
        client, session = await run.client()
        client.send(masked(b'42["n","' + b"x" * (LIMIT - 10) + b'"]'))
        await until(lambda: run.namespace.heard)
        client.send(masked(b'42["n","' + b"x" * (LIMIT - 9) + b'"]'))
        assert await client.ended() == 1009
        await run.forgotten()
        assert len(run.namespace.heard) == 1
        assert session.closed

    async def test_nothing_is_heard_of_a_client_that_was_cut_off(self, run: Running) -> None:
        """It may still send while its last words are on their way."""
        client, session = await run.client()
        websocket = session._websocket
        assert websocket is not None
        session.abort(b"42[]")
        client.send(masked(b"3"), masked(b'42["n",1]'), masked(b"3"))
        assert await client.text() == "42[]"
        await asyncio.sleep(0.05)
        assert run.namespace.heard == []
        assert session not in run.server.eio.heartbeats._pings
        assert await client.ended() is None
        await until(lambda: websocket._owner is None)


async def send_for_ever(client: Raw, data: bytes) -> None:
    """As fast as the server reads."""
    while True:
        client.send(data)
        await client.writer.drain()


class TestSlowClients:
    async def test_what_waits_for_an_upgrade_is_not_thrown_at_the_new_line(
        self, run: Running
    ) -> None:
        """All of it stays in the outbox, where it can give way, until the client reads."""
        async with endpoint(run.url, "socket.io") as found:
            sid = await polling_client(found)
            session = run.server.eio.sockets[sid]
            client = await run.dial(sid, receive_buffer=4096, limit=512)
            client.send(masked(b"2probe"))
            assert await client.text() == "3probe"
            for number in range(90):
                session.push(b'42["n",%d,"' % number + b"x" * 10_000 + b'"]')
            client.send(masked(b"5"))
            await until(lambda: session.upgraded)
            assert session._websocket is not None
            transport = session._websocket._transport
            await asyncio.sleep(0.02)
            assert transport.get_write_buffer_size() < 2 * HIGH_WATER
            assert session.outbox.bytes > 500_000
            assert session.direct is None
            for number in range(90):
                assert (await client.text()).startswith(f'42["n",{number},')
            await until(lambda: session.direct)
            session.push(b"42[]")
            assert await client.text() == "42[]"

    async def test_an_outbox_that_is_full_is_freed_at_once(self, run: Running) -> None:
        _, session = await run.client(receive_buffer=4096, limit=512)
        while not session.closed:
            session.push(b"4" + b"x" * 50_000)
            assert session.outbox.bytes <= 1 << 20
        assert session.outbox.bytes == 0
        await run.forgotten()

    @pytest.mark.parametrize("way", ["garbage", "too large", "reset", "eof", "silence"])
    async def test_whatever_ends_them_frees_their_outbox(
        self, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_module, "_LINGER", 60)
        monkeypatch.setattr(websocket_module, "_LAST_WORDS", 60)
        beat = (0.1, 0.1) if way == "silence" else (25, 20)
        async with serving(ping_interval=beat[0], ping_timeout=beat[1]) as run:
            client, session = await run.client(receive_buffer=4096, limit=512)
            while session.outbox.bytes < 300_000:
                session.push(b"4" + b"x" * 50_000)
            websocket = session._websocket
            assert websocket is not None
            if way == "reset":
                client.reset()
            elif way == "eof":
                client.writer.write_eof()
            elif way == "garbage":
                client.send(masked(b"x", 0x3))
            elif way == "too large":
                client.send(masked(b"", size=LIMIT + 1))
            await run.forgotten()
            assert session.outbox.bytes == 0
            assert not run.server.eio._leaving
            if way in ("garbage", "too large"):  # it gets its close frame once it reads
                client.writer.transport.abort()
            await until(lambda: websocket._owner is None)


async def polling_client(found: Endpoint) -> str:
    """A connected polling client; its session's id."""
    sid = await found.open()
    await found.post(sid, "40")
    await found.get(sid)
    return sid


class TestCompression:
    @pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
    async def test_of_websockets(self, on: bool) -> None:
        async with (
            serving(http_compression=on) as run,
            aiohttp.ClientSession() as http,
            http.ws_connect(run.url + PATH, compress=15) as client,
        ):
            assert client.compress == (15 if on else 0)
            assert (await client.receive_str()).startswith("0")
            await client.send_str("40")
            assert (await client.receive_str()).startswith("40")
            text = "much of the same, " * 3000
            await client.send_str(f'421["n","{text}"]')
            assert await client.receive_str() == f'431["{text}"]'
            (session,) = run.sessions
            assert (session.direct is None) is on, "who is compressed for gets no encoded frames"

    @pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
    async def test_of_polling(self, on: bool) -> None:
        async with serving(http_compression=on) as run, endpoint(run.url, "socket.io") as found:
            sid = await polling_client(found)
            text = "much of the same, " * 3000
            run.server.eio.sockets[sid].push(f"4{text}".encode())
            answer = await found.get(sid)
            assert answer.body == "4" + text
            assert ("Content-Encoding" in answer.headers) is on


class TestTheEnd:
    async def test_of_the_server_is_quick_whatever_the_clients_do(self) -> None:
        before = asyncio.all_tasks()
        async with serving() as run:
            clients = [await run.client() for _ in range(20)]
            _, session = await run.client(receive_buffer=4096, limit=512)
            while not session.outbox:
                session.push(b"4" + b"x" * 50_000)
            async with endpoint(run.url, "socket.io") as found:
                waiting = asyncio.create_task(found.get(await polling_client(found)))
                probing = await run.dial(await polling_client(found))
                probing.send(masked(b"2probe"))
                assert await probing.text() == "3probe"
                async with asyncio.timeout(1):
                    await run.server.eio.stop()
                    await run.runner.cleanup()
                assert (await waiting).body == "1"
            for client, _ in clients:
                assert await client.ended() == 1000
            assert run.sessions == []
            assert not run.server.eio._tasks
        assert asyncio.all_tasks() <= before

    async def test_of_a_session_leaves_nothing_behind(self, run: Running) -> None:
        async with nothing_left_behind():
            for turn in range(50):
                await self.come_and_go(run, turn)
            await run.forgotten()
            run.clients.clear()

    @staticmethod
    async def come_and_go(run: Running, turn: int) -> None:
        clients = [(await run.client())[0] for _ in range(4)]
        for client, way in zip(clients, ("eof", "reset", "close", "garbage"), strict=True):
            client.send(masked(b'421["n",1]'))
            assert await client.text() == "431[1]"
            if way == "eof":
                client.writer.close()
            elif way == "reset":
                client.reset()
            else:
                client.send(masked(b"\x03\xe8", 0x8) if way == "close" else masked(b"", 0x3))
                await client.ended()
            await client.writer.wait_closed() if way != "reset" else None
        if turn % 10 == 0:
            await run.forgotten()


class Crowd:
    """Clients that come and go, most of them by a reset, and a server that sends to all it ever
    knew, at times that have nothing to do with when they leave."""

    def __init__(self, run: Running) -> None:
        self._run = run
        self._dice = random.Random(5)
        self._known: list[EngineSocket] = []
        self._sent: dict[int, int] = {}

    async def send(self) -> None:
        """Until cancelled."""
        while True:
            for index, session in enumerate(self._known):
                if self._dice.random() < 0.3:
                    self._sent[index] = self._sent.get(index, 0) + 1
                    self._send(session, b"4%d %d" % (index, self._sent[index]))
            await asyncio.sleep(0)

    def _send(self, session: EngineSocket, packet: bytes) -> None:
        if session.direct is not None and self._dice.random() < 0.5:
            session.direct.send(frame(packet))
        else:
            session.push(packet)

    async def live(self) -> None:
        """One client: its own packets, without a gap."""
        client, session = await self._run.client()
        owner = len(self._known)
        self._known.append(session)
        for expected in range(1, self._dice.randrange(3, 30)):
            assert await client.text() == f"4{owner} {expected}"
        if self._dice.random() < 0.8:
            client.reset()
        else:
            client.writer.close()


async def test_nobody_ever_gets_the_packets_of_another(run: Running) -> None:
    crowd = Crowd(run)
    sending = asyncio.create_task(crowd.send())
    for _ in range(25):
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(crowd.live())
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await run.forgotten()
