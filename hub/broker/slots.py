"""The slots of jobs in Redis: so many clients follow a job at a time, over the whole cluster and
all live doors together (rule RN10.05.4, contract section 6).

A slot is a lease: its node renews it, and a node that died frees all of its slots by that.
"""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final, Literal, NamedTuple, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.logs import get_logger
from hub import metrics
from hub.broker.connect import honour_cancellation
from hub.broker.keys import Keys
from hub.broker.scripts import Call, Script

TTL: Final = 12.0
"""Seconds after which the slots of a dead node are free."""

RENEWAL: Final = 3.0
"""Seconds between renewals: three may fail before a slot is lost."""

_SLOTS: Final = Script("slots")
_AT_ONCE: Final = 500
_TAKES_AT_ONCE: Final = 32  # fewer than the client has connections: more would be refused
_PATIENCE: Final = 2.0
_log = get_logger(__name__)


class Holder(Protocol):
    """Who takes slots."""

    @property
    def slot(self) -> str:
        """The name of its slots, which never changes. Of two holders with one name the later has
        the slot: so a client that comes back does not compete with its own broken connection."""

    def shows_life(self) -> bool:
        """Whether its client is there, as far as is known; asked every ``RENEWAL`` seconds. The
        slots of one that is not are free, and taken again once it is, if they still are. Must
        neither block nor raise."""

    def evicted(self, channel: str) -> None:
        """Its slot of ``channel`` is another's: it was taken over, or not renewed in time. It has
        to stop following. Must neither block nor raise."""


class Slot:
    """One holder's place among the followers of a job. ``owner`` differs for each."""

    __slots__ = ("channel", "holder", "owner", "paused", "taken")

    def __init__(self, channel: str, holder: Holder, owner: str) -> None:
        self.channel = channel
        self.holder = holder
        self.owner = owner
        self.taken = False  # Redis said so
        self.paused = False  # free, as its client shows no life


class _Operation(NamedTuple):
    kind: Literal["take", "keep", "free"]
    slot: Slot


