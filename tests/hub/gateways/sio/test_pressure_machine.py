"""A slow client under every order of events: what it reads is each channel in order without a gap
or a repeat, a reset with the snapshot in place of what gave way, and recovery strings that never
claim more than what it has read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.delivery.frames import frame
from hub.delivery.message import Message, Reset
from hub.delivery.outbox import Entry
from hub.domain import codes
from hub.domain.events import Encoded, Position
from hub.domain.principal import Principal
from hub.domain.recovery import parse_mark
from hub.gateways import lagging
from hub.gateways.heartbeats import Heartbeats
from hub.gateways.sio.connection import Connection
from hub.gateways.sio.server import Client, SocketServer
from hub.gateways.sio.session import EngineSocket
from hub.gateways.websocket import HIGH_WATER, WebSocket
from hub.services.recovery import Session
from tests.hub.domain import samples

LIMIT = 4000
"""Bytes of the outbox."""

EPOCH = "e1"
JOBS = ("job:1", "job:2")
CHANNELS = ("user:u1", *JOBS)
_KEPT_AT_MOST = 6


class Line:
    """In place of a WebSocket: what was written stays in it until the client reads."""

    compresses = False
    descriptor = -1

    def __init__(self) -> None:
        self.owner: EngineSocket | None = None
        self.frames: list[bytes] = []
        self.is_blocked = False
        self.aborted = False

    def begin(self, owner: EngineSocket) -> None:
        self.owner = owner

    def send(self, data: bytes) -> None:
        if self.aborted:
            return
        self.frames.append(data)
        if self.held > HIGH_WATER:
            self.stall()

    def stall(self) -> None:
        """From now on the client does not read."""
        assert self.owner is not None
        if not self.is_blocked:
            self.is_blocked = True
            self.owner.blocked()

    def write(self, message: bytes) -> None:
        self.send(frame(message))

    def write_all(self, messages: list[bytes]) -> None:
        if messages:
            self.send(b"".join(map(frame, messages)))

    def abort(self) -> None:
        self.aborted = True

    @property
    def held(self) -> int:
        """Bytes that the client has not read."""
        return sum(map(len, self.frames))

    def read(self) -> list[str]:
        """The client reads everything."""
        data, self.frames = b"".join(self.frames), []
        if self.is_blocked:
            self.is_blocked = False
            assert self.owner is not None
            self.owner.writable()
        return list(texts(data))


def texts(data: bytes) -> list[str]:
    """The messages of unmasked, unfragmented frames."""
    found = []
    while data:
        size, at = data[1], 2
        if size > 125:
            at += {126: 2, 127: 8}[size]
            size = int.from_bytes(data[2:at], "big")
        found.append(data[at : at + size].decode())
        data = data[at + size :]
    return found


@dataclass
class Host:
    """The server that the session belongs to."""

    loop: asyncio.AbstractEventLoop
    outbox_bytes: int = LIMIT
    heartbeats: Heartbeats = field(default_factory=lambda: Heartbeats(25, 20))
    departures: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def create_queue(self) -> None:
        """Nothing."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(self.loop.create_task(work))

    def departed(self, socket: EngineSocket, reason: str, websocket: Any = None) -> None:
        self.departures += 1


@dataclass
class Asked:
    """A snapshot that was asked for. ``offset``: where the log ended when the store was read."""

    channel: str
    answer: asyncio.Future[None]
    offset: int | None = None


