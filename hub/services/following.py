"""Following channels: bringing a subscriber up to date and keeping it so, without gap or repeat.

A subscriber joins in four steps: it is registered as joining (what comes live is kept for it); the
end of the log is read; what it missed up to there is read and handed over; it goes live above that.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hub.broker.hotlog import Batch
from hub.broker.live import LiveChannels
from hub.delivery.feed import START, Feed, Subscriber
from hub.delivery.message import Reset
from hub.delivery.witness import Witness
from hub.domain import codes
from hub.domain.events import Position
from hub.services.catchup import CatchUp
from hub.services.gaps import Gaps, go_on_from, reset_to
from hub.services.joining import HandOver, Join, Joined, Mode, Wanted, at_end, missed
from hub.services.patience import FAILURES, patiently, unavailable
from hub.stores.heads import Head, Heads

__all__ = ["Following", "HandOver", "Joined", "Mode", "Wanted"]

_JOIN_ATTEMPTS: Final = 10
Result = TypeVar("Result")


class Following:
    """The feeds of this node. Without ``run``, which owns every task, nothing can be joined."""

    def __init__(self, heads: Heads, catch_up: CatchUp, witness: Witness | None = None) -> None:
        self._heads = heads
        self._catch_up = catch_up
        self._witness = witness or Witness()
        self._feeds: dict[str, Feed] = {}
        self._gaps = Gaps(heads, catch_up, self._feeds)
        self._running: _Running | None = None

    @property
    def channels(self) -> int:
        """How many channels this node follows."""
        return len(self._feeds)

    def position(self, channel: str) -> Position:
        """Where a channel that is followed here stands; raises ``KeyError`` for another one."""
        return self._feeds[channel].position

    def names(self, prefix: str) -> list[str]:
        """The channels that are followed here and whose name begins so."""
        return [name for name in self._feeds if name.startswith(prefix)]

    def followers(self, channel: str) -> list[Subscriber]:
        """Who is live on a channel here."""
        feed = self._feeds.get(channel)
        return [] if feed is None else feed.followers

    async def run(self, live: LiveChannels) -> None:
        """Serves until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._running = _Running(live, tasks)
                tasks.create_task(live.run())
        finally:
            self._running = None

    def on_batch(self, batch: Batch) -> None:
        """Takes what the live connection heard."""
        if feed := self._feeds.get(batch.channel):
            feed.hear(batch.epoch, batch.first, batch.envelopes)

    def on_restored(self) -> None:
        """After the live connection was away: looks up how far every log got meanwhile."""
        if self._running is not None:
            self._running.tasks.create_task(self._gaps.look_up())

    async def join(
        self, subscriber: Subscriber, wanted: Sequence[Wanted], hand_over: HandOver
    ) -> None:
        """Makes ``subscriber`` follow channels: all of them, or none when it raises.

        One that follows a channel already is given nothing of it until it has joined it again.
        Raises ``HubError`` UNAVAILABLE when a store is out of reach.
        """
        joins = [Join(self._feed(each.channel), subscriber, each, hand_over) for each in wanted]
        try:
            await self._complete(joins)
        except BaseException:
            for join in joins:
                self._leave(join.feed, subscriber)
            raise

    async def summary(self, channel: str) -> Reset:
        """Where the log of a channel is now, of a job with the snapshot: for a connection that
        dropped events of it, still follows it, and goes on from there (contract section 4).

        Everything delivered before the call lies at or before that offset. What is delivered
        during the call may lie beyond: the connection keeps it, and passes on what is later than
        the answer. If the log began anew, all who follow the channel here get their reset first.

        Raises ``HubError`` UNAVAILABLE when MongoDB is out of reach.
        """
        feed = self._feeds.get(channel) or Feed(channel, self._on_gap)
        epoch = feed.epoch
        async with patiently():
            head = await self._heads.get(channel)
        if head is None:  # the job's retention ended
            return Reset(channel, feed.epoch, feed.offset)
        if feed.begun and feed.epoch == epoch != head.epoch:
            go_on_from(feed, head)
        return reset_to(head)

    def leave(self, subscriber: Subscriber, channel: str) -> None:
        """Stops following; harmless when it does not follow."""
        if feed := self._feeds.get(channel):
            self._leave(feed, subscriber)

    def _feed(self, channel: str) -> Feed:
        feed = self._feeds.get(channel)
        if feed is None:
            feed = self._feeds[channel] = Feed(channel, self._on_gap, self._witness)
        return feed

    def _leave(self, feed: Feed, subscriber: Subscriber) -> None:
        feed.leave(subscriber)
        if feed.deserted and self._feeds.get(feed.channel) is feed:
            del self._feeds[feed.channel]
            if self._running is not None:
                self._running.live.unfollow(feed.channel)

    def _on_gap(self, feed: Feed) -> None:
        if self._running is not None:
            self._gaps.fill(feed, self._running.tasks)

    async def _complete(self, joins: Sequence[Join]) -> None:
        try:
            await self._hear([join.feed for join in joins if not join.feed.begun])
            for _ in range(_JOIN_ATTEMPTS):
                joins = await self._bring_up_to_date(joins)
                if not joins:
                    return
        except FAILURES as error:
            raise unavailable() from error
        channel = joins[0].feed.channel
        raise codes.HubError(codes.UNAVAILABLE, f"{channel} moves too fast", retry_after=1)

    async def _hear(self, feeds: Sequence[Feed]) -> None:
        """Returns once everything published on the channels from now on is heard."""
        if not feeds:
            return
        if self._running is None:
            raise codes.HubError(codes.UNAVAILABLE, retry_after=1)
        live = self._running.live
        await _all([live.follow(feed.channel) for feed in feeds])

    async def _bring_up_to_date(self, joins: Sequence[Join]) -> list[Join]:
        """Reads where the logs end, and completes the joins; returns those that are to try again.

        One look at the store answers for all channels, and for those of other subscribers who ask
        in this moment (``Heads.get_all``).
        """
        for join in joins:
            join.look()
        heads = await self._heads.get_all([join.feed.channel for join in joins])
        replays, again = [], []
        for join in joins:
            channel = join.feed.channel
            head = heads.get(channel) or Head(channel, START.epoch)
            if join.wanted.replays:
                replays.append(self._replay(join, head))
            elif not join.complete(at_end(head), head):
                again.append(join)
        if replays:
            again += [join for join in await _all(replays) if join is not None]
        return again

    async def _replay(self, join: Join, head: Head) -> Join | None:
        """Reads what was missed and completes; the join if that is to be tried again."""
        joined = await missed(self._catch_up, join.wanted, head)
        return None if join.complete(joined, head) else join


@dataclass(frozen=True, slots=True)
class _Running:
    """What exists only while the service runs."""

    live: LiveChannels
    tasks: asyncio.TaskGroup


async def _all(work: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Runs all of ``work`` to its end, also when some of it fails, and raises the first failure."""
    if len(work) == 1:
        return [await work[0]]
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
