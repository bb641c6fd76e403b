"""Recoverable sessions in Redis: saved as they change, and kept alive while their node is.

A session has one **leg** for each connection that it had, under a key of its own: two connections
that claim the same session, such as a new one and the half-open one before it, write nothing that
the other reads. A leg that is not renewed any more, because its node died, goes by itself.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker.connect import command, honour_cancellation
from hub.broker.keys import Keys
from hub.broker.scripts import Call, Script
from hub.domain.patience import PATIENCE

_SAVE: Final = Script("save_sessions")
_SAVED_AT_ONCE: Final = 500
_SLICES: Final = 16
_RENEWALS: Final = 4  # in the time that a lost session is kept
_RETRY: Final = 0.5
_LOADS_AT_ONCE: Final = 24  # fewer than the client has connections: more would be refused
_log = get_logger(__name__)


class Leg:
    """One connection of a session. ``content``: gives what is to be saved as it is now, empty for
    nothing to recover from."""

    __slots__ = ("_revision", "content", "ended", "lost_at", "name", "pid", "slice")

    def __init__(self, pid: str, name: str, content: Callable[[], bytes]) -> None:
        self.pid = pid
        self.name = name
        self.content = content
        self.lost_at: float | None = None  # by the loop's clock
        self.ended = False
        self.slice: dict[Leg, None] | None = None  # those that are renewed together with it
        self._revision = 0

    @property
    def lost(self) -> bool:
        """Whether its connection is gone."""
        return self.lost_at is not None

    def save(self, seconds: float) -> "_Save":
        """The next save, for that long."""
        self._revision += 1
        fields = (self._revision, max(1, int(seconds * 1000)), self.content())
        return _Save(self.pid, self.name, fields)


class _Save(NamedTuple):
    pid: str
    leg: str
    fields: tuple[int, int, bytes]  # revision, milliseconds, content


class Sessions:
    """Saving and loading legs. A lost leg is kept for ``keep`` seconds.

    Promises: an earlier save of a leg never replaces a later one; all that changes in one turn of
    the event loop leaves in one round trip; the renewals of a node are spread evenly over time,
    however its clients came. Without ``run`` nothing is saved.
    """

    def __init__(self, redis: Redis, keys: Keys, keep: float) -> None:
        self._redis = redis
        self._keys = keys
        self._keep = keep
        self._every = keep / _RENEWALS
        self._slices: list[dict[Leg, None]] = [{} for _ in range(_SLICES)]
        self._next = 0  # the slice that the next new leg belongs to
        self._due = 0  # the slice that is renewed next
        self._changed: dict[Leg, None] = {}
        self._ended: list[_Save] = []
        self._waiting: dict[Leg, asyncio.Future[None]] = {}
        self._wake = asyncio.Event()
        self._loading = asyncio.Semaphore(_LOADS_AT_ONCE)
        self._trouble = Trouble(_log, "sessions.not_saved", "sessions.saved_again")

    def __len__(self) -> int:
        """How many legs are kept alive."""
        return sum(map(len, self._slices))

    def save(self, leg: Leg) -> None:
        """Saves ``leg`` soon, and keeps it alive from then on until it is lost or ended."""
        if leg.ended:
            return
        if leg.slice is None and not leg.lost:
            leg.slice = self._slices[self._next]
            leg.slice[leg] = None
            self._next = (self._next + 1) % _SLICES
        self._mark(leg)

    async def saved(self, leg: Leg) -> None:
        """As ``save``; returns once Redis has it. Raises ``RedisError``, OSError or, after
        ``PATIENCE``, TimeoutError."""
        if leg.ended:
            return
        self.save(leg)
        waiting = self._waiting.get(leg)
        if waiting is None:
            waiting = self._waiting[leg] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(PATIENCE):
            await asyncio.shield(waiting)

    def lose(self, leg: Leg) -> None:
        """Saves ``leg`` once more, for as long as lost ones are kept."""
        self._release(leg)
        self._mark(leg)

    def end(self, leg: Leg, *more: str) -> None:
        """Nobody recovers from ``leg`` any more, nor from those of its session named ``more``."""
        self._release(leg)
        leg.ended = True
        self._changed.pop(leg, None)
        if waiting := self._waiting.pop(leg, None):
            _settle([waiting], None)
        self._ended += [_Save(leg.pid, name, (0, 0, b"")) for name in (leg.name, *more)]
        self._wake.set()

    def save_all(self) -> None:
        """Saves everything again: Redis may have come back without what it was told last."""
        for each in self._slices:
            self._changed.update(each)
        self._wake.set()

    async def load(self, pid: str, leg: str) -> bytes:
        """The content of a leg, empty when there is none. Raises ``RedisError``, OSError
        or, after ``PATIENCE``, TimeoutError."""
        async with asyncio.timeout(PATIENCE), self._loading:
            saved: bytes | None = await command(self._redis.get(self._keys.session(pid, leg)))
        return (saved or b"").partition(b" ")[2]

    async def run(self) -> None:
        """Saves and renews until cancelled."""
        loop = asyncio.get_running_loop()
        renewal = loop.time()
        while True:
            honour_cancellation()
            if loop.time() >= renewal:
                renewal = loop.time() + self._every / _SLICES
                self._changed.update(self._slices[self._due])
                self._due = (self._due + 1) % _SLICES
            if not self._pending:
                await self._woken(renewal)
            elif not await self._flush():
                await asyncio.sleep(_RETRY)

    async def close(self) -> None:
        """Saves what is not saved yet; gives up after ``PATIENCE``. To be called when
        ``run`` has ended."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self._pending and await self._flush():
                    pass
        except TimeoutError:
            _log.warning("sessions.left_unsaved", legs=len(self._changed))

    @property
    def _pending(self) -> bool:
        return bool(self._changed or self._ended)

    async def _woken(self, at: float) -> None:
        """Returns when something is to be saved, at the loop's time ``at`` in any case."""
        self._wake.clear()
        try:
            async with asyncio.timeout_at(at):
                await self._wake.wait()
        except TimeoutError:
            return

    def _mark(self, leg: Leg) -> None:
        self._changed[leg] = None
        self._wake.set()

    @staticmethod
    def _release(leg: Leg) -> None:
        leg.lost_at = _now() if leg.lost_at is None else leg.lost_at
        if leg.slice is not None:
            del leg.slice[leg]
            leg.slice = None

    async def _flush(self) -> bool:
        """Saves some of what changed, in one round trip; whether that went well. What was lost is
        tried again as long as it would be kept. What ended is not: it goes by itself, a little
        later."""
        legs = [leg for leg, _ in zip(self._changed, range(_SAVED_AT_ONCE), strict=False)]
        for leg in legs:
            del self._changed[leg]
        waiting = [self._waiting.pop(leg) for leg in legs if leg in self._waiting]
        ended, self._ended = self._ended, []
        saves = [leg.save(self._ttl(leg)) for leg in legs]
        try:
            await _SAVE.run_many(self._redis, self._calls([*ended, *saves]))
        except (RedisError, OSError, TimeoutError) as error:
            self._trouble.failed(error, legs=len(legs))
            self._changed.update(dict.fromkeys(leg for leg in legs if self._still_matters(leg)))
            _settle(waiting, error)
            return False
        except asyncio.CancelledError:
            self._changed.update(dict.fromkeys(legs))
            self._ended += ended
            _settle(waiting, ConnectionError("closed"))
            raise
        self._trouble.worked()
        _settle(waiting, None)
        return True

    def _calls(self, saves: Iterable[_Save]) -> list[Call]:
        """One for each partition, whose keys a script may touch together."""
        calls: dict[int, tuple[list[str], list[str | bytes | int]]] = {}
        for pid, leg, fields in saves:
            keys, args = calls.setdefault(self._keys.partition(pid), ([], []))
            keys.append(self._keys.session(pid, leg))
            args += fields
        return [Call(keys, args) for keys, args in calls.values()]

    def _still_matters(self, leg: Leg) -> bool:
        """Whether a client may come back to it."""
        return not leg.ended and (leg.lost_at is None or _now() < leg.lost_at + self._keep)

    def _ttl(self, leg: Leg) -> float:
        """A leg that is alive outlives its next renewal by the time that a lost one is kept."""
        return self._keep if leg.lost else self._keep + 1.5 * self._every


def _now() -> float:
    return asyncio.get_running_loop().time()


def _settle(waiting: Iterable[asyncio.Future[None]], error: Exception | None) -> None:
    for each in waiting:
        if each.done():
            continue
        if error is None:
            each.set_result(None)
        else:
            each.set_exception(error)
            each.exception()  # retrieved here: whoever waited may have given up
