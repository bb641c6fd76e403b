"""One subscriber joining one channel: what it lacks, and the moment in which it goes live."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from hub import metrics
from hub.delivery.feed import Feed, Subscriber
from hub.domain import times
from hub.domain.events import Encoded, Position
from hub.domain.jobs import Job
from hub.domain.snapshot import snapshot
from hub.services.catchup import CatchUp
from hub.services.gaps import go_on_from
from hub.stores.heads import Head

REPLAYED_AT_MOST: Final = 1000
"""Events handed over by one join; who missed more starts from the snapshot."""


class Mode(StrEnum):
    """How a join answered what the client said it had (contract section 4)."""

    FRESH = "FRESH"
    REPLAYED = "REPLAYED"
    RESET = "RESET"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A channel to follow. ``since``: what the client has. None is nothing: then the log is
    replayed from its beginning when ``history``, and not at all otherwise."""

    channel: str
    since: Position | None = None
    history: bool = False

    @property
    def replays(self) -> bool:
        """Whether anything before the join is asked for."""
        return self.since is not None or self.history


@dataclass
class Joined:
    """A subscriber up to ``position``. ``events``: to be handed over before anything live.
    ``page``: where those of a user's channel are gone, what the client starts from instead."""

    channel: str
    position: Position
    mode: Mode = Mode.FRESH
    events: list[Encoded] = field(default_factory=list)
    job: Job | None = None
    page: dict[str, Any] | None = None

    @property
    def start(self) -> Position:
        """Where the first of ``events`` follows, or the end of the log when there are none."""
        return Position(self.position.epoch, self.position.offset - len(self.events))

    @cached_property
    def snapshot(self) -> dict[str, Any] | None:
        """Of a job: what it had come to at ``position``. Else ``page``."""
        return self.page if self.job is None else snapshot(self.job, self.position, times.now())


HandOver = Callable[[Joined], None]
"""Gets what a subscriber missed of a channel, in the very turn of the event loop in which the
channel goes live for it. It must not raise."""


class Join:
    """A join under way: ``look``, read the head, read what is missed, ``complete``; and all over
    again as long as that fails."""

    def __init__(
        self, feed: Feed, subscriber: Subscriber, wanted: Wanted, hand_over: HandOver
    ) -> None:
        self.feed = feed
        self.wanted = wanted
        self._subscriber = subscriber
        self._hand_over = hand_over
        self._epoch: str | None = None
        feed.begin_join(subscriber)

    def look(self) -> None:
        """To be called before the head is read: notes which log the feed is in."""
        self._epoch = self.feed.epoch if self.feed.begun else None

    def complete(self, joined: Joined, head: Head) -> bool:
        """Hands over and goes live without suspending, so that nothing gets between. If that
        leaves a gap (too much came meanwhile, or the log began anew), it is to try again."""
        feed, subscriber = self.feed, self._subscriber
        joining = feed.joining(subscriber)
        if joining is None:
            return True  # it left meanwhile
        if not feed.begun:
            feed.begin(joined.position)
        if not feed.covers(joining, joined.position):
            if self._epoch == feed.epoch != head.epoch:
                go_on_from(feed, head)  # read later than the feed's epoch: it is the newer one
            feed.begin_join(subscriber)
            return False
        metrics.REPLAYS.add(1, joined.mode)
        self._hand_over(joined)
        if feed.joining(subscriber) is joining:  # else handing over made it leave
            feed.complete_join(joining, joined.position)
        return True


async def missed(catch_up: CatchUp, wanted: Wanted, head: Head) -> Joined:
    """What a client that has ``wanted.since`` lacks to be where the log ends."""
    joined = at_end(head)
    if not wanted.replays:
        return joined
    events = None
    if (start := _start(wanted.since, head)) is not None:
        events = await catch_up.up_to(head.channel, start, head.offset, limit=REPLAYED_AT_MOST)
    if events is not None:
        joined.events = events
        joined.mode = Mode.FRESH if wanted.since is None else Mode.REPLAYED
    elif wanted.since is not None:
        joined.mode = Mode.RESET
    return joined


def at_end(head: Head) -> Joined:
    """What a client gets that asks for nothing of what was before."""
    return Joined(head.channel, head.position, job=head.job)


def _start(since: Position | None, head: Head) -> Position | None:
    """Where a replay for a client that has ``since`` begins; None when its position means nothing
    in this log. Offset 0 is before the first event of any epoch."""
    if since is None or since.offset == 0:
        return Position(head.epoch, 0)
    if since.epoch != head.epoch or since.offset > head.offset:
        return None
    return since
