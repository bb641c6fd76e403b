"""Filling gaps: what a feed did not hear is read from the log, or given up where it is gone."""

import asyncio
from collections.abc import Mapping
from typing import Final

from config.logs import get_logger
from config.trouble import Trouble
from hub import metrics
from hub.broker.connect import honour_cancellation
from hub.delivery.feed import START, Feed, Lack
from hub.delivery.message import Reset
from hub.domain import times
from hub.domain.snapshot import snapshot
from hub.services.catchup import CatchUp
from hub.services.patience import FAILURES
from hub.stores.heads import Head, Heads

_RETRY: Final = 0.5
_LOOKED_UP_AT_ONCE: Final = 500
_log = get_logger(__name__)


class Gaps:
    """Brings feeds that lack something up to date. ``feeds``: those of the node, by channel."""

    def __init__(self, heads: Heads, catch_up: CatchUp, feeds: Mapping[str, Feed]) -> None:
        self._heads = heads
        self._catch_up = catch_up
        self._feeds = feeds
        self._filling: set[Feed] = set()
        self._trouble = Trouble(_log, "gaps.unfilled", "gaps.filled")

    def fill(self, feed: Feed, tasks: asyncio.TaskGroup) -> None:
        """Has ``feed`` filled by one of ``tasks``, unless it is being filled already."""
        if feed not in self._filling:
            self._filling.add(feed)
            tasks.create_task(self._fill(feed))

    async def look_up(self) -> None:
        """Tells every feed where its log ends now."""
        waiting = list(self._feeds)
        while waiting:
            some, rest = waiting[:_LOOKED_UP_AT_ONCE], waiting[_LOOKED_UP_AT_ONCE:]
            try:
                heads = await self._heads.read(some)
            except FAILURES as error:
                honour_cancellation()
                self._trouble.failed(error, "all")
                await asyncio.sleep(_RETRY)
                continue
            for name, head in heads.items():
                if feed := self._feeds.get(name):
                    feed.expect(head.position)
            waiting = rest
        self._trouble.worked("all")

    async def _fill(self, feed: Feed) -> None:
        """Reads what the feed misses until it misses nothing."""
        try:
            while feed.missing and self._feeds.get(feed.channel) is feed:
                try:
                    await self._fill_once(feed)
                except FAILURES as error:
                    honour_cancellation()
                    self._trouble.failed(error, feed, channel=feed.channel)
                    await asyncio.sleep(_RETRY)
        finally:
            self._trouble.worked(feed)
            self._filling.discard(feed)

    async def _fill_once(self, feed: Feed) -> None:
        """Reads the next page of the log, or asks the head where there is none."""
        lack = feed.lack
        if lack.unplaced is None:
            page = await self._catch_up.page(feed.channel, lack.position, lack.target)
            if feed.epoch != lack.position.epoch:
                return
            if page:
                metrics.GAP_FILLS.add()
                feed.fill(page)
                return
        resolve(feed, lack, await self._heads.get(feed.channel))


def resolve(feed: Feed, lack: Lack, head: Head | None) -> None:
    """Takes what the store says about ``lack``, which ``feed`` had before its head was read."""
    if feed.position != lack.position:
        return
    feed.forget(lack)  # the head knows of all that was told before it was read
    if head is None:
        return  # the job's retention ended
    if head.position == feed.position or (lack.unplaced and head.epoch == feed.epoch):
        feed.expect(head.position)
    else:
        go_on_from(feed, head)


def go_on_from(feed: Feed, head: Head) -> None:
    """Takes ``feed`` to a log that began anew, or over events that are gone.

    Followers of a job learn by its snapshot what they did not get. Those of another channel get
    the new log from its beginning.
    """
    if feed.position == START:
        feed.expect(head.position)  # it had no log before: nothing to reset
    elif head.job is not None or head.epoch == feed.epoch:
        feed.skip_to(reset_to(head))
    else:
        feed.skip_to(Reset(feed.channel, head.epoch, 0))
        feed.expect(head.position)


def reset_to(head: Head) -> Reset:
    """Tells that a channel goes on from where its log ends, of a job with the snapshot there."""
    details = None if head.job is None else snapshot(head.job, head.position, times.now())
    return Reset(head.channel, head.epoch, head.offset, details)