class Slots:
    """The slots that this node's clients hold.

    Promises: a job never has more than ``limit`` holders, whoever asks wherever and at once; one
    holder has one slot of a job, however often it takes it. Without ``run`` nothing is renewed.
    """

    def __init__(self, redis: Redis, keys: Keys, limit: int) -> None:
        self._redis = redis
        self._keys = keys
        self._limit = limit
        self._node = secrets.token_hex(4)
        self._numbers = count()
        self._held: dict[Holder, dict[str, Slot]] = {}
        self._to_free: list[Slot] = []
        self._wake = asyncio.Event()
        self._taking = asyncio.Semaphore(_TAKES_AT_ONCE)

    def __len__(self) -> int:
        """How many slots this node's clients hold."""
        return sum(map(len, self._held.values()))

    async def take(self, holder: Holder, channels: Sequence[str]) -> set[str]:
        """Those of ``channels`` that ``holder`` has a slot of now, in one round trip; to be freed
        in any case. Raises ``RedisError``, and then it has taken none."""
        mine = self._held.get(holder, {})
        has = {channel for channel in channels if channel in mine}
        new = [self._reserve(holder, channel) for channel in channels if channel not in has]
        if not new:
            return has
        freed, self._to_free = self._to_free, []
        operations = [_Operation("free", slot) for slot in freed]
        operations += [_Operation("take", slot) for slot in new]
        try:
            async with self._taking:
                answers = await self._carry_out(operations)
        except BaseException:
            self._to_free += freed
            for slot in new:  # some may have been taken
                self._forget(slot)
                self._free(slot)
            raise
        for slot in new:
            if answers[slot] != 1:
                self._forget(slot)
            elif self._is_held(slot):
                slot.taken = True
                metrics.LEASES.add(1, "slot", "taken")
                has.add(slot.channel)
            else:  # the holder has left meanwhile
                self._free(slot)
        return has

    def free(self, holder: Holder, channel: str) -> None:
        """Gives a slot back, soon; harmless when there is none."""
        slot = self._held.get(holder, {}).get(channel)
        if slot is not None:
            self._forget(slot)
            self._free(slot)

    async def renew(self) -> None:
        """Renews every slot whose client shows life, and frees the others, in one round trip (to
        each server). Raises ``RedisError``."""
        operations = []
        for holder, held in self._held.items():
            alive = holder.shows_life()
            taken = [slot for slot in held.values() if slot.taken]
            operations += [
                _Operation("keep" if alive else "free", slot)
                for slot in taken
                if alive or not slot.paused
            ]
        answers = await self._carry_out(operations)
        for kind, slot in operations:
            answer, slot.paused = answers[slot], kind == "free"
            if answer != 1 and self._is_held(slot):
                metrics.LEASES.add(1, "slot", "lost")
                _log.info("slots.lost", channel=slot.channel, taken_over=answer == -1)
                self._forget(slot)
                slot.holder.evicted(slot.channel)

    async def run(self) -> None:
        """Renews and frees until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time() + RENEWAL
        while True:
            honour_cancellation()
            self._wake.clear()
            try:
                if loop.time() >= due:
                    due = loop.time() + RENEWAL
                    await self.renew()
                await self._flush()
            except (RedisError, OSError, TimeoutError) as error:
                _log.warning("slots.unreachable", held=len(self), error=repr(error))
            await self._woken(due)

    async def close(self) -> None:
        """Gives everything back; what cannot be within 2 s runs out by itself."""
        self._to_free += [slot for held in self._held.values() for slot in held.values()]
        self._held.clear()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._flush()
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("slots.not_freed", error=repr(error))

    async def _flush(self) -> None:
        """Frees what is to be freed. When that fails it is not tried again: it runs out."""
        freed, self._to_free = self._to_free, []
        await self._carry_out([_Operation("free", slot) for slot in freed])

    async def _woken(self, at: float) -> None:
        try:
            async with asyncio.timeout_at(at):
                await self._wake.wait()
        except TimeoutError:
            return

    def _reserve(self, holder: Holder, channel: str) -> Slot:
        slot = Slot(channel, holder, f"{self._node}-{next(self._numbers)}")
        self._held.setdefault(holder, {})[channel] = slot
        return slot

    def _is_held(self, slot: Slot) -> bool:
        return self._held.get(slot.holder, {}).get(slot.channel) is slot

    def _forget(self, slot: Slot) -> None:
        if self._is_held(slot):
            held = self._held[slot.holder]
            del held[slot.channel]
            if not held:
                del self._held[slot.holder]

    def _free(self, slot: Slot) -> None:
        self._to_free.append(slot)
        self._wake.set()

    async def _carry_out(self, operations: Sequence[_Operation]) -> dict[Slot, int]:
        """The script's answers. Operations of one partition keep their order."""
        batches = list(self._batches(operations))
        if not batches:
            return {}
        answers = await _SLOTS.run_many(self._redis, [self._call(each) for each in batches])
        return {
            operation.slot: answer
            for batch, found in zip(batches, answers, strict=True)
            for operation, answer in zip(batch, found, strict=True)
        }

    def _batches(self, operations: Iterable[_Operation]) -> Iterable[list[_Operation]]:
        """Cut by partition, whose keys a script may touch together."""
        found: dict[int, list[_Operation]] = {}
        for operation in operations:
            found.setdefault(self._keys.partition(operation.slot.channel), []).append(operation)
        for batch in found.values():
            for start in range(0, len(batch), _AT_ONCE):
                yield batch[start : start + _AT_ONCE]

    def _call(self, batch: Sequence[_Operation]) -> Call:
        args: list[str | bytes | int] = [int(TTL * 1000), self._limit]
        for kind, slot in batch:
            args += (kind, slot.holder.slot, slot.owner)
        return Call([self._keys.slots(each.slot.channel) for each in batch], args)
