"""A feed: one channel as this node follows it, and the connections that follow it here.

It keeps the promise of order: a feed knows the offset it stands at and passes on only the next
one. What it has seen already it drops; when something is missing it stands still, and whoever owns
it reads the missing part from the log (``missing``, ``on_gap``).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from hub.delivery.message import Message, Reset
from hub.domain.events import Encoded, Position

START: Final = Position("0", 0)
"""The position before the first event of a channel that has none yet."""

_JOINING_KEPT: Final = 2000


class Subscriber(Protocol):
    """A connection as a feed sees it. The methods never block and never raise: a connection that
    cannot take more deals with it by itself, out of its bounded outbox (invariant 6)."""

    def deliver(self, messages: Sequence[Message]) -> None:
        """Takes the next events of a channel, one or more."""

    def reset(self, notice: Reset) -> None:
        """Learns that its channel goes on from another place."""


@dataclass(eq=False, slots=True)
class Joining:
    """A subscriber that is being brought up to date: what comes meanwhile is kept for it.

    ``began``: where the feed stood, None while it knows that not itself; everything that came
    after it is kept.
    """

    subscriber: Subscriber
    began: Position | None
    kept: list[Message] = field(default_factory=list)
    overflowed: bool = False


class Feed:
    """The state of one followed channel. Every method runs without suspension."""

    def __init__(self, channel: str, on_gap: Callable[["Feed"], None]) -> None:
        self.channel = channel
        self.epoch = START.epoch
        self.offset = START.offset
        self.target = 0
        self.begun = False
        self._heard: Position | None = None
        self._on_gap = on_gap
        self._members: dict[Subscriber, None] = {}
        self._joining: dict[Subscriber, Joining] = {}
        self._ahead: dict[Subscriber, int] = {}

    @property
    def position(self) -> Position:
        """Where the feed stands."""
        return Position(self.epoch, self.offset)

    @property
    def missing(self) -> bool:
        """Whether events are known to exist beyond where the feed stands."""
        return self.offset < self.target

    @property
    def deserted(self) -> bool:
        """Whether nobody follows any more."""
        return not (self._members or self._joining or self._ahead)

    def begin(self, position: Position) -> None:
        """Sets where the feed starts; until then it only notes what it hears."""
        self.begun = True
        self.epoch, self.offset = position.epoch, position.offset
        for joining in self._joining.values():
            joining.began = position
        if self._heard is not None:
            self.expect(self._heard)

    def hear(self, epoch: str, first: int, envelopes: Sequence[bytes]) -> None:
        """Takes what came live: passes the next events on, drops repeats, reports gaps."""
        last = first + len(envelopes) - 1
        if not self.begun:
            self._heard = Position(epoch, last)
            return
        if self.position == START and first == 1:
            self.epoch = epoch  # the channel's very first events
        if epoch != self.epoch or first > self.offset + 1 or self.missing:
            self.expect(Position(epoch, last))
            return
        fresh = envelopes[self.offset + 1 - first :]
        self._pass_on([Encoded(self.offset + n, each) for n, each in enumerate(fresh, start=1)])

    def expect(self, end: Position) -> None:
        """Notes that the log reaches ``end``, and reports a gap if that is not here yet."""
        if not self.begun:
            self._heard = end
            return
        if end.epoch != self.epoch:
            self._change_epoch(end.epoch)
        self.target = max(self.target, end.offset)
        if self.missing:
            self._on_gap(self)

    def fill(self, events: Iterable[Encoded]) -> None:
        """Takes events read from the log, which follow where the feed stands."""
        next_ones: list[Encoded] = []
        for event in events:
            if event.offset == self.offset + len(next_ones) + 1:
                next_ones.append(event)
        self._pass_on(next_ones)

    def forget_missing(self) -> None:
        """Stops waiting for what is known to be missing: there is no log to read it from."""
        self.target = self.offset

    def skip_to(self, notice: Reset) -> None:
        """Gives up what cannot be read any more: everyone is told, and goes on from there."""
        self.epoch, self.offset, self.target = notice.epoch, notice.offset, notice.offset
        for subscriber in [*self._members, *self._ahead]:
            subscriber.reset(notice)
        self._members.update(dict.fromkeys(self._ahead))
        self._ahead.clear()
        for joining in self._joining.values():
            joining.overflowed = True

    def begin_join(self, subscriber: Subscriber) -> Joining:
        """Registers a subscriber whose missed events are about to be read."""
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
        self._members[subscriber] = None  # first: delivering may make it leave again
        rest = [message for message in joining.kept if message.offset > position.offset]
        if rest:
            subscriber.deliver(rest)

    def joining(self, subscriber: Subscriber) -> Joining | None:
        """The join of ``subscriber`` that is under way."""
        return self._joining.get(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Forgets a subscriber, wherever it stands."""
        self._members.pop(subscriber, None)
        self._joining.pop(subscriber, None)
        self._ahead.pop(subscriber, None)

    def _pass_on(self, events: Sequence[Encoded]) -> None:
        """Hands everyone the next events of the log, together: one write per connection."""
        if not events:
            return
        self.offset = events[-1].offset
        messages = [Message(self.channel, self.epoch, event) for event in events]
        for subscriber in list(self._members):
            subscriber.deliver(messages)
        for joining in self._joining.values():
            _keep(joining, messages)
        if self._ahead:
            self._catch_up(messages)

    def _catch_up(self, messages: Sequence[Message]) -> None:
        """Those who had read further than the feed become members where it reaches them."""
        reached = [item for item in self._ahead.items() if item[1] <= self.offset]
        for subscriber, offset in reached:
            del self._ahead[subscriber]
            self._members[subscriber] = None
            if rest := [message for message in messages if message.offset > offset]:
                subscriber.deliver(rest)

    def _change_epoch(self, epoch: str) -> None:
        """The log began anew. After nothing at all that is no news to anyone."""
        virgin = self.position == START
        self.epoch, self.offset, self.target = epoch, 0, 0
        for joining in self._joining.values():
            joining.overflowed = True
        if not virgin:
            self.skip_to(Reset(self.channel, epoch, 0))


def _keep(joining: Joining, messages: Sequence[Message]) -> None:
    if len(joining.kept) + len(messages) > _JOINING_KEPT:
        joining.overflowed = True
        joining.kept.clear()
    elif not joining.overflowed:
        joining.kept.extend(messages)
