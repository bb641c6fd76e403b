"""Noting the way of events: some of all, and each of those that are watched.

Nothing here waits or fails where events go by: steps are noted, and stored a moment later.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import islice, takewhile
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from config.logs import get_logger
from config.trouble import Trouble
from hub import metrics
from hub.broker.connect import honour_cancellation
from hub.broker.traces import TraceStore
from hub.delivery.members import Subscriber
from hub.delivery.message import Message
from hub.delivery.outbox import Told
from hub.delivery.witness import Witness
from hub.domain import times
from hub.domain.events import Event
from hub.domain.principal import Principal
from hub.domain.traces import Sample, Step
from hub.services.patience import FAILURES

EVENTS_PER_SECOND: Final = 50
"""Events that one process samples; those of tails are beside these."""

_WRITES_AT_MOST: Final = 200  # noted of one event
_NOTED_AT_MOST: Final = 5000  # steps that wait to be stored
_FLUSH: Final = 0.1  # seconds
_LOOK_UP: Final = 1.0  # seconds between looks at who is watched
_PATIENCE: Final = 30.0  # seconds after which nobody waits for a write any more
_ID: Final = slice(13, 49)  # of an envelope: ``{"v":1,"id":"…``
_log = get_logger(__name__)


class Written(Protocol):
    """A connection, of which it is asked whether it has written what it was delivered."""

    sid: str
    door: str
    principal: Principal

    def written(self, channel: str, told: Told) -> bool | None:
        """Whether the event of a channel that it was delivered just now was written. False when it
        never will be: it gave way to a reset, or the connection is over. None while it waits for
        the client to read; then ``told`` is told, unless that stays unknown."""


class _Late(Struct, eq=False):
    """Writes that wait for the client to read what was before them, as (event id, step)."""

    steps: list[tuple[str, Step]]
    until: float


class _Kind(Struct):
    type: str


class Tracer:
    """Notes steps for ``store``. ``who``: this process. Without ``run`` nothing is stored."""

    def __init__(self, store: TraceStore, who: str, share: float, witness: Witness) -> None:
        self._store = store
        self._who = who
        self._sample = Sample(share)
        self._witness = witness
        self._watched: frozenset[str] = frozenset()
        self._traced: dict[str, list[bytes]] = {}
        self._tailed: dict[str, list[bytes]] = {}
        self._noted = 0
        self._late: dict[_Late, None] = {}  # the oldest first
        self._second, self._sampled = 0, 0
        self._wake = asyncio.Event()
        self._trouble = Trouble(_log, "traces.not_kept", "traces.kept")
        self.on_watched: Callable[[frozenset[str]], None] = lambda watched: None
        """Called when others are watched than before."""
        self._attend()

    @property
    def active(self) -> bool:
        """Whether anything is to be noted at all."""
        return bool(self._sample or self._watched)

    async def look_up(self) -> None:
        """Learns who is watched. Raises ``redis.RedisError``."""
        watched = await self._store.watched()
        if watched != self._watched:
            self._watched = watched
            self.on_watched(watched)
            self._attend()

    async def run(self) -> None:
        """Stores what is noted, until cancelled."""
        due = 0.0
        loop = asyncio.get_running_loop()
        while True:
            honour_cancellation()
            try:
                if loop.time() >= due:
                    due = loop.time() + _LOOK_UP
                    await self.look_up()
                self._give_up()
                await self._flush()
            except FAILURES as error:
                self._trouble.failed(error)
            else:
                self._trouble.worked()
            await self._pause(due - loop.time())

    def stored(self, events: Iterable[Event]) -> None:
        """Events were stored."""
        at = times.wire(times.now())
        for event in events:
            if self._wanted(event.channel, event.id.encode()):
                self._note(event.id, Step("STORED", at, event.channel, event.type, self._who))

    def look(self, messages: Sequence[Message], members: Collection[Subscriber]) -> None:
        """Events of one channel were passed on to ``members``, just now."""
        routed = [
            self._routed(each, event_id)
            for each in messages
            if self._wanted(each.channel, event_id := each.envelope[_ID])
        ]
        if not routed:
            return
        for routed_id, step in routed:
            self._note(routed_id, step)
        channel, until = messages[-1].channel, time.monotonic() + _PATIENCE
        sockets: Iterable[Any] = islice(members, _WRITES_AT_MOST)
        for socket in sockets:
            late = _Late([(id_, _write(socket, step)) for id_, step in routed], until)
            written = socket.written(channel, partial(self._settle, late))
            if written is None:
                self._wait_for(late)
            else:
                self._note_writes(late, written=written)

    def _routed(self, message: Message, event_id: bytes) -> tuple[str, Step]:
        at = times.wire(times.now())
        type_ = msgspec.json.decode(message.envelope, type=_Kind).type
        return event_id.decode(), Step("ROUTED", at, message.channel, type_, self._who)

    def _wait_for(self, late: _Late) -> None:
        if len(self._late) >= _NOTED_AT_MOST:
            metrics.TRACES_LOST.add(len(late.steps))
            return
        self._late[late] = None
        self._wake.set()

    def _settle(self, late: _Late, written: bool) -> None:
        if late in self._late:
            del self._late[late]
            self._note_writes(late, written=written)

    def _note_writes(self, late: _Late, *, written: bool) -> None:
        at = times.wire(times.now()) if written else None
        for event_id, step in late.steps:
            self._note(event_id, msgspec.structs.replace(step, at=at))

    def _wanted(self, channel: str, event_id: bytes) -> bool:
        if channel in self._watched:
            return True
        if not self._sample.takes(event_id):
            return False
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._sampled = second, 0
        self._sampled += 1
        return self._sampled <= EVENTS_PER_SECOND

    def _note(self, event_id: str, step: Step) -> None:
        if self._noted >= _NOTED_AT_MOST:
            metrics.TRACES_LOST.add()
            return
        self._noted += 1
        metrics.TRACED.add()
        self._traced.setdefault(event_id, []).append(msgspec.json.encode(step))
        if step.channel in self._watched:
            entry = {"id": event_id, **msgspec.to_builtins(step)}
            self._tailed.setdefault(step.channel, []).append(msgspec.json.encode(entry))
        self._wake.set()

    def _give_up(self) -> None:
        """Notes the writes that nobody waits for any more."""
        now = time.monotonic()
        over = list(takewhile(lambda late: late.until < now, self._late))
        for each in over:
            self._settle(each, written=False)

    async def _flush(self) -> None:
        traced, self._traced = self._traced, {}
        tailed, self._tailed = self._tailed, {}
        self._noted = 0
        if traced:
            await self._store.add(traced, tailed)

    def _attend(self) -> None:
        self._witness.look = self.look if self.active else None

    async def _pause(self, limit: float) -> None:
        """Until something was noted, and a moment longer; or until it is time to look up."""
        if not (self._noted or self._late):
            self._wake.clear()
            try:
                async with asyncio.timeout(max(limit, 0)):
                    await self._wake.wait()
            except TimeoutError:
                return
        await asyncio.sleep(_FLUSH)


def _write(socket: Written, routed: Step) -> Step:
    return msgspec.structs.replace(
        routed, step="WRITTEN", sid=socket.sid, user_id=socket.principal.user_id, door=socket.door
    )
