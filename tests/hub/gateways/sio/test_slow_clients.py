"""Clients that do not read while a job streams more than their outbox holds: what they get once
they read again, on the whole hub with real stores."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from config.settings import Settings
from hub import app, tokens
from hub.domain.publications import AnyPublication, JobCompleted, ScenarioCompleted, Totals
from hub.gateways.sio.connection import Connection
from hub.gateways.sio.session import EngineSocket
from hub.services.ingest.batch import Ingest
from tests.conftest import JWT_SECRET
from tests.hub.domain import samples
from tests.support.leftovers import nothing_left_behind
from tests.support.sioline import Line, line
from tests.support.slowline import SlowLine, slow_line
from tests.support.stores import Opened, opened

JOB, USER, ALL, NEWS = "job:j1", "user:u1", "all", "topic:news"
OUTBOX = 65_536
TRANSPORTS = ["websocket", "polling"]

pytestmark = pytest.mark.timeout(60)


@dataclass
class Hub:
    """A node, and what its workers report. ``witness``: a client that keeps up with everything."""

    port: int
    stores: Opened
    ingest: Ingest
    stack: AsyncExitStack
    scenarios: int = 0
    witness: Line = field(init=False)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def token(self) -> str:
        return tokens.mint(JWT_SECRET, "u1", projects=["p1"])

    async def line(self, transport: str, **auth: Any) -> SlowLine:
        """A client that reads only when it is told to."""
        return await self.stack.enter_async_context(
            slow_line(self.port, transport, token=self.token, **auth)
        )

    async def follower(self, transport: str) -> SlowLine:
        """One that follows the job and a topic."""
        client = await self.line(transport)
        await client.follow(JOB)
        await client.follow(NEWS)
        return client

    async def tell(self, *publications: AnyPublication) -> None:
        """Publishes, and returns once the witness has it all."""
        before = len(self.witness.named("event"))
        await self.stores.publish(publications)
        await self.stores.drain(self.ingest)
        await self.witness.until(
            lambda: len(self.witness.named("event")) >= before + len(publications)
        )

    def work(self, count: int, size: int = 3000) -> list[AnyPublication]:
        """Events of the job, of about ``size`` bytes each."""
        self.scenarios += count
        data = ScenarioCompleted("s1", "f1", "F", "T" * size, 1)
        return [samples.job_event(next(self._numbers), data) for _ in range(count)]

    def end(self) -> AnyPublication:
        """The job's end."""
        return samples.job_event(next(self._numbers), JobCompleted())

    def notes(self, count: int, body: str = "B") -> list[AnyPublication]:
        """Notifications of the user."""
        return [samples.notification(next(self._numbers), "u1", body=body) for _ in range(count)]

    def news(self, count: int) -> list[AnyPublication]:
        """Announcements and events of a topic, in turns."""
        return [
            samples.topic_event(next(self._numbers))
            if number % 2
            else samples.notification(next(self._numbers))
            for number in range(count)
        ]


@asynccontextmanager
async def node(settings: Settings) -> AsyncIterator[int]:
    """A node for whose connections the system buffers little; its port."""
    async with app.node(settings.model_copy(update={"outbox_bytes": OUTBOX})) as application:
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        await web.SockSite(runner, sock).start()
        try:
            yield sock.getsockname()[1]
        finally:
            await runner.cleanup()


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    async with opened(settings) as stores, node(settings) as port, AsyncExitStack() as stack:
        made = Hub(port, stores, stores.ingest(), stack)
        url = f"http://127.0.0.1:{port}"
        made.witness = await stack.enter_async_context(line(url, made.token))
        totals = Totals(scenarios=10_000, features=1)
        await stores.publish([samples.job_started(next(made._numbers), totals=totals)])
        await stores.drain(made.ingest)
        for channel in (JOB, NEWS):
            assert (await made.witness.command("subscribe", {"channel": channel}))["ok"]
        yield made


def sessions() -> list[EngineSocket]:
    """Those in this process that are not over."""
    found = [each for each in gc.get_objects() if issubclass(type(each), EngineSocket)]
    return [session for session in found if not session.closed]


def held() -> int:
    """Bytes in all outboxes."""
    return sum(session.outbox.bytes for session in sessions())


