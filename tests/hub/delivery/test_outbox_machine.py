"""The outbox against a plain list, through any order of calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.delivery.outbox import Entry, Outbox

CHANNELS = (None, "job:1", "job:2", "user:1")
sizes = st.integers(0, 12)


@dataclass(eq=False)
class Later:
    """A packet that is made when its turn comes."""

    size: int
    channel: str | None
    turn: Callable[[], int]
    made: bytes | None = None

    def __len__(self) -> int:
        return self.size

    def encode(self) -> bytes:
        assert self.made is None, "made twice"
        self.made = b"%d" % self.turn()
        return self.made


class OutboxMachine(RuleBasedStateMachine):
    """``waiting``: what the outbox ought to hold; ``asks``: of each of it, who asked what becomes
    of it. ``backlog``: how many bytes in front of it do not count against the limit."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(1)
        self.waiting: list[Entry] = []
        self.asks: list[list[list[bool]]] = []
        self.open: list[list[bool]] = []
        self.backlog = 0
        self.turns = 0

    @initialize(limit=st.integers(1, 30))
    def begin(self, limit: int) -> None:
        self.outbox = Outbox(limit)

    def turn(self) -> int:
        self.turns += 1
        return self.turns

    def offer(self, entry: Entry, *, open_to_all: bool = False) -> None:
        size = sum(map(len, self.waiting))
        fits = open_to_all or not self.waiting
        fits = fits or size + len(entry) <= self.outbox.limit + self.backlog
        assert self.outbox.offer(entry) is fits
        if fits:
            self.waiting.append(entry)
            self.asks.append([])

    def answered(self, asked: list[list[list[bool]]], *, written: bool) -> None:
        """Whoever asked was told once, and nobody else was."""
        for answer in (answer for answers in asked for answer in answers):
            assert answer == [written]
            self.open = [each for each in self.open if each is not answer]
        assert all(each == [] for each in self.open)

    @rule()
    def ask(self) -> None:
        if self.waiting:
            answer: list[bool] = []
            self.outbox.tell_of_last(answer.append)
            self.asks[-1].append(answer)
            self.open.append(answer)

    @rule(size=sizes)
    def offer_bytes(self, size: int) -> None:
        self.offer(b"x" * size)

    @rule(size=sizes, channel=st.sampled_from(CHANNELS))
    def offer_pending(self, size: int, channel: str | None) -> None:
        self.offer(Later(size, channel, self.turn))

    @rule(given=st.lists(st.tuples(sizes, st.sampled_from(CHANNELS)), max_size=6))
    def replay(self, given: list[tuple[int, str | None]]) -> None:
        with self.outbox.backlog():
            for size, channel in given:
                self.offer(Later(size, channel, self.turn), open_to_all=True)
        self.backlog = sum(map(len, self.waiting))

    @rule(given=st.lists(sizes, max_size=3))
    def replay_that_fails(self, given: list[int]) -> None:
        with pytest.raises(RuntimeError), self.outbox.backlog():  # noqa: PT012
            for size in given:
                self.offer(b"x" * size, open_to_all=True)
            raise RuntimeError
        self.backlog = sum(map(len, self.waiting))

    @rule(at_most=st.integers(0, 40))
    def take(self, at_most: int) -> None:
        turns = self.turns
        taken = self.outbox.take(at_most)
        expected, self.waiting = self.waiting[: len(taken)], self.waiting[len(taken) :]
        for entry, got in zip(expected, taken, strict=True):
            if isinstance(entry, Later):
                turns += 1
                assert got == entry.made == b"%d" % turns, "made in another order"
            else:
                assert got is entry
        assert self.turns == turns, "more was made than taken"
        asked, self.asks = self.asks[: len(taken)], self.asks[len(taken) :]
        self.answered(asked, written=True)
        size = sum(map(len, expected))
        self.backlog = max(0, self.backlog - size)
        assert size <= at_most or len(taken) == 1
        assert not self.waiting or (taken and size + len(self.waiting[0]) > at_most)

    @rule(gone=st.sets(st.sampled_from(["job:1", "job:2", "user:1"])))
    def withdraw(self, gone: set[str]) -> None:
        lost = [each for each in self.waiting if isinstance(each, Later) and each.channel in gone]
        kept = [each not in lost for each in self.waiting]
        dropped = [each for each, stays in zip(self.asks, kept, strict=True) if not stays]
        self.asks = [each for each, stays in zip(self.asks, kept, strict=True) if stays]
        self.waiting = [each for each, stays in zip(self.waiting, kept, strict=True) if stays]
        asked: set[str] = set()

        def gives_way(channel: str) -> bool:
            asked.add(channel)
            return channel in gone

        assert self.outbox.withdraw(gives_way) == {each.channel for each in lost}
        assert asked <= set(CHANNELS) - {None}
        assert all(each.made is None for each in lost)
        self.answered(dropped, written=False)
        self.backlog = min(self.backlog, sum(map(len, self.waiting)))

    @rule()
    def clear(self) -> None:
        self.outbox.clear()
        dropped, self.asks = self.asks, []
        self.waiting, self.backlog = [], 0
        self.answered(dropped, written=False)

    @rule()
    def end(self) -> None:
        words = self.outbox.last_words()
        for word, entry in zip(words, self.waiting, strict=True):
            assert word == (entry.made if isinstance(entry, Later) else entry)
        dropped, self.asks = self.asks, []
        self.waiting, self.backlog = [], 0
        self.answered(dropped, written=False)

    @invariant()
    def it_holds_what_it_ought_to(self) -> None:
        assert self.outbox.bytes == sum(map(len, self.waiting))
        assert bool(self.outbox) is bool(self.waiting)
        assert (self.outbox._entries is None) is (not self.waiting), "memory for nothing"
        assert self.outbox._told is None or self.waiting, "memory for nothing"


OutboxMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestOutbox = OutboxMachine.TestCase
