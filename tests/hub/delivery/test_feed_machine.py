"""Invariant 2 under every order of events: each subscriber sees offsets rise by one from where it
stood, none lost, none twice, unless it is told by a reset; and in the end all stand at the end.

Thousands of short random lives of one feed: what goes wrong only in a rare order of five or six
steps takes that many. A life that fails is made shorter before it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from hub.delivery.feed import START, Feed, Lack
from hub.domain import jobs
from hub.domain.events import Encoded, Position
from hub.services.gaps import resolve
from hub.services.joining import Join, Joined, Mode, Wanted
from hub.stores.heads import Head
from tests.hub.delivery.recorder import Recorder, encoded, envelope
from tests.hub.domain import samples

_LIVES = 2000
_FILLS_AT_MOST = 200


@dataclass
class Log:
    """What is stored: events from ``start`` + 1 to ``end`` of one epoch."""

    epoch: str = START.epoch
    start: int = 0
    end: int = 0

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.end)

    def page(self, position: Position, upto: int) -> list[Encoded]:
        """As ``CatchUp.page``: empty when the very next event is not there."""
        if position.epoch != self.epoch or position.offset < self.start:
            return []
        return encoded(self.epoch, position.offset + 1, min(upto, self.end))


@dataclass(eq=False)
class Joiner:
    """A subscriber that joins. ``read``: the end of the log and what was missed, once read."""

    recorder: Recorder
    join: Join
    read: tuple[Joined, Head] | None = None


@dataclass
class Filling:
    """A fill under way: what the feed lacked, the page that was read for it, then the head."""

    lack: Lack
    page: list[Encoded]
    head: Head | None = None


@dataclass
class Wire:
    """Live batches (epoch, first, last): on their way, and those that were heard once."""

    waiting: list[tuple[str, int, int]] = field(default_factory=list)
    old: list[tuple[str, int, int]] = field(default_factory=list)


class Life:
    """A log, a feed that follows it, and its subscribers. Every step can be taken at any time; one
    that makes no sense at the time does nothing."""

    def __init__(self, exists: bool, of_job: bool) -> None:
        self.job = jobs.started(samples.job_started(), samples.T0) if of_job else None
        self.log = Log("e00", 0, 3) if exists else Log()
        self.feed = Feed("job:j1", self.on_gap)
        self.told = 0
        self.latest = self.feed.epoch
        self.epochs = 0
        self.wire = Wire()
        self.joins: list[Joiner] = []
        self.live: list[Recorder] = []
        self.gone: list[tuple[Recorder, Position]] = []
        self.fillings: list[Filling] = []
        self.names = 0

    def on_gap(self, feed: Feed) -> None:
        assert feed is self.feed
        assert feed.missing

    # -- the log and the live channel -------------------------------------------------------------

    def publish(self, count: int, fate: str) -> None:
        if self.log.epoch == START.epoch:
            self.log.epoch = "e00"
        first = self.log.end + 1
        self.log.end += count
        batch = (self.log.epoch, first, self.log.end)
        if fate == "heard":
            self._pass(batch)
        elif fate == "late":
            self.wire.waiting.append(batch)

    def begin_log_anew(self, count: int, fate: str) -> None:
        self.epochs += 1
        self.told = 0
        self.log = Log(f"e{self.epochs:02d}")
        if count:
            self.publish(count, fate)

    def trim(self, keep: int) -> None:
        self.log.start = max(self.log.start, self.log.end - keep)

    def hear(self, pick: int) -> None:
        if self.wire.waiting:
            self._pass(self.wire.waiting.pop(pick % len(self.wire.waiting)))

    def hear_again(self, pick: int) -> None:
        if self.wire.old:
            self._pass(self.wire.old[pick % len(self.wire.old)])

    def look_up(self) -> None:
        """What happens once a broken live connection is back."""
        if self.feed.begun and self.log.epoch != START.epoch:
            self.feed.expect(self.log.position)

    def _pass(self, batch: tuple[str, int, int]) -> None:
        epoch, first, last = batch
        self.wire.old.append(batch)
        if epoch == self.log.epoch:
            self.told = max(self.told, last)
        self.feed.hear(epoch, first, [envelope(epoch, each) for each in range(first, last + 1)])

    # -- filling gaps -----------------------------------------------------------------------------

    def fill(self, steps: int, size: int) -> None:
        """As ``Gaps`` fills: it reads a page and takes it; where there is none it reads the head,
        and takes what that says. Between any two of these steps other things may happen."""
        for _ in range(steps):
            if self.fillings:
                self._fill()
            elif self.feed.missing:
                lack = self.feed.lack
                upto = min(lack.target, lack.position.offset + size)
                self.fillings.append(Filling(lack, self.log.page(lack.position, upto)))

    def _fill(self) -> None:
        filling = self.fillings.pop()
        if filling.lack.unplaced is None and filling.page:
            if self.feed.epoch == filling.lack.position.epoch:
                self.feed.fill(filling.page)
        elif filling.head is None:
            filling.head = self._head()
            self.fillings.append(filling)
        else:
            resolve(self.feed, filling.lack, filling.head)

    def _head(self) -> Head:
        return Head("job:j1", self.log.epoch, self.log.end, self.job)

    # -- subscribers ------------------------------------------------------------------------------

    def join(self, epoch: str, offset: int, at_once: bool) -> None:
        if len(self.live) + len(self.joins) >= 5:
            return
        self.names += 1
        since = Position(self.log.epoch if epoch == "current" else epoch, offset)
        self._join(Recorder(f"subscriber {self.names}"), since)
        if at_once:
            self._read(self.joins[-1])
            self._complete(self.joins[-1])

    def return_with_position(self, pick: int) -> None:
        if self.gone:
            self._join(*self.gone.pop(pick % len(self.gone)))

    def read_missed(self, pick: int) -> None:
        if self.joins:
            self._read(self.joins[pick % len(self.joins)])

    def complete(self, pick: int) -> None:
        ready = [each for each in self.joins if each.read]
        if ready:
            self._complete(ready[pick % len(ready)])

    def give_up_joining(self, pick: int) -> None:
        if self.joins:
            self.feed.leave(self.joins.pop(pick % len(self.joins)).recorder)

    def leave(self, pick: int) -> None:
        if not self.live:
            return
        recorder = self.live.pop(pick % len(self.live))
        self.feed.leave(recorder)
        assert recorder.position is not None
        self.gone.append((recorder, recorder.position))
        recorder.stop()

    def _join(self, recorder: Recorder, since: Position) -> None:
        def hand_over(joined: Joined) -> None:
            recorder.begin(joined.start, joined.events)

        join = Join(self.feed, recorder, Wanted("job:j1", since), hand_over)
        join.look()
        self.joins.append(Joiner(recorder, join))

    def _read(self, joiner: Joiner) -> None:
        """As ``missed`` reads: from its position, or from the end where that means nothing."""
        end, since = self.log.position, joiner.join.wanted.since
        assert since is not None
        if since.offset == 0:
            since = Position(end.epoch, 0)
        known = since.epoch == end.epoch and since.offset <= end.offset
        missed = self.log.page(since, end.offset) if known else []
        if len(missed) != end.offset - since.offset:
            missed = []
        joiner.read = (Joined("job:j1", end, Mode.REPLAYED, missed), self._head())

    def _complete(self, joiner: Joiner) -> None:
        assert joiner.read is not None
        if not joiner.join.complete(*joiner.read):
            joiner.read = None
            joiner.join.look()
            return
        self.joins.remove(joiner)
        self.live.append(joiner.recorder)

    # -- what must hold ---------------------------------------------------------------------------

    def check(self) -> None:
        """After each step."""
        assert self.feed.deserted == (not self.live and not self.joins)
        for each in self.live:
            assert each.position is not None
            if each.position.epoch == self.log.epoch:
                assert each.position.offset <= self.log.end, "beyond the log"
            if each.position.epoch == self.feed.epoch:
                assert each.position.offset >= self.feed.offset, "forgotten"
        if self.feed.begun and self.told and not self.feed.missing:
            assert self.feed.epoch == self.log.epoch
            assert self.feed.offset >= self.told, "told of more, and waits for nothing"
        assert self.feed.epoch >= self.latest, "back in a log that is over"
        self.latest = self.feed.epoch

    def end(self) -> None:
        """Nothing happens any more: who joins needs nobody else for it. Then the live connection
        is back, and what is missing is read: everybody is at the end."""
        for _ in range(3):
            for joiner in list(self.joins):
                self._read(joiner)
                self._complete(joiner)
        assert not self.joins
        self.look_up()
        self._fill_up()
        for each in self.live:
            assert each.position is not None
            assert each.position.offset == self.log.end, each
            if self.log.end > 0:  # before its first event a log is the same in any epoch
                assert each.position.epoch == self.log.epoch

    def _fill_up(self) -> None:
        for _ in range(_FILLS_AT_MOST):
            if not (self.fillings or self.feed.missing):
                return
            self.fill(1, 3)
        raise AssertionError(f"still missing: {self.feed.lack}")


Step = tuple[Callable[..., None], tuple[object, ...]]
_FATES = ["heard", "late", "lost"]
_EPOCHS = ["e00", "e01", "current"]


def step(dice: Random) -> Step:
    """One of the steps, those more often without which nothing happens."""
    pick = dice.randrange(6)
    steps: list[Step] = [
        *[(Life.publish, (dice.randint(1, 4), dice.choice(_FATES)))] * 3,
        *[(Life.fill, (dice.randint(1, 3), dice.randint(1, 4)))] * 3,
        *[(Life.join, (dice.choice(_EPOCHS), dice.randrange(12), dice.random() < 0.5))] * 2,
        (Life.begin_log_anew, (dice.randint(0, 2), dice.choice(_FATES))),
        (Life.trim, (dice.randint(0, 2),)),
        (Life.hear, (pick,)),
        (Life.hear_again, (pick,)),
        (Life.look_up, ()),
        (Life.return_with_position, (pick,)),
        (Life.read_missed, (pick,)),
        (Life.complete, (pick,)),
        (Life.give_up_joining, (pick,)),
        (Life.leave, (pick,)),
    ]
    return dice.choice(steps)


def live(exists: bool, of_job: bool, steps: Sequence[Step]) -> None:
    """One life; raises what went wrong."""
    life = Life(exists, of_job)
    for take, arguments in steps:
        take(life, *arguments)
        life.check()
    life.end()


def shortened(exists: bool, of_job: bool, steps: list[Step]) -> list[Step]:
    """The steps without those that a failing life does not need to fail."""
    for at in reversed(range(len(steps))):
        fewer = steps[:at] + steps[at + 1 :]
        try:
            live(exists, of_job, fewer)
        except Exception:  # noqa: BLE001 - whatever it is, it fails still
            steps = fewer
    return steps


@pytest.mark.parametrize("of_job", [False, True], ids=["topic", "job"])
@pytest.mark.parametrize("exists", [False, True], ids=["new log", "old log"])
def test_no_order_of_events_loses_or_repeats_anything(exists: bool, of_job: bool) -> None:
    dice = Random(f"{exists} {of_job}")
    for _ in range(_LIVES):
        steps = [step(dice) for _ in range(dice.randint(5, 40))]
        try:
            live(exists, of_job, steps)
        except Exception as error:
            short = shortened(exists, of_job, steps)
            lines = [f"{take.__name__}{arguments}" for take, arguments in short]
            error.add_note("\n".join(["in the life:", *lines]))
            raise
