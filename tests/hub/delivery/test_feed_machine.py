"""Invariant 2 under every order of events: each subscriber sees offsets rise by one from where it
stood, none lost, none twice, unless it is told by a reset; and in the end all stand at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.delivery.feed import START, Feed, Joining
from hub.delivery.message import Reset
from hub.domain.events import Encoded, Position
from tests.hub.delivery.recorder import Recorder, encoded, envelope

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
class Join:
    """A join under way. ``read``: the end of the log and what was missed, once it was read."""

    recorder: Recorder
    since: Position | None
    joining: Joining
    read: tuple[Position, list[Encoded]] | None = None


@dataclass
class Filling:
    """A fill under way: what was read for which position, and where the log ended then."""

    position: Position
    page: list[Encoded]
    head: Position


@dataclass
class Wire:
    """Live batches (epoch, first, last): on their way, and those that were heard once."""

    waiting: list[tuple[str, int, int]] = field(default_factory=list)
    old: list[tuple[str, int, int]] = field(default_factory=list)


picks = st.integers(0, 5)


class FeedMachine(RuleBasedStateMachine):
    @initialize(exists=st.booleans())
    def start(self, exists: bool) -> None:
        self.log = Log("e0", 0, 3) if exists else Log()
        self.epochs = 0
        self.wire = Wire()
        self.gaps = 0
        self.feed = Feed("job:j1", self.on_gap)
        self.joins: list[Join] = []
        self.live: list[Recorder] = []
        self.gone: list[tuple[Recorder, Position]] = []
        self.fillings: list[Filling] = []
        self.names = 0

    def on_gap(self, feed: Feed) -> None:
        assert feed is self.feed
        assert feed.missing
        self.gaps += 1

    # -- the log and the live channel -------------------------------------------------------------

    @rule(count=st.integers(1, 4))
    def publish(self, count: int) -> None:
        if self.log.epoch == START.epoch:
            self.log.epoch = "e0"
        first = self.log.end + 1
        self.log.end += count
        self.wire.waiting.append((self.log.epoch, first, self.log.end))

    @rule()
    def begin_log_anew(self) -> None:
        self.epochs += 1
        self.log = Log(f"e{self.epochs}")

    @rule(keep=st.integers(0, 2))
    def trim(self, keep: int) -> None:
        self.log.start = max(self.log.start, self.log.end - keep)

    @precondition(lambda self: self.wire.waiting)
    @rule()
    def hear(self) -> None:
        self._hear(0)

    @precondition(lambda self: len(self.wire.waiting) > 1)
    @rule(pick=picks)
    def hear_out_of_order(self, pick: int) -> None:
        self._hear(pick % len(self.wire.waiting))

    @precondition(lambda self: self.wire.waiting)
    @rule(pick=picks)
    def lose(self, pick: int) -> None:
        self.wire.waiting.pop(pick % len(self.wire.waiting))

    @precondition(lambda self: self.wire.old)
    @rule(pick=picks)
    def hear_again(self, pick: int) -> None:
        self._pass(self.wire.old[pick % len(self.wire.old)])

    @precondition(lambda self: self.feed.begun)
    @rule()
    def look_up(self) -> None:
        """What happens once a broken live connection is back."""
        if self.log.epoch != START.epoch:
            self.feed.expect(self.log.position)

    def _hear(self, index: int) -> None:
        batch = self.wire.waiting.pop(index)
        self.wire.old.append(batch)
        self._pass(batch)

    def _pass(self, batch: tuple[str, int, int]) -> None:
        epoch, first, last = batch
        self.feed.hear(epoch, first, [envelope(epoch, each) for each in range(first, last + 1)])

    # -- filling gaps -----------------------------------------------------------------------------

    @precondition(lambda self: self.feed.missing and not self.fillings)
    @rule(size=st.integers(1, 4))
    def read_for_fill(self, size: int) -> None:
        position = self.feed.position
        upto = min(self.feed.target, position.offset + size)
        page = self.log.page(position, upto)
        self.fillings.append(Filling(position, page, self.log.position))

    @precondition(lambda self: self.fillings)
    @rule()
    def fill(self) -> None:
        """As ``Following`` fills: a page, or a reset where there is none."""
        filling = self.fillings.pop()
        if self.feed.epoch != filling.position.epoch:
            return
        if filling.page:
            self.feed.fill(filling.page)
        elif self.feed.position == filling.position:
            head = filling.head
            self.feed.skip_to(Reset("job:j1", head.epoch, head.offset))

    # -- subscribers ------------------------------------------------------------------------------

    @precondition(lambda self: len(self.live) + len(self.joins) < 5)
    @rule(epoch=st.sampled_from(["e0", "e1", "current"]), offset=st.integers(0, 12))
    def join(self, epoch: str, offset: int) -> None:
        self.names += 1
        since = Position(self.log.epoch if epoch == "current" else epoch, offset)
        self._join(Recorder(f"subscriber {self.names}"), since)

    @precondition(lambda self: self.gone)
    @rule(pick=picks)
    def return_with_position(self, pick: int) -> None:
        self._join(*self.gone.pop(pick % len(self.gone)))

    @precondition(lambda self: self.joins)
    @rule(pick=picks)
    def read_missed(self, pick: int) -> None:
        self._read(self.joins[pick % len(self.joins)])

    @precondition(lambda self: any(each.read for each in self.joins))
    @rule(pick=picks)
    def complete(self, pick: int) -> None:
        ready = [each for each in self.joins if each.read]
        self._complete(ready[pick % len(ready)])

    @precondition(lambda self: self.joins)
    @rule(pick=picks)
    def give_up_joining(self, pick: int) -> None:
        self.feed.leave(self.joins.pop(pick % len(self.joins)).recorder)

    @precondition(lambda self: self.live)
    @rule(pick=picks)
    def leave(self, pick: int) -> None:
        recorder = self.live.pop(pick % len(self.live))
        self.feed.leave(recorder)
        assert recorder.position is not None
        self.gone.append((recorder, recorder.position))
        recorder.stop()

    def _join(self, recorder: Recorder, since: Position) -> None:
        self.joins.append(Join(recorder, since, self.feed.begin_join(recorder)))

    def _read(self, join: Join) -> None:
        """As ``Following`` reads: from its position, or from the end where that means nothing."""
        end, since = self.log.position, join.since
        if since is not None and since.offset == 0:
            since = Position(end.epoch, 0)
        known = since is not None and since.epoch == end.epoch and since.offset <= end.offset
        missed = self.log.page(since, end.offset) if known and since is not None else []
        if since is not None and len(missed) != end.offset - since.offset:
            missed = []
        join.read = (end, missed)

    def _complete(self, join: Join) -> None:
        assert join.read is not None
        position, missed = join.read
        if not self.feed.begun:
            self.feed.begin(position)
        if not self.feed.covers(join.joining, position):
            join.joining, join.read = self.feed.begin_join(join.recorder), None
            return
        self.joins.remove(join)
        self.live.append(join.recorder)
        join.recorder.begin(Position(position.epoch, position.offset - len(missed)), missed)
        self.feed.complete_join(join.joining, position)

    # -- what must hold ---------------------------------------------------------------------------

    @invariant()
    def nobody_is_beyond_the_log_or_forgotten(self) -> None:
        assert self.feed.deserted == (not self.live and not self.joins)
        for each in self.live:
            assert each.position is not None
            if each.position.epoch == self.log.epoch:
                assert each.position.offset <= self.log.end

    @invariant()
    def members_of_a_feed_without_gap_are_not_behind_it(self) -> None:
        for each in self.live:
            assert each.position is not None
            if each.position.epoch == self.feed.epoch:
                assert each.position.offset >= self.feed.offset

    def teardown(self) -> None:
        """The live connection is back, what is missing is read: then everybody is at the end."""
        if not hasattr(self, "feed"):
            return
        for _ in range(4):
            if self.feed.begun:
                self.look_up()
                self._fill_up()
            for join in list(self.joins):
                self._read(join)
                self._complete(join)
        assert not self.joins
        for each in self.live:
            assert each.position is not None
            assert each.position.offset == self.log.end, each
            if self.log.end > 0:  # before its first event a log is the same in any epoch
                assert each.position.epoch == self.log.epoch

    def _fill_up(self) -> None:
        for _ in range(_FILLS_AT_MOST):
            if self.fillings:
                self.fill()
            if not self.feed.missing:
                return
            self.read_for_fill(3)
        raise AssertionError(f"still missing {self.feed.target} at {self.feed.position}")


# Making a found failure short takes minutes: add Phase.shrink while working on one.
FeedMachine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestFeedMachine = FeedMachine.TestCase