async def until(true: Callable[[], object]) -> None:
    """Waits for a state that nothing announces."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def caught_up(client: SlowLine, hub: Hub) -> None:
    """Reads until the client stands where the witness does."""
    ends = {channel: hub.witness.offsets(channel)[-1:] for channel in client.positions}
    await client.read(
        lambda: all(client.positions[name] >= end[0] for name, end in ends.items() if end)
    )


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_snapshot_in_place_of_what_did_not_fit(hub: Hub, transport: str) -> None:
    client = await hub.follower(transport)
    await hub.tell(*hub.work(5))
    await caught_up(client, hub)

    for _ in range(15):  # the client does not read
        await hub.tell(*hub.work(12), *hub.notes(2), *hub.news(4))
        assert held() <= OUTBOX
    missed = hub.scenarios
    await client.read(lambda: client.named("reset"))
    await hub.tell(*hub.work(5), *hub.notes(1), *hub.news(2))
    await caught_up(client, hub)

    (reset,) = client.named("reset")
    assert reset["channel"] == JOB
    assert reset["offset"] == missed
    assert reset["snapshot"]["offset"] == missed
    assert reset["snapshot"]["epoch"] == reset["epoch"]
    assert reset["snapshot"]["progress"]["completedScenarios"] == missed
    before = [offset for offset in client.seen[JOB] if offset <= missed]
    assert 5 <= len(before) < missed, "a part of it came before it did not fit any more"
    assert client.seen[JOB] == [*range(1, len(before) + 1), *range(missed + 1, missed + 6)]
    for channel in (USER, ALL, NEWS):
        assert client.seen[channel] == hub.witness.offsets(channel), "these never give way"
    assert client.named("closing") == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_job_that_ended_meanwhile(hub: Hub, transport: str) -> None:
    client = await hub.follower(transport)
    for _ in range(10):
        await hub.tell(*hub.work(16))
    await hub.tell(hub.end())
    await client.read(lambda: client.named("reset"))
    (reset,) = client.named("reset")
    assert reset["offset"] == 161
    assert reset["snapshot"]["status"] == "COMPLETED"
    assert reset["snapshot"]["progress"]["completedScenarios"] == 160
    assert 161 not in client.seen[JOB]
    await hub.tell(*hub.notes(1))
    await caught_up(client, hub)
    assert client.seen[USER] == [1]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_that_returns_while_the_job_streams_on(hub: Hub, transport: str) -> None:
    """It may fall behind again; whatever it reads is in order, and in the end it has everything."""
    client = await hub.follower(transport)
    for _ in range(10):
        await hub.tell(*hub.work(16))

    async def stream() -> None:
        for _ in range(20):
            await hub.tell(*hub.work(6), *hub.notes(1))

    reading = client.read(lambda: client.positions[JOB] == 280 and client.positions[USER] == 20)
    await asyncio.gather(stream(), reading)
    assert client.seen[USER] == hub.witness.offsets(USER)
    assert client.named("reset")
    assert hub.witness.named("reset") == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_job_that_everyone_else_follows_is_theirs_in_full(hub: Hub, transport: str) -> None:
    await hub.follower(transport)
    for _ in range(12):
        await hub.tell(*hub.work(16))
    assert hub.witness.offsets(JOB) == list(range(1, 12 * 16 + 1))
    assert hub.witness.named("reset") == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_who_leaves_and_joins_again_before_reading_lags_like_others(
    hub: Hub, transport: str
) -> None:
    """The answer to ``unsubscribe`` is read when the channel is followed again already, and has
    lost events since."""
    others = sessions()
    client = await hub.follower(transport)
    (session,) = [each for each in sessions() if each not in others]
    connection = session.pressure
    assert isinstance(connection, Connection)
    while not session.outbox:
        await hub.tell(*hub.work(4))
    here = hub.witness.named("event")[-1]
    await client.ask("unsubscribe", JOB)
    await client.ask("subscribe", JOB, epoch=here["epoch"], offset=here["offset"])
    await until(lambda: connection.promised)
    for _ in range(12):
        await hub.tell(*hub.work(8))
    assert connection._lagging
    await client.read(lambda: client.named("reset"))
    await hub.tell(*hub.work(2))
    await caught_up(client, hub)
    assert client.seen[JOB][-2:] == [hub.scenarios - 1, hub.scenarios]


class TestWhatCannotGiveWay:
    async def overflow(self, hub: Hub) -> None:
        """More notifications than the outbox holds, and some of a job's events among them."""
        for _ in range(20):
            await hub.tell(*hub.notes(5, body="B" * 3000), *hub.work(1))

    async def resumed(self, hub: Hub, transport: str, first: SlowLine) -> None:
        """What the first connection has not read comes on the next one, from where it stood."""
        second = await hub.line(transport, channels=first.resume)
        await caught_up(second, hub)
        for channel in (USER, JOB):
            assert first.seen[channel] + second.seen[channel] == hub.witness.offsets(channel)

    @pytest.mark.parametrize("transport", TRANSPORTS)
    async def test_ends_the_connection_which_resumes(self, hub: Hub, transport: str) -> None:
        others = sessions()
        client = await hub.follower(transport)
        (session,) = [each for each in sessions() if each not in others]
        await self.overflow(hub)
        await until(lambda: session.closed)
        assert session.outbox.bytes <= 200, "of a polling client the last words"
        await client.read_to_the_end()
        if transport == "polling":
            (closing,) = client.named("closing")
            assert closing["code"] == "SLOW_CONSUMER"
            assert closing["reconnect"] is True
        await self.resumed(hub, transport, client)

    async def test_is_told_to_a_client_that_reads_again_at_once(self, hub: Hub) -> None:
        others = sessions()
        client = await hub.follower("websocket")
        (session,) = [each for each in sessions() if each not in others]
        telling = asyncio.create_task(self.overflow(hub))
        await until(lambda: session.closed)
        await client.read_to_the_end()
        await telling
        assert [each["code"] for each in client.named("closing")] == ["SLOW_CONSUMER"]
        assert client.log[-1][0] == "closing"
        await self.resumed(hub, "websocket", client)