class SlowClientMachine(RuleBasedStateMachine):
    """``stored``, ``told``: how far each channel is stored, and delivered to the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stored = dict.fromkeys(CHANNELS, 0)
        self.told = dict.fromkeys(CHANNELS, 0)
        self.read = dict.fromkeys(CHANNELS, 0)
        self.asked: list[Asked] = []
        self.user_bytes: dict[int, int] = {}
        self.last_words: dict[str, Any] | None = None
        self.line: Line | None = None  # None: it polls
        self.polling: asyncio.Task[list[bytes]] | None = None
        lagging._KEPT_AT_MOST = _KEPT_AT_MOST  # type: ignore[misc]
        lagging._RETRY = 0  # type: ignore[misc]

    @initialize(polling=st.booleans())
    def connect(self, polling: bool) -> None:
        self.host = Host(self.loop)
        self.loop.run_until_complete(self._connect(polling))

    async def _connect(self, polling: bool) -> None:
        self.socket = EngineSocket(cast("Any", self.host), "sid")
        server = SimpleNamespace(eio=SimpleNamespace(generate_id=lambda: "id"))
        client = Client(cast("SocketServer", server), self.socket, "/")
        session = Session(cast("Any", None), "u1", "p" * 24, None)
        who = Principal("u1", frozenset(), frozenset(), samples.T0)
        self.connection = Connection(client, who, self.summary, session)
        for channel in CHANNELS:
            self.connection.follows(channel, Position(EPOCH, 0))
        if not polling:
            self.line = Line()
            self.socket.serve(cast("WebSocket", self.line))
        self.connection.greet({}, [])

    async def summary(self, channel: str) -> Reset:
        """As ``Following.summary``."""
        asked = Asked(channel, self.loop.create_future())
        self.asked.append(asked)
        await asked.answer
        offset = self.stored[channel] if asked.offset is None else asked.offset
        return Reset(channel, EPOCH, offset, {"upTo": offset})

    def settle(self) -> None:
        """Lets the loop do what it has to."""
        for _ in range(5):
            self.loop.run_until_complete(asyncio.sleep(0))

    # -- what happens on the hub's side -----------------------------------------------------------

    @rule(channel=st.sampled_from(CHANNELS), count=st.integers(1, 4))
    def store(self, channel: str, count: int) -> None:
        self.stored[channel] += count

    @rule(channel=st.sampled_from(CHANNELS), size=st.sampled_from([0, 300, 1500]))
    def tell(self, channel: str, size: int) -> None:
        """Delivers everything that is stored and was not told yet, together."""
        if messages := self.untold(channel, size):
            self.within(lambda: self.connection.deliver(messages))

    @rule(
        channel=st.sampled_from(CHANNELS),
        size=st.sampled_from([300, 1500]),
        count=st.sampled_from([3, 10, 60]),
        at_a_time=st.sampled_from([1, 3, 10]),
    )
    def stream(self, channel: str, size: int, count: int, at_a_time: int) -> None:
        """Many events."""
        batches = []
        for _ in range(count // at_a_time):
            self.stored[channel] += at_a_time
            batches.append(self.untold(channel, size))

        def deliver() -> None:
            for batch in batches:
                self.connection.deliver(batch)

        self.within(deliver)

    def untold(self, channel: str, size: int) -> list[Message]:
        """What is stored and was not told yet."""
        first = self.told[channel] + 1
        self.told[channel] = self.stored[channel]
        return [self.message(channel, n, size) for n in range(first, self.stored[channel] + 1)]

    def message(self, channel: str, offset: int, size: int) -> Message:
        event = {"channel": channel, "offset": offset, "pad": "x" * size}
        made = Message(channel, EPOCH, Encoded(offset, json.dumps(event).encode()))
        if channel == CHANNELS[0]:
            self.user_bytes[offset] = len(made.socketio)
        return made

    @rule(
        channel=st.sampled_from(JOBS),
        size=st.sampled_from([300, 1500]),
        at_a_time=st.sampled_from([1, 4]),
    )
    def overflow(self, channel: str, size: int, at_a_time: int) -> None:
        """A job that streams more than the outbox holds."""
        self.stop_reading()
        self.stream(channel, size, 20, at_a_time)

    def fill(self) -> None:
        """Events that do not give way until no more fits beside them."""
        outbox = self.socket.outbox
        while sum(len(each) for each in outbox._entries or () if _stays(each)) < LIMIT - 400:
            self.stream("user:u1", 300, 1, 1)

    @rule(channel=st.sampled_from(CHANNELS))
    def give_up_a_gap(self, channel: str) -> None:
        """The feed cannot read what is missing."""
        if self.stored[channel] > self.told[channel]:
            offset = self.told[channel] = self.stored[channel]
            notice = Reset(channel, EPOCH, offset, {"upTo": offset, "gap": True})
            self.within(lambda: self.connection.reset(notice))

    @rule()
    def ping(self) -> None:
        self.within(self.socket.ping)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def read_the_head(self, data: st.DataObject) -> None:
        asked = data.draw(st.sampled_from(self.asked))
        if asked.offset is None:
            asked.offset = self.stored[asked.channel]

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), fails=st.booleans())
    def answer_with_the_snapshot(self, data: st.DataObject, fails: bool) -> None:
        asked = data.draw(st.sampled_from(self.asked))
        self.asked.remove(asked)
        if fails:
            asked.answer.set_exception(codes.HubError(codes.UNAVAILABLE))
        else:
            asked.answer.set_result(None)
        self.settle()

    def within(self, action: Any) -> None:
        """Runs it as the loop would, and what it brings about."""

        async def run() -> None:
            action()

        if not self.socket.closed:
            self.loop.run_until_complete(run())
            self.settle()

    # -- what happens on the client's side --------------------------------------------------------

    @rule()
    def stop_reading(self) -> None:
        """Of a client that polls, a poll that waits is still answered."""
        if self.line is not None and not self.socket.closed:
            self.line.stall()

    @rule()
    def read_everything(self) -> None:
        packets = self.poll() if self.line is None else self.line.read()
        for packet in packets:
            if packet.startswith("42"):
                self.take(*json.loads(packet[2:]))
        self.settle()

    def poll(self) -> list[str]:
        """Sends a poll unless one waits; what it is answered with by now."""
        if self.polling is None:
            self.polling = self.loop.create_task(self.socket.poll())
        self.settle()
        if not self.polling.done():
            return []
        packets, self.polling = self.polling.result(), None
        return [packet.decode() for packet in packets]

    def take(self, name: str, content: dict[str, Any], string: str) -> None:
        assert self.last_words is None, "something behind the last words"
        if name == "event":
            channel = content["channel"]
            assert content["offset"] == self.read[channel] + 1, "a gap, or a repeat"
            self.read[channel] += 1
        elif name == "reset":
            channel = content["channel"]
            least = self.read[channel] + ("gap" not in content["snapshot"])
            assert content["offset"] >= least, "a reset to the past, or for nothing"
            assert content["snapshot"]["upTo"] == content["offset"]
            self.read[channel] = content["offset"]
        elif name == "closing":
            self.last_words = content
        mark = parse_mark(string)
        assert mark is not None
        assert dict(zip(CHANNELS, mark.offsets, strict=True)) == self.read

    # -- what holds -------------------------------------------------------------------------------

    @invariant()
    def the_outbox_is_bounded(self) -> None:
        outbox = self.socket.outbox
        assert outbox.bytes <= LIMIT or len(outbox._entries or ()) == 1
        if self.line is not None:
            assert self.line.held < HIGH_WATER + 2 * LIMIT

    @invariant()
    def only_what_cannot_give_way_cuts_a_client_off(self) -> None:
        if self.socket.closed:
            sent = self.connection.channels["user:u1"]
            unsent = [size for offset, size in self.user_bytes.items() if offset > sent]
            assert sum(unsent) > LIMIT - 200, "the events of jobs could have given way"
            assert self.host.departures == 1
            assert self.socket.outbox.bytes <= 200, "of a polling client the last words"

    def teardown(self) -> None:
        try:
            self.go_on_until_nothing_is_left()
            for channel in CHANNELS:
                self.store(channel, 1)
            self.go_on_until_nothing_is_left()
            if not self.socket.closed:
                assert self.read == self.stored, "something never came"
                assert self.connection._live
            elif self.last_words is not None:
                assert self.last_words["code"] == "SLOW_CONSUMER"
        finally:
            for task in [*self.host.tasks, self.polling]:
                if task is not None:
                    task.cancel()
            self.settle()
            self.loop.close()

    def go_on_until_nothing_is_left(self) -> None:
        for _ in range(200):
            if self.socket.closed or self.read == self.told == self.stored:
                return
            for channel in CHANNELS:
                self.tell(channel, 0)
            self.read_everything()
            for asked in self.asked:
                asked.answer.set_result(None)
            self.asked.clear()
            self.settle()


SlowClientMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None
)
TestSlowClient = SlowClientMachine.TestCase


def _stays(entry: Entry) -> bool:
    return isinstance(entry, bytes) or not lagging.gives_way(entry.channel or "")


@contextmanager
def stalled(*, polling: bool = False) -> Iterator[SlowClientMachine]:
    """A client that does not read until it is made to."""
    machine = SlowClientMachine()
    machine.connect(polling=polling)
    machine.read_everything()
    machine.stop_reading()
    try:
        yield machine
    finally:
        machine.teardown()


def test_the_rest_of_a_batch_whose_beginning_did_not_fit_gives_way_too() -> None:
    with stalled() as machine:
        machine.stream("job:1", 1500, 2, 2)
        machine.stream("job:1", 1500, 3, 3)
        machine.read_everything()
        assert machine.read["job:1"] == 0
        assert len(machine.asked) == 1


def test_an_event_gives_way_where_nothing_else_can() -> None:
    with stalled() as machine:
        machine.fill()
        machine.stream("job:1", 1500, 1, 1)
        assert not machine.socket.closed
        machine.read_everything()
        machine.read_everything()
        assert machine.read == machine.told | {"job:1": 0}


def test_events_of_jobs_make_room_for_those_of_the_user() -> None:
    with stalled() as machine:
        machine.stream("user:u1", 300, 5, 1)
        machine.stream("job:1", 1500, 1, 1)
        machine.fill()
        assert not machine.socket.closed
        machine.stream("user:u1", 300, 1, 1)
        assert machine.socket.closed


def test_a_poll_that_finds_nothing_because_everything_gave_way() -> None:
    with stalled(polling=True) as machine:
        machine.stream("job:1", 1500, 3, 1)
        assert not machine.socket.outbox
        machine.read_everything()
        assert len(machine.asked) == 1


def test_one_run_of_more_than_the_outbox_holds_is_not_thrown_at_the_line() -> None:
    machine = SlowClientMachine()
    machine.connect(polling=False)
    assert machine.line is not None
    try:
        machine.stream("job:1", 3000, 200, 200)
        machine.the_outbox_is_bounded()
        machine.read_everything()
        assert 0 < machine.read["job:1"] < 200
    finally:
        machine.teardown()
