"""How many connections each user has, over the whole cluster and all doors.

Redis has whole numbers, one per user and node, which the node says anew whenever they change:
repeating one does no harm. They count for as long as the node says that it serves, so the users of
a node that died are free within ``LEASE``.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker.connect import honour_cancellation
from hub.broker.keys import Keys
from hub.broker.scripts import Call, Script
from hub.domain.patience import PATIENCE

LEASE: Final = 15.0
"""Seconds that a node is believed after it said something."""

_EVERY: Final = 5.0  # seconds between heartbeats
_KEPT: Final = 1800.0  # seconds that a user's numbers are kept
_AGAIN: Final = 90  # heartbeats after which everything was said anew, a little with each
_AT_ONCE: Final = 250
_RETRY: Final = 0.5
_ATTEND: Final = Script("attend")
_FAILURES = (RedisError, OSError, TimeoutError)
_log = get_logger(__name__)


class _Word(NamedTuple):
    what: Literal["come", "note"]
    user: str
    connections: int


class Attendance:
    """The users of this node, of whom none has more than ``limit`` connections anywhere.

    Promises: however many come at once and wherever, the limit holds, as long as every node's
    heartbeat reaches Redis. What changes in one turn of the event loop, or while Redis answers,
    goes out in one round trip. Without ``run`` nothing is said, and nobody comes in.
    """

    def __init__(self, redis: Redis, keys: Keys, limit: int) -> None:
        self._redis = redis
        self._keys = keys
        self._limit = limit
        self._node = secrets.token_hex(6)
        self._here: dict[str, int] = {}
        self._coming: list[tuple[str, asyncio.Future[bool]]] = []
        self._changed: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._beats = 0
        self._trouble = Trouble(_log, "attendance.not_told", "attendance.told_again")

    def __len__(self) -> int:
        """How many users have connections here."""
        return len(self._here)

    def come(self, user: str) -> asyncio.Future[bool]:
        """One more connection, to be ended by ``go`` in any case; whether the user may have it.
        Raises what Redis raises."""
        self._here[user] = self._here.get(user, 0) + 1
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._coming.append((user, answer))
        self._wake.set()
        return answer

    def go(self, user: str) -> None:
        """One connection less."""
        left = self._here[user] - 1
        if left:
            self._here[user] = left
        else:
            del self._here[user]
        self._changed[user] = None
        self._wake.set()

    def say_all(self) -> None:
        """Says everything anew: Redis may have come back without it."""
        self._changed.update(dict.fromkeys(self._here))
        self._wake.set()

    async def run(self) -> None:
        """Speaks to Redis until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            honour_cancellation()
            self._wake.clear()
            try:
                if loop.time() >= due:
                    due = loop.time() + _EVERY
                    await self._beat()
                while self._coming or self._changed:
                    await self._flush()
                self._trouble.worked()
            except _FAILURES as error:
                self._trouble.failed(error)
                await asyncio.sleep(_RETRY)
            await self._woken(due)

    async def close(self) -> None:
        """Says that nobody is here any more. To be called when ``run`` has ended."""
        self._changed.update(dict.fromkeys(self._here))
        self._here.clear()
        for _, answer in self._coming:
            answer.cancel()
        self._coming.clear()
        try:
            async with asyncio.timeout(PATIENCE):
                while self._changed:
                    await self._flush()
        except _FAILURES as error:
            _log.warning("attendance.not_closed", error=repr(error))

    async def _beat(self) -> None:
        """Renews the lease wherever this node has said something, and says a part anew."""
        self._beats += 1
        users = list(self._here)
        self._changed.update(dict.fromkeys(users[self._beats % _AGAIN :: _AGAIN]))
        partitions = {self._keys.partition(user) for user in users}
        await self._carry_out([self._call(partition, []) for partition in sorted(partitions)])

    async def _flush(self) -> None:
        """One round trip with what there is to say. Who comes is answered, well or not; the rest
        is said again when that fails."""
        waiting = [each for each in self._coming if not each[1].done()]  # the others have left
        there = Counter(self._here)
        there.subtract(user for user, _ in waiting)
        coming, self._coming = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        changed = list(self._changed)[:_AT_ONCE]
        for user in changed:
            del self._changed[user]
        wanted = [_Word("note", user, there[user]) for user in changed]
        for user, _ in coming:
            there[user] += 1
            wanted.append(_Word("come", user, there[user]))
        try:
            answers = await self._say(wanted)
        except BaseException as error:
            self._changed.update(dict.fromkeys(changed))
            _fail((answer for _, answer in coming), error)
            raise
        for (_, answer), allowed in zip(coming, answers[len(changed) :], strict=True):
            if not answer.done():
                answer.set_result(allowed)

    async def _say(self, wanted: list[_Word]) -> list[bool]:
        """The answers, in order. Of one user, what was said first is carried out first."""
        parts: dict[int, list[int]] = {}
        for at, word in enumerate(wanted):
            parts.setdefault(self._keys.partition(word.user), []).append(at)
        calls = [self._call(each, [wanted[at] for at in found]) for each, found in parts.items()]
        found = await self._carry_out(calls)
        answers = [False] * len(wanted)
        for places, said in zip(parts.values(), found, strict=True):
            for at, answer in zip(places, said, strict=True):
                answers[at] = answer == 1
        return answers

    async def _carry_out(self, calls: list[Call]) -> list[list[int]]:
        if not calls:
            return []
        found: list[list[int]] = await _ATTEND.run_many(self._redis, calls)
        return found

    def _call(self, partition: int, wanted: list[_Word]) -> Call:
        keys = [self._keys.serving(partition)]
        args: list[str | bytes | int] = [
            *(self._node, int(LEASE * 1000), self._limit, int(_KEPT * 1000))
        ]
        for word in wanted:
            keys.append(self._keys.attendance(word.user))
            args += (word.what, word.connections)
        return Call(keys, args)

    async def _woken(self, at: float) -> None:
        try:
            async with asyncio.timeout_at(at):
                await self._wake.wait()
        except TimeoutError:
            return


def _fail(answers: Iterable[asyncio.Future[bool]], error: BaseException) -> None:
    for answer in answers:
        if answer.done():
            continue
        if isinstance(error, Exception):
            answer.set_exception(error)
            answer.exception()  # retrieved here: whoever waited may have given up
        else:
            answer.cancel()