async def test_a_message_that_is_too_large_is_the_last_one(hub: Hub) -> None:
    client = await hub.line("websocket")
    await client.send('421["subscribe",{"channel":"' + "x" * 65_536 + '"}]')
    await client.read_to_the_end()
    (closing,) = client.named("closing")
    assert closing["code"] == "PAYLOAD_TOO_LARGE"
    assert closing["reconnect"] is False
    assert client.close_code == 1009


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_bytes_are_refused_and_nothing_else_happens(hub: Hub, transport: str) -> None:
    client = await hub.line(transport)
    first, second = ({"_placeholder": True, "num": number} for number in (0, 1))
    payload = {"channel": first, "epoch": second}
    assert await client.refused("subscribe", payload, b"abc", b"x" * 40_000) == "INVALID_REQUEST"
    await client.send("451-" + json.dumps(["subscribe", first]))  # asks for no answer
    await client.attach(b"abc")
    await client.follow(JOB)
    assert not client.named("closing")


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize(
    "packets", [["42{}"], ["451-" + '["e",{"_placeholder":true,"num":0}]', "42" + '["e"]']]
)
async def test_who_breaks_the_protocol_is_told(
    hub: Hub, transport: str, packets: list[str]
) -> None:
    client = await hub.line(transport)
    for packet in packets:
        await client.send(packet)
    await client.read_to_the_end()
    (closing,) = client.named("closing")
    assert (closing["code"], closing["reconnect"]) == ("INVALID_REQUEST", False)
    assert client.close_code == (4505 if transport == "websocket" else None)


async def test_who_posts_too_much_is_told(hub: Hub) -> None:
    client = await hub.line("polling")
    await client.send('421["subscribe",{"channel":"' + "x" * 65_536 + '"}]')
    await client.read_to_the_end()
    assert [each["code"] for each in client.named("closing")] == ["PAYLOAD_TOO_LARGE"]


async def test_whoever_leaves_leaves_nothing_behind(hub: Hub) -> None:
    async with nothing_left_behind():
        for turn in range(200):
            transport = "polling" if turn % 10 == 0 else "websocket"
            async with slow_line(hub.port, transport, token=hub.token) as client:
                if turn % 3 == 0:
                    await client.follow(JOB)
                if turn % 20 == 0 or transport == "polling":
                    await client.send("1")
                    await client.read_to_the_end()
