"""Coalesced reads: few round trips, fresh answers, and nobody who suffers from somebody else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

import pytest

from hub.stores.coalescing import CoalescedReads


class Store:
    """A store whose reads take until they are told to end. A value is the number of the write that
    it comes from."""

    def __init__(self, keys_at_once: int = 100) -> None:
        self.written = 0
        self.asked: list[list[str]] = []
        self.reads: list[asyncio.Future[None]] = []
        self.coalesced = CoalescedReads(self._read, keys_at_once=keys_at_once)

    async def _read(self, keys: list[str]) -> Mapping[str, int]:
        found = dict.fromkeys(keys, self.written)
        self.asked.append(sorted(keys))
        self.reads.append(asyncio.get_running_loop().create_future())
        await self.reads[-1]
        return found

    def get(self, *keys: str) -> asyncio.Task[Mapping[str, int]]:
        """Somebody asks."""
        return asyncio.create_task(self.coalesced.get(keys))

    def end(self, error: Exception | None = None) -> None:
        """The read under way ends."""
        if error is None:
            self.reads[-1].set_result(None)
        else:
            self.reads[-1].set_exception(error)


async def settle() -> None:
    """Everybody who can go on has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_asks_alone_is_read_for_at_once() -> None:
    store = Store()
    alone = store.get("a")
    await settle()
    assert store.asked == [["a"]]
    store.end()
    assert await alone == {"a": 0}


async def test_those_who_ask_in_one_turn_share_one_read() -> None:
    store = Store()
    asking = [store.get("a"), store.get("b"), store.get("b", "c")]
    await settle()
    assert store.asked == [["a", "b", "c"]]
    store.end()
    await asyncio.gather(*asking)


async def test_who_asks_during_a_read_shares_the_next_one() -> None:
    store = Store()
    first = store.get("a")
    await settle()
    assert store.asked == [["a"]]
    others = [store.get("b"), store.get("c", "b"), store.get("a")]
    await settle()
    assert store.asked == [["a"]]
    store.end()
    await settle()
    assert first.done()
    assert store.asked == [["a"], ["a", "b", "c"]]
    assert not any(each.done() for each in others)
    store.end()
    for each, keys in zip(others, ["b", "bc", "a"], strict=True):
        assert set(keys) <= set(await each)


async def test_an_answer_is_never_older_than_its_question() -> None:
    store = Store()
    before = store.get("a")
    await settle()
    store.written = 1
    after = store.get("a")
    await settle()
    store.end()
    assert await before == {"a": 0}
    await settle()
    store.end()
    assert await after == {"a": 1}


async def test_a_shared_read_asks_for_a_bounded_number_of_keys() -> None:
    store = Store(keys_at_once=3)
    waiting = [store.get("first"), *(store.get(f"k{n}", "same") for n in range(5))]
    for _ in range(3):
        await settle()
        store.end()
    await asyncio.gather(*waiting)
    assert store.asked == [["first", "k0", "same"], ["k1", "k2", "same"], ["k3", "k4", "same"]]


async def test_a_failure_reaches_all_who_wait_and_nobody_later() -> None:
    store = Store(keys_at_once=1)
    waiting = [store.get(key) for key in "abc"]
    await settle()
    store.end(ConnectionError("away"))
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in answers] == [ConnectionError] * 3
    later = store.get("d")
    await settle()
    store.end()
    assert await later == {"d": 0}


@pytest.mark.parametrize("who", [0, 1, 2], ids=["who reads", "who is read for", "who waits"])
async def test_who_is_cancelled_harms_nobody(who: int) -> None:
    store = Store(keys_at_once=2)
    opening = store.get("x")
    await settle()
    waiting = [store.get(key) for key in "abc"]
    await settle()
    store.end()
    await opening
    await settle()
    assert store.asked[-1] == ["a", "b"]
    waiting[who].cancel()
    while not all(each.done() for each in waiting):
        await settle()
        if not store.reads[-1].done():
            store.end()
    assert [each.cancelled() for each in waiting] == [number == who for number in range(3)]


async def test_who_is_cancelled_in_the_moment_in_which_it_should_read_hands_on() -> None:
    store = Store(keys_at_once=1)
    waiting = [store.get(key) for key in "abc"]
    await settle()
    store.end()
    await asyncio.sleep(0)  # the first read is done, and the second caller was told to read
    waiting[1].cancel()
    await settle()
    assert store.asked[-1] == ["c"]
    store.end()
    assert await waiting[2] == {"c": 0}


class Crowd:
    """Many who ask and are cancelled, in any order, of a store that also fails."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.store = Store(keys_at_once=self.dice.choice([1, 3, 100]))
        self.asked: dict[asyncio.Task[Mapping[str, int]], tuple[list[str], int]] = {}
        self.cancelled: set[asyncio.Task[Mapping[str, int]]] = set()

    async def step(self) -> None:
        match self.dice.randrange(6):
            case 0 | 1:
                keys = self.dice.sample("abcdef", self.dice.randint(1, 3))
                self.asked[self.store.get(*keys)] = (keys, self.store.written)
            case 2 if self.asked:
                self.cancelled.add(task := self.dice.choice(list(self.asked)))
                task.cancel()
            case 3:
                self.store.written += 1
            case 4:
                self.end_read(OSError("away") if self.dice.random() < 0.2 else None)
            case _:
                await asyncio.sleep(0)

    def end_read(self, error: Exception | None = None) -> None:
        if self.store.reads and not self.store.reads[-1].done():
            self.store.end(error)

    def check(self, task: asyncio.Task[Mapping[str, int]]) -> None:
        keys, written = self.asked[task]
        if task.cancelled():
            assert task in self.cancelled
        elif (error := task.exception()) is not None:
            assert isinstance(error, OSError)
        else:
            assert all(task.result()[key] >= written for key in keys)


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_everybody_gets_an_answer_or_a_failure(seed: int) -> None:
    crowd = Crowd(seed)
    for _ in range(400):
        await crowd.step()
    while not all(task.done() for task in crowd.asked):
        crowd.end_read()
        await settle()
    for task in crowd.asked:
        crowd.check(task)
    assert len(crowd.store.reads) < len(crowd.asked)
