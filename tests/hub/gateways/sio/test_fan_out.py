"""Events for many connections at once, on real sockets: in order with whatever else is sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from hub.delivery.message import Message, Reset, Run
from hub.domain.events import Encoded, Position
from hub.domain.principal import Principal
from hub.gateways.sio.connection import Connection
from hub.gateways.sio.server import Client
from hub.gateways.sio.session import EngineSocket
from hub.services.recovery import Session
from tests.hub.domain import samples
from tests.hub.gateways.sio.test_transport import Running, serving, until
from tests.hub.gateways.websocket.wire import Raw

pytestmark = pytest.mark.timeout(30)

JOB, TOPIC = "job:1", "topic:t"


@pytest.fixture
async def run() -> AsyncIterator[Running]:
    async with serving() as running:
        yield running


async def no_summary(channel: str) -> Reset:
    raise AssertionError(f"nobody lags on {channel}")


async def follower(run: Running) -> tuple[Raw, Connection]:
    """A client that follows two channels, and has read its ``hello``."""
    client, session = await run.client()
    who = Principal("u1", frozenset(), frozenset(), samples.T0)
    state = Session(cast("Any", None), "u1", "p" * 24, None)
    connection = Connection(Client(run.server, session, "/"), who, no_summary, state)
    for channel in (JOB, TOPIC):
        connection.follows(channel, Position("e1", 0))
    connection.greet({}, [])
    assert (await client.text()).startswith('42["hello"')
    await until(lambda: _descriptor(session) >= 0)
    return client, connection


def _descriptor(session: EngineSocket) -> int:
    """Whether frames would be written right away: there was a write since the handshake."""
    session.push(b"2")
    return -1 if session.direct is None else session.direct.descriptor


def events(channel: str, first: int, last: int) -> Run:
    """Events of a channel that come together."""
    made = (json.dumps({"c": channel, "o": at}).encode() for at in range(first, last + 1))
    return Run(
        [Message(channel, "e1", Encoded(at, each)) for at, each in enumerate(made, start=first)]
    )


async def read(client: Raw, count: int) -> list[Any]:
    """The next events of a client; pings are passed over."""
    found: list[Any] = []
    while len(found) < count:
        packet = await client.text()
        if packet != "2":
            found.append(json.loads(packet[2:]))
    return found


async def test_what_is_held_back_goes_first(run: Running) -> None:
    """While the cork is in, an event must not overtake what was sent before it."""
    pairs = [await follower(run) for _ in range(3)]
    connections = [connection for _, connection in pairs]
    with run.server.eio._cork:
        for connection in connections:
            connection.send("closing", {"n": 1})
        Connection.fan_out(connections, events(JOB, 1, 2))
        Connection.fan_out(connections, events(TOPIC, 1, 1))
    Connection.fan_out(connections, events(JOB, 3, 3))
    for client, connection in pairs:
        said = await read(client, 5)
        assert [each[1] for each in said] == [
            {"n": 1}, {"c": JOB, "o": 1}, {"c": JOB, "o": 2}, {"c": TOPIC, "o": 1},
            {"c": JOB, "o": 3},
        ]  # fmt: skip
        strings = [each[2].split(".")[-2:] for each in said]
        assert strings == [["0", "0"], ["1", "0"], ["2", "0"], ["2", "1"], ["3", "1"]]
        assert connection.channels == {JOB: 3, TOPIC: 1}


async def test_one_that_left_gets_nothing_and_harms_nobody(run: Running) -> None:
    (leaver, gone), (client, stays) = [await follower(run) for _ in range(2)]
    leaver.reset()
    await until(lambda: gone._socket.direct is None or gone._socket.closed)
    Connection.fan_out([gone, stays], events(JOB, 1, 1))
    assert (await read(client, 1))[0][1] == {"c": JOB, "o": 1}
    assert stays.channels[JOB] == 1
