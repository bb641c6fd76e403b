"""What a session does that the wire alone cannot bring about: the server's side acts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from hub.delivery.outbox import Entry
from hub.domain.codes import Code
from hub.gateways.sio import engine, probe, session
from hub.gateways.sio.session import EngineSocket
from tests.conformance.raw import Endpoint, Socket
from tests.hub.gateways.sio.subjects import Ours, Running, running

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
async def run() -> AsyncIterator[Running]:
    """The hub's server in this process."""
    async with running(Ours) as started:
        yield started


async def polling_client(run: Running) -> tuple[str, EngineSocket]:
    """A connected polling client between two polls: its session's id, and the session."""
    sid = await run.endpoint.open()
    await run.endpoint.post(sid, "40")
    await run.endpoint.get(sid)
    return sid, run.subject.server.eio.sockets[sid]


async def websocket_client(run: Running) -> tuple[Socket, EngineSocket]:
    """A connected WebSocket client, and its session."""
    client, said = await run.endpoint.dial_open()
    await client.send("40")
    await client.heard()
    return client, run.subject.server.eio.sockets[said["sid"]]


async def until(true: Callable[[], object]) -> None:
    """Waits for a state of the server that nothing announces."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


class TestLastWords:
    async def test_reach_a_client_between_two_polls(self, run: Running) -> None:
        sid, socket = await polling_client(run)
        socket.push(b'42["closing"]')
        await socket.close()
        assert run.subject.application.disconnects == 1
        assert (await run.endpoint.post(sid, '42["echo"]')).status == 400
        assert (await run.endpoint.get(sid)).body == '42["closing"]\x1e1'
        assert (await run.endpoint.get(sid)).status == 400

    async def test_reach_a_waiting_poll(self, run: Running) -> None:
        sid, socket = await polling_client(run)
        waiting = asyncio.create_task(run.endpoint.get(sid))
        await until(lambda: socket._poll is not None)
        socket.push(b'42["closing"]')
        await socket.close()
        assert (await waiting).body == '42["closing"]\x1e1'
        assert (await run.endpoint.get(sid)).status == 400

    async def test_reach_a_websocket(self, run: Running) -> None:
        client, socket = await websocket_client(run)
        socket.push(b'42["closing"]')
        await socket.close()
        assert await client.frame() == '42["closing"]'
        assert await client.closed() == 1000

    async def test_reach_a_client_in_the_middle_of_an_upgrade(self, run: Running) -> None:
        sid, socket = await polling_client(run)
        client = await run.endpoint.dial(sid)
        await client.send("2probe")
        assert await client.frame() == "3probe"
        socket.push(b'42["closing"]')
        await socket.close()
        await client.send("5")
        assert [await client.frame(), await client.frame()] == ['42["closing"]', "1"]
        assert await client.closed() == 1000

    async def test_are_not_kept_for_ever(
        self, run: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "_LINGER", 0.01)
        sid, socket = await polling_client(run)
        await socket.close()
        await until(lambda: not socket.outbox)
        assert (await run.endpoint.get(sid)).status == 400

    async def test_reach_a_polling_client_that_was_too_slow(self, run: Running) -> None:
        sid, socket = await polling_client(run)
        socket.pressure = _Abort(socket)
        for _ in range(20):
            socket.push(b"4" + b"x" * 65_536)
        assert socket.outbox.bytes < 100
        assert (await run.endpoint.get(sid)).body == '42["closing","SLOW_CONSUMER"]'
        assert (await run.endpoint.get(sid)).status == 400
        assert run.subject.application.disconnects == 1


class TestWhatAPeerSaidBeforeItLeft:
    async def leave(self, run: Running) -> EngineSocket:
        """A client that sends events and is gone while the first of them is handled."""
        client, socket = await websocket_client(run)
        await client.send('42["held"]', '42["echo"]', '42["echo"]')
        await client.close()
        await until(lambda: not socket.attended)
        return socket

    async def test_is_handled(self, run: Running) -> None:
        application = run.subject.application
        socket = await self.leave(run)
        socket.push(b'42["nobody reads it"]')
        assert (application.handled, application.disconnects) == (["held"], 0)
        application.gate.set()
        await until(lambda: application.disconnects)
        assert application.handled == ["held", "echo", "echo"]
        assert socket.closed
        assert not socket.outbox

    async def test_keeps_the_session_only_so_long(
        self, run: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session, "_LEAVE_WITHIN", 0.01)
        application = run.subject.application
        await self.leave(run)
        await until(lambda: application.disconnects)
        application.gate.set()
        await until(lambda: not run.subject.server.eio._tasks)
        assert (application.handled, application.disconnects) == (["held"], 1)

    async def test_does_not_hold_up_a_server_that_stops(self, run: Running) -> None:
        application = run.subject.application
        socket = await self.leave(run)
        stopping = asyncio.create_task(run.subject.server.eio.stop())
        await until(lambda: application.disconnects)
        assert socket.closed
        application.gate.set()
        await stopping
        assert application.handled == ["held"]


class _Abort:
    """What the hub does with a client for which nothing can give way."""

    def __init__(self, socket: EngineSocket) -> None:
        self._socket = socket

    def overflowed(self, entry: Entry) -> None:
        self._socket.abort(b'42["closing","SLOW_CONSUMER"]')

    def relieved(self) -> None:
        """Nothing to do."""

    def refused(self, code: Code) -> None:
        """Nothing to say."""


class TestUpgrade:
    async def test_that_is_never_finished(
        self, run: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(probe, "_TIMEOUT", 0.05)
        sid, socket = await polling_client(run)
        client = await run.endpoint.dial(sid)
        await client.send("2probe")
        assert await client.frame() == "3probe"
        socket.push(b'42["kept"]')
        assert await client.closed() == 1000
        assert (await run.endpoint.get(sid)).body == '42["kept"]'

    async def test_waits_for_what_was_posted(self, run: Running) -> None:
        sid, _ = await polling_client(run)
        client = await run.endpoint.dial(sid)
        await client.send("2probe")
        assert await client.frame() == "3probe"
        posting = asyncio.create_task(run.endpoint.post(sid, '421["wait",0.1]'))
        socket = run.subject.server.eio.sockets[sid]
        await until(socket.receiving.locked)
        await client.send("5", '422["wait",0]')
        assert [await client.heard(), await client.heard()] == ["431[0.1]", "432[0]"]
        assert (await posting).body == "ok"

    async def test_while_events_stream(self, run: Running) -> None:
        """What a browser does: polls, probes, pauses polling, upgrades."""
        sid, _ = await polling_client(run)
        total = 600

        async def stream() -> None:
            for number in range(total):
                await run.subject.broadcast("n", str(number))
                if number % 5 == 0:
                    await asyncio.sleep(0.001)

        streaming = asyncio.create_task(stream())
        got: list[str] = []
        for _ in range(5):
            got += (await run.endpoint.get(sid)).body.split("\x1e")
        client = await upgrade_as_browsers_do(run.endpoint, sid, got)
        await streaming
        while len(got) < total:
            frame = await client.heard()
            assert isinstance(frame, str)
            got.append(frame)
        assert got == [f'42["n","{number}"]' for number in range(total)]


async def upgrade_as_browsers_do(found: Endpoint, sid: str, got: list[str]) -> Socket:
    """Upgrades; what still comes by polling is added to ``got``."""
    polled = asyncio.create_task(found.get(sid))
    client = await found.dial(sid)
    await client.send("2probe")
    assert await client.frame() == "3probe"
    got += [packet for packet in (await polled).body.split("\x1e") if packet != "6"]
    await client.send("5")
    return client


async def test_a_stalled_client_that_returns_gets_everything_in_order(run: Running) -> None:
    client, socket = await websocket_client(run)
    assert socket.direct is not None
    transport = client._ws._response.connection.transport  # type: ignore[union-attr]
    transport.pause_reading()  # type: ignore[union-attr]
    total = 0
    while not socket.outbox:  # fills both systems' buffers first
        await run.subject.broadcast("n", f"{total}" + "x" * 60_000)
        total += 1
        await asyncio.sleep(0)
    for _ in range(5):
        await run.subject.broadcast("n", f"{total}" + "x" * 60_000)
        total += 1
    assert 0 < socket.outbox.bytes <= socket.outbox.limit
    reading = asyncio.create_task(numbers(client))
    transport.resume_reading()  # type: ignore[union-attr]
    while socket.outbox:  # what is new must not overtake what still waits
        await run.subject.broadcast("n", f"{total}x")
        total += 1
        await asyncio.sleep(0)
    await run.subject.broadcast("n", "end")
    assert await reading == list(range(total))


async def numbers(client: Socket) -> list[int]:
    """The numbers that the events begin with, up to the last one."""
    got: list[int] = []
    while (frame := await client.heard()) != '42["n","end"]':
        assert isinstance(frame, str)
        got.append(int(frame.removeprefix('42["n","').partition("x")[0]))
    return got


async def test_a_poll_takes_no_more_than_python_clients_do(run: Running) -> None:
    sid, _ = await polling_client(run)
    for number in range(40):
        await run.subject.broadcast("n", str(number))
    sizes = [len((await run.endpoint.get(sid)).body.split("\x1e")) for _ in range(3)]
    assert sizes == [16, 16, 8]


async def test_a_namespace_left_by_the_server(run: Running) -> None:
    client, socket = await websocket_client(run)
    await run.subject.server._clients[socket.sid]["/"].disconnect()
    assert await client.heard() == "41"
    assert run.subject.application.disconnects == 1
    await client.send("40")
    assert str(await client.heard()).startswith("40{")
