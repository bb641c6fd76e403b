"""A feed: one channel as this node follows it, and the connections that follow it here.

It keeps the promise of order: a feed knows the offset it stands at and passes on only the next
one. What it has seen already it drops; when something is missing it stands still, and whoever owns
it reads the missing part from the log (``missing``, ``on_gap``).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from hub import metrics
from hub.delivery.members import Members, Subscriber
from hub.delivery.message import Message, Reset, Run
from hub.delivery.witness import Witness
from hub.domain.events import Encoded, Position

__all__ = ["START", "Feed", "Subscriber"]

START: Final = Position("0", 0)
"""The position before the first event of a channel that has none yet."""

_JOINING_KEPT: Final = 4 * 1024 * 1024  # bytes; they are the same for all who join just now


@dataclass(eq=False, slots=True)
class Joining:
    """A subscriber that is being brought up to date: what comes meanwhile is kept for it.

    ``began``: where the feed stood, None while it knows that not itself; everything that came
    after it is kept.
    """

    subscriber: Subscriber
    began: Position | None
    kept: list[Message] = field(default_factory=list)
    bytes: int = 0
    overflowed: bool = False


@dataclass(frozen=True, slots=True)
class Lack:
    """What a feed at ``position`` waits for. ``target``: how far its log is known to reach.
    ``unplaced``: the end of a log, told of last, that may be another one: only the store can say
    which one is the channel's now."""

    position: Position
    target: int
    unplaced: Position | None


