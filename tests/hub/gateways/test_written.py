"""Whether an event was written to a client that does not read, as a trace has it: at every door,
and however the client's connection ends."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import pytest
from aiohttp import web

from config.settings import Settings
from hub import app, tokens
from hub.broker.traces import TraceStore
from hub.domain.publications import JobCompleted, ScenarioCompleted, Totals
from hub.domain.traces import Step
from hub.services import tracing
from tests.conftest import JWT_SECRET
from tests.hub.domain import samples
from tests.hub.gateways.websocket.wire import connect, handshake
from tests.support.sioline import Line, line
from tests.support.slowline import OverPolling, OverWebSocket, slow_line
from tests.support.stores import Opened, opened
from tests.support.wait import eventually

JOB = "job:j1"
OUTBOX = 65_536
SIZE = 3000

pytestmark = pytest.mark.timeout(60)


class Hub:
    """A node, and an administrator on it who watches the job."""

    def __init__(self, port: int, stores: Opened, admin: Line) -> None:
        self.port, self.stores, self.admin = port, stores, admin
        self.ingest = stores.ingest()
        self.count = 0

    async def report(self, times: int = 1, *, ends: bool = False) -> str:
        """Publishes events of the job; the last one's id, once the node has passed it on."""
        data = JobCompleted() if ends else ScenarioCompleted("s1", "f1", "F", "T" * SIZE, 1)
        events = [samples.job_event(self.count + each, data) for each in range(1, times + 1)]
        self.count += times
        await self.stores.publish(events)
        await self.stores.drain(self.ingest)
        await eventually(lambda: self._is_routed(str(events[-1].id)))
        return str(events[-1].id)

    async def _is_routed(self, event_id: str) -> bool:
        return "ROUTED" in {each.step for each in await self.steps(event_id)}

    async def steps(self, event_id: str) -> list[Step]:
        found = await TraceStore(self.stores.redis).steps(event_id)
        return [msgspec.json.decode(each, type=Step) for each in found]

    async def waiting(self) -> int:
        """Bytes in the outbox of the user's only connection; -1 without any."""
        answer = await self.admin.command("connections", {"userId": "u1"})
        items = answer["data"]["items"]
        return int(items[0]["outboxBytes"]) if items else -1

    async def write(self, event_id: str) -> Step:
        """What is noted of the only write."""
        found: list[Step] = []

        async def noted() -> bool:
            found[:] = [each for each in await self.steps(event_id) if each.step == "WRITTEN"]
            return bool(found)

        await eventually(noted)
        (one,) = found
        return one


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    changed = {"outbox_bytes": OUTBOX, "trace_sample": 0.0}
    async with (
        opened(settings) as stores,
        app.node(settings.model_copy(update=changed)) as application,
    ):
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        await web.SockSite(runner, sock).start()
        port = sock.getsockname()[1]
        root = tokens.mint(JWT_SECRET, "root", roles=["admin"])
        try:
            async with line(f"http://127.0.0.1:{port}", root, namespace="/admin") as admin:
                made = Hub(port, stores, admin)
                started = samples.job_started(0, totals=Totals(scenarios=10_000, features=1))
                await stores.publish([started])
                await stores.drain(made.ingest)
                assert (await admin.command("tail", {"jobId": "j1"}))["ok"]
                yield made
        finally:
            await runner.cleanup()


@dataclass
class Client:
    """Follows the job. ``read``: reads all, and nothing before; ``go``: ends the connection."""

    door: str
    go: Callable[[], Awaitable[None]]
    read: Callable[[], Awaitable[None]]


@asynccontextmanager
async def client(hub: Hub, door: str) -> AsyncIterator[Client]:
    token = tokens.mint(JWT_SECRET, "u1", projects=["p1"])
    if door in ("websocket", "polling"):
        async with slow_line(hub.port, door, token=token) as slow:
            await slow.follow(JOB)

            async def read() -> None:
                await slow.read(lambda: slow.positions[JOB] == hub.count)

            async def go() -> None:
                if isinstance(slow, OverPolling):
                    await slow.send("1")
                elif isinstance(slow, OverWebSocket):
                    slow.raw.reset()

            yield Client("SOCKETIO", go, read)
        return
    raw = await connect(hub.port, receive_buffer=4096, limit=512)
    more = {"Authorization": f"Bearer {token}"}
    if door == "sse":
        more |= {"Accept": "text/event-stream", "Upgrade": "", "Connection": ""}
    raw.send(handshake(more, path="/v1/jobs/j1/progress"))
    await raw.answered()

    async def read_all() -> None:
        seen = b""
        while b'"offset":%d,' % hub.count not in seen:
            seen = seen[-20:] + await raw.reader.read(65_536)

    async def reset() -> None:
        raw.reset()

    try:
        yield Client("WEBSOCKET" if door == "raw" else "SSE", reset, read_all)
    finally:
        raw.writer.transport.abort()


@pytest.mark.parametrize("how", ["read", "gone", "kicked", "gave way"])
@pytest.mark.parametrize("door", ["websocket", "polling", "raw", "sse"])
async def test_what_a_client_never_read_was_not_written(
    hub: Hub, door: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(hub, door) as one:
        while await hub.waiting() == 0:
            await hub.report(8)
        event_id = await hub.report()
        assert "WRITTEN" not in {each.step for each in await hub.steps(event_id)}
        match how:
            case "read":
                await one.read()
            case "gone":
                await one.go()
            case "kicked":
                monkeypatch.setattr(tracing, "_PATIENCE", 0.5)  # that a client has which polls
                event_id = await hub.report()
                assert (await hub.admin.command("kick", {"userId": "u1"}))["ok"]
            case _:
                while await hub.waiting() > SIZE:
                    await hub.report(8)
        write = await hub.write(event_id)
        assert (write.door, write.user_id) == (one.door, "u1")
        assert (write.at is None) is (how != "read")
    if how == "gave way":
        assert await hub.waiting() <= 0


@pytest.mark.parametrize("door", ["websocket", "raw", "sse"])
async def test_what_comes_while_a_client_lags_was_not_written(hub: Hub, door: str) -> None:
    async with client(hub, door) as one:
        while await hub.waiting() == 0:
            await hub.report(8)
        while await hub.waiting() > 0:
            await hub.report(8)  # until the events give way: then nothing waits, and a reset is due
        write = await hub.write(await hub.report())
        assert (write.door, write.at) == (one.door, None)


@pytest.mark.parametrize("door", ["raw", "sse"])
async def test_the_last_event_of_a_job_was_written_before_the_connection_ended(
    hub: Hub, door: str
) -> None:
    async with client(hub, door):
        write = await hub.write(await hub.report(ends=True))
        assert write.at is not None
