"""What feeds pass on is counted, once per batch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from hub import metrics
from hub.delivery.feed import Feed
from hub.delivery.members import Subscriber
from hub.delivery.message import Message, Reset
from hub.delivery.witness import Witness
from hub.domain import times
from hub.domain.events import Event, Position


def event(offset: int, ago: float = 0.0) -> bytes:
    """An event that was accepted so many seconds ago."""
    return Event(
        id=f"0197{offset:04d}-0000-7000-8000-000000000000",
        channel="job:j1",
        epoch="e1",
        offset=offset,
        type="T",
        data={},
        timestamp=times.now() - timedelta(seconds=ago),
    ).encode()


class Client:
    """The first one leaves with its last event, as a stream of a job does."""

    def __init__(self, leaves: Feed | None) -> None:
        self._feed = leaves

    def deliver(self, messages: Sequence[Message]) -> None:
        if self._feed is not None and messages[-1].offset == 4:
            self._feed.leave(self)

    def reset(self, notice: Reset) -> None:
        raise AssertionError(notice)


def followed(witness: Witness, followers: int) -> Feed:
    """A feed that so many follow."""
    feed = Feed("job:j1", lambda feed: None, witness)
    feed.begin(Position("e1", 0))
    for number in range(followers):
        client = Client(leaves=feed if number == 0 else None)
        feed.complete_join(feed.begin_join(client), Position("e1", 0))
    return feed


def test_events_deliveries_and_latencies_are_counted() -> None:
    events, deliveries = metrics.EVENTS.total, metrics.DELIVERIES.total
    before = metrics.LATENCY.counts()
    feed = followed(Witness(), 3)
    feed.hear("e1", 1, [event(1), event(2, ago=2.0)])
    assert metrics.EVENTS.total - events == 2
    assert metrics.DELIVERIES.total - deliveries == 6
    seen = [new - old for new, old in zip(metrics.LATENCY.counts(), before, strict=True)]
    assert sum(seen) == 2
    assert seen[metrics.BOUNDS.index(2.5)] == 2  # as late as the last one of the batch
    feed.hear("e1", 1, [event(1)])  # a repeat is passed on to nobody
    assert metrics.DELIVERIES.total - deliveries == 6


def test_what_nobody_follows_is_not_counted() -> None:
    events, before = metrics.EVENTS.total, metrics.LATENCY.counts()
    followed(Witness(), 0).hear("e1", 1, [event(1)])
    assert (metrics.EVENTS.total, metrics.LATENCY.counts()) == (events, before)


def test_who_looks_sees_the_events_and_whom_they_went_to() -> None:
    seen: list[tuple[list[int], int]] = []

    def look(messages: Sequence[Message], members: Collection[Subscriber]) -> None:
        seen.append(([message.offset for message in messages], len(members)))

    witness = Witness()
    feed = followed(witness, 2)
    feed.hear("e1", 1, [event(1)])
    witness.look = look
    feed.hear("e1", 2, [event(2), event(3)])
    feed.hear("e1", 4, [event(4)])
    witness.look = None
    feed.hear("e1", 5, [event(5)])
    assert seen == [([2, 3], 2), ([4], 2)]