class Feed:
    """The state of one followed channel. Every method runs without suspension."""

    __slots__ = (
        "_ahead", "_joining", "_members", "_on_gap", "_target", "_unplaced", "_witness",
        "begun", "channel", "epoch", "offset",
    )  # fmt: skip

    def __init__(
        self, channel: str, on_gap: Callable[["Feed"], None], witness: Witness | None = None
    ) -> None:
        self.channel = channel
        self.epoch = START.epoch
        self.offset = START.offset
        self.begun = False
        self._target = 0
        self._unplaced: Position | None = None
        self._on_gap = on_gap
        self._members = Members()
        self._witness = witness or Witness()
        self._joining: dict[Subscriber, Joining] = {}
        self._ahead: dict[Subscriber, int] = {}

    @property
    def position(self) -> Position:
        """Where the feed stands."""
        return Position(self.epoch, self.offset)

    @property
    def missing(self) -> bool:
        """Whether there is, or may be, more than what the feed has passed on."""
        return self.begun and (self.offset < self._target or self._unplaced is not None)

    @property
    def lack(self) -> Lack:
        """What it waits for now."""
        return Lack(self.position, self._target, self._unplaced)

    @property
    def _virgin(self) -> bool:
        """Whether the channel had no log yet when last looked at."""
        return self.begun and self.offset == START.offset and self.epoch == START.epoch

    @property
    def deserted(self) -> bool:
        """Whether nobody follows any more."""
        return not (self._members or self._joining or self._ahead)

    @property
    def followers(self) -> list[Subscriber]:
        """Those who are live, and have been told so."""
        return [*self._members, *self._ahead]

    def begin(self, position: Position) -> None:
        """Sets where the feed starts; until then it only notes what it hears."""
        self.begun = True
        self.epoch, self.offset = position.epoch, position.offset
        for joining in self._joining.values():
            joining.began = position
        self._report()

    def hear(self, epoch: str, first: int, envelopes: Sequence[bytes]) -> None:
        """Takes what came live: passes the next events on, drops repeats, reports gaps."""
        if first == 1 and self._virgin:
            self.epoch = epoch  # the channel's very first events
        next_one = self.offset + 1
        if epoch != self.epoch or first > next_one or not self.begun or self.missing:
            self.expect(Position(epoch, first + len(envelopes) - 1))
            return
        fresh = envelopes if first == next_one else envelopes[next_one - first :]
        self._pass_on([Encoded(offset, each) for offset, each in enumerate(fresh, next_one)])

    def expect(self, end: Position) -> None:
        """Notes that a log reaches ``end``, and reports a gap if that is not here yet."""
        if self._virgin:
            self.epoch = end.epoch  # the log begins only now: nothing to reset
        if self.begun and end.epoch == self.epoch:
            self._target = max(self._target, end.offset)
        else:
            self._unplaced = end
        self._report()

    def fill(self, events: Iterable[Encoded]) -> None:
        """Takes events read from the log, which follow where the feed stands."""
        next_ones: list[Encoded] = []
        for event in events:
            if event.offset == self.offset + len(next_ones) + 1:
                next_ones.append(event)
        self._pass_on(next_ones)

    def forget(self, lack: Lack) -> None:
        """Stops waiting for what it lacked before the store was asked, which has said by now what
        there is. What the feed was told of since is not forgotten."""
        if self._target == lack.target:
            self._target = self.offset
        if self._unplaced is lack.unplaced:  # else told again, perhaps of the same place
            self._unplaced = None

    def skip_to(self, notice: Reset) -> None:
        """Gives up what cannot be read any more: whoever lacks it is told, and goes on from there.
        What is known to come after that is still missing then."""
        same_log = notice.epoch == self.epoch
        lacking = [each for each, has in self._ahead.items() if not same_log or has < notice.offset]
        told = [*self._members, *lacking]
        for subscriber in lacking:
            del self._ahead[subscriber]
            self._members.add(subscriber)
        for joining in self._joining.values():
            joining.overflowed = True
        self._target = max(notice.offset, self._target if same_log else 0)
        self.epoch, self.offset = notice.epoch, notice.offset
        metrics.RESETS.add()
        for subscriber in told:
            subscriber.reset(notice)
        self._report()

    def begin_join(self, subscriber: Subscriber) -> Joining:
        """Registers a subscriber whose missed events are about to be read. One that follows
        already is delivered nothing from now on until it has joined again."""
        self._members.discard(subscriber)
        self._ahead.pop(subscriber, None)
        joining = Joining(subscriber, self.position if self.begun else None)
        self._joining[subscriber] = joining
        return joining

    def covers(self, joining: Joining, position: Position) -> bool:
        """Whether a subscriber that has everything up to ``position`` can go live without a gap.
        If not (too much came meanwhile, or the log began anew), join and read again."""
        return (
            not joining.overflowed
            and joining.began is not None
            and position.epoch == self.epoch
            and position.offset >= joining.began.offset
        )

    def complete_join(self, joining: Joining, position: Position) -> None:
        """Lets a subscriber, who has everything up to ``position``, go live."""
        subscriber = joining.subscriber
        del self._joining[subscriber]
        if position.offset > self.offset:
            self._ahead[subscriber] = position.offset
            return
        self._members.add(subscriber)  # first: delivering may make it leave again
        rest = [message for message in joining.kept if message.offset > position.offset]
        if rest:
            subscriber.deliver(rest)

    def joining(self, subscriber: Subscriber) -> Joining | None:
        """The join of ``subscriber`` that is under way."""
        return self._joining.get(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Forgets a subscriber, wherever it stands."""
        self._members.discard(subscriber)
        self._joining.pop(subscriber, None)
        self._ahead.pop(subscriber, None)

    def _pass_on(self, events: Sequence[Encoded]) -> None:
        """Hands everyone the next events of the log, together: one write per connection."""
        if not events:
            return
        self.offset = events[-1].offset
        messages = Run([Message(self.channel, self.epoch, event) for event in events])
        count = len(self._members)  # some leave when they have got the last event
        told = [*self._members] if self._witness.look is not None else ()
        self._members.deliver(messages)
        self._witness.saw(messages, count, told)
        if self._joining:
            for joining in self._joining.values():
                _keep(joining, messages)
        if self._ahead:
            self._catch_up(messages)

    def _catch_up(self, messages: Sequence[Message]) -> None:
        """Those who had read further than the feed become members where it reaches them."""
        reached = [item for item in self._ahead.items() if item[1] <= self.offset]
        for subscriber, offset in reached:
            del self._ahead[subscriber]
            self._members.add(subscriber)
            if rest := [message for message in messages if message.offset > offset]:
                subscriber.deliver(rest)

    def _report(self) -> None:
        if self.missing:
            self._on_gap(self)


def _keep(joining: Joining, messages: Sequence[Message]) -> None:
    joining.bytes += sum(map(len, messages))
    if joining.bytes > _JOINING_KEPT:
        joining.overflowed = True
        joining.kept.clear()
    elif not joining.overflowed:
        joining.kept.extend(messages)
