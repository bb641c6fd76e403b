"""Following channels: bringing a subscriber up to date and keeping it so, without gap or repeat.

A subscriber joins in four steps: it is registered as joining (what comes live is kept for it); the
end of the log is read; what it missed up to there is read and handed over; it goes live above that.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from config.logs import get_logger
from hub.broker.hotlog import Batch
from hub.broker.live import LiveChannels
from hub.delivery.feed import START, Feed, Subscriber
from hub.delivery.message import Reset
from hub.domain import codes, times
from hub.domain.events import Encoded, Position
from hub.domain.snapshot import snapshot
from hub.services.catchup import CatchUp
from hub.stores.heads import Head, Heads

REPLAYED_AT_MOST: Final = 1000
"""Events handed over by one join; who missed more starts from the snapshot."""

_JOIN_ATTEMPTS: Final = 10
_RETRY: Final = 0.5
_LOOKED_UP_AT_ONCE: Final = 500
_log = get_logger(__name__)


class Mode(StrEnum):
    """How a join answered what the client said it had (contract section 4)."""

    FRESH = "FRESH"
    REPLAYED = "REPLAYED"
    RESET = "RESET"


@dataclass(slots=True)
class Joined:
    """A subscriber up to ``position``. ``events``: to be handed over before anything live."""

    channel: str
    position: Position
    mode: Mode
    events: list[Encoded] = field(default_factory=list)
    snapshot: dict[str, Any] | None = None
    unread: int = 0

    @property
    def start(self) -> Position:
        """Where the first of ``events`` follows, or the end of the log when there are none."""
        return Position(self.position.epoch, self.position.offset - len(self.events))


class Following:
    """The feeds of this node. Without ``run``, which owns every task, nothing can be joined."""

    def __init__(self, heads: Heads, catch_up: CatchUp) -> None:
        self._heads = heads
        self._catch_up = catch_up
        self._feeds: dict[str, Feed] = {}
        self._starting: dict[Feed, asyncio.Future[None]] = {}
        self._filling: set[Feed] = set()
        self._running: _Running | None = None

    @property
    def channels(self) -> int:
        """How many channels this node follows."""
        return len(self._feeds)

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
            self._running.tasks.create_task(self._look_up())

    async def join(
        self,
        subscriber: Subscriber,
        channel: str,
        since: Position | None,
        hand_over: Callable[[Joined], None],
        *,
        history: bool = False,
    ) -> None:
        """Makes ``subscriber`` follow ``channel``. ``hand_over`` gets what it missed, in the very
        turn of the event loop in which it goes live; it must not raise.

        ``since``: what the client has. None is nothing: then the log is replayed from its
        beginning when ``history``, and not at all otherwise. Raises ``HubError`` UNAVAILABLE when
        a store is out of reach; nothing was joined then.
        """
        feed = self._feeds.get(channel)
        if feed is None:
            feed = self._feeds[channel] = Feed(channel, self._on_gap)
        feed.begin_join(subscriber)
        try:
            await self._hear(feed)
            for attempt in range(_JOIN_ATTEMPTS):
                joined = await self._missed(channel, since, history=history)
                if self._complete(feed, subscriber, joined, hand_over, first=attempt == 0):
                    return
        except (PyMongoError, RedisError, OSError, TimeoutError) as error:
            raise codes.HubError(codes.UNAVAILABLE, retry_after=2) from error
        finally:
            if feed.joining(subscriber) is not None:
                self._leave(feed, subscriber)
        raise codes.HubError(codes.UNAVAILABLE, f"{channel} moves too fast", retry_after=1)

    def leave(self, subscriber: Subscriber, channel: str) -> None:
        """Stops following; harmless when it does not follow."""
        if feed := self._feeds.get(channel):
            self._leave(feed, subscriber)

    def _leave(self, feed: Feed, subscriber: Subscriber) -> None:
        feed.leave(subscriber)
        if feed.deserted and self._feeds.get(feed.channel) is feed:
            del self._feeds[feed.channel]
            if self._running is not None:
                self._running.live.unfollow(feed.channel)

    def _complete(
        self,
        feed: Feed,
        subscriber: Subscriber,
        joined: Joined,
        hand_over: Callable[[Joined], None],
        *,
        first: bool,
    ) -> bool:
        """Hands over and goes live without suspending, so that nothing gets between."""
        joining = feed.joining(subscriber)
        if joining is None:
            return True  # it left meanwhile
        if not feed.begun:
            feed.begin(joined.position)
        if not feed.covers(joining, joined.position):
            if joined.position.epoch != feed.epoch and not first:
                feed.expect(joined.position)  # the log began anew and nothing was told of it yet
            feed.begin_join(subscriber)
            return False
        hand_over(joined)
        if feed.joining(subscriber) is joining:  # else handing over made it leave
            feed.complete_join(joining, joined.position)
        return True

    async def _hear(self, feed: Feed) -> None:
        """Returns once everything published on the channel from now on is heard."""
        if feed.begun:
            return
        started = self._starting.get(feed)
        if started is None:
            if self._running is None:
                raise codes.HubError(codes.UNAVAILABLE, retry_after=1)
            started = asyncio.get_running_loop().create_future()
            self._starting[feed] = started
            self._running.tasks.create_task(self._subscribe(feed, started, self._running.live))
        await asyncio.shield(started)

    async def _subscribe(
        self, feed: Feed, started: asyncio.Future[None], live: LiveChannels
    ) -> None:
        """Subscribes for all who wait for ``started``; a failure is theirs, not this task's."""
        try:
            await live.follow(feed.channel)
            started.set_result(None)
        except (OSError, TimeoutError) as error:
            _log.warning("following.subscribe_failed", channel=feed.channel, error=repr(error))
        finally:
            del self._starting[feed]
            if not started.done():
                started.set_exception(codes.HubError(codes.UNAVAILABLE, retry_after=1))
                started.exception()  # whoever waits gets it; that nobody waits is fine, too

    async def _missed(self, channel: str, since: Position | None, *, history: bool) -> Joined:
        """What a client that has ``since`` lacks to be where the log ends now."""
        head = await self._heads.get(channel) or Head(channel, START.epoch)
        joined = Joined(channel, head.position, Mode.FRESH, unread=head.unread)
        if head.job is not None:
            joined.snapshot = snapshot(head.job, head.position, times.now())
        if since is None and not history:
            return joined
        events = None
        if (start := _start(since, head)) is not None:
            events = await self._catch_up.up_to(channel, start, head.offset, limit=REPLAYED_AT_MOST)
        if events is not None:
            joined.events = events
            joined.mode = Mode.FRESH if since is None else Mode.REPLAYED
        elif since is not None:
            joined.mode = Mode.RESET
        return joined

    def _on_gap(self, feed: Feed) -> None:
        if self._running is not None and feed not in self._filling:
            self._filling.add(feed)
            self._running.tasks.create_task(self._fill(feed))

    async def _fill(self, feed: Feed) -> None:
        """Reads what the feed misses until it misses nothing."""
        try:
            while feed.missing and self._feeds.get(feed.channel) is feed:
                try:
                    await self._fill_once(feed)
                except (PyMongoError, OSError, TimeoutError) as error:
                    _log.warning("following.fill_retry", channel=feed.channel, error=repr(error))
                    await asyncio.sleep(_RETRY)
        finally:
            self._filling.discard(feed)

    async def _fill_once(self, feed: Feed) -> None:
        position = feed.position
        page = await self._catch_up.page(feed.channel, position, feed.target)
        if feed.epoch != position.epoch:
            return
        if page:
            feed.fill(page)
            return
        head = await self._heads.get(feed.channel)
        if head is None:
            feed.forget_missing()  # the log is gone for good: the job's retention ended
        elif feed.position == position:
            details = None if head.job is None else snapshot(head.job, head.position, times.now())
            feed.skip_to(Reset(feed.channel, head.epoch, head.offset, details))

    async def _look_up(self) -> None:
        """Tells every feed where its log ends now."""
        waiting = list(self._feeds)
        while waiting:
            some, rest = waiting[:_LOOKED_UP_AT_ONCE], waiting[_LOOKED_UP_AT_ONCE:]
            try:
                heads = await self._heads.read(some)
            except (PyMongoError, OSError, TimeoutError) as error:
                _log.warning("following.look_up_retry", error=repr(error))
                await asyncio.sleep(_RETRY)
                continue
            for name, head in heads.items():
                if feed := self._feeds.get(name):
                    feed.expect(head.position)
            waiting = rest


@dataclass(frozen=True, slots=True)
class _Running:
    """What exists only while the service runs."""

    live: LiveChannels
    tasks: asyncio.TaskGroup


def _start(since: Position | None, head: Head) -> Position | None:
    """Where a replay for a client that has ``since`` begins; None when its position means nothing
    in this log. Offset 0 is before the first event of any epoch."""
    if since is None or since.offset == 0:
        return Position(head.epoch, 0)
    if since.epoch != head.epoch or since.offset > head.offset:
        return None
    return since
