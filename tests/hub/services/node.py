"""The parts of a hub node that follow channels, on real servers, and followers that check what
they get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from config.settings import Settings
from hub.broker.connect import open_redis
from hub.broker.hotlog import Batch, HotLog
from hub.broker.keys import Keys
from hub.broker.live import LiveChannels
from hub.delivery.message import Message, Reset
from hub.domain import ids
from hub.domain.events import Encoded, Event, Position
from hub.domain.jobs import Job
from hub.services.catchup import CatchUp
from hub.services.following import Following, Joined, Mode, Wanted
from hub.stores.events import Events
from hub.stores.heads import Head, Heads
from hub.stores.mongo import ensure_indexes, open_mongo
from tests.hub.domain import samples


async def eventually(holds: Callable[[], bool], *, seconds: float = 8.0) -> None:
    """Returns once ``holds``; fails when it does not in time."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - whatever it is that holds tells nobody
            await asyncio.sleep(0.01)


class Places:
    """The slots of a follower: it has a name of its own, and notes which jobs it lost."""

    def __init__(self, slot: str | None = None) -> None:
        self.slot = slot or ids.uuid7()
        self.lost: list[str] = []

    def shows_life(self) -> bool:
        return True

    def evicted(self, channel: str) -> None:
        self.lost.append(channel)


@dataclass(eq=False)
class Follower:
    """Follows one channel; every event must be the next one after its position."""

    position: Position | None = None
    joined: Joined | None = None
    offsets: list[int] = field(default_factory=list)
    resets: list[Reset] = field(default_factory=list)

    def hand_over(self, joined: Joined) -> None:
        """Takes what was missed."""
        self.joined, self.position = joined, joined.start
        for event in joined.events:
            self._take(joined.position.epoch, event)
        assert self.position == joined.position

    async def join(self, following: Following, *wanted: Wanted) -> None:
        """Follows, and is handed over to itself."""
        await following.join(self, wanted, self.hand_over)

    def deliver(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._take(message.epoch, Encoded(message.offset, message.envelope))

    def reset(self, notice: Reset) -> None:
        self.resets.append(notice)
        self.position = Position(notice.epoch, notice.offset)

    @property
    def mode(self) -> Mode | None:
        """How its join was answered."""
        return None if self.joined is None else self.joined.mode

    def _take(self, epoch: str, event: Encoded) -> None:
        assert self.position is not None, "an event before the join was answered"
        assert epoch == self.position.epoch or self.position.offset == 0
        assert event.offset == self.position.offset + 1, f"{event.offset} after {self.position}"
        assert f'"offset":{event.offset},'.encode() in event.envelope
        self.position = Position(epoch, event.offset)
        self.offsets.append(event.offset)


class Several(Places):
    """A connection that follows several channels, each by a follower of its own."""

    def __init__(self, *channels: str, slot: str | None = None) -> None:
        super().__init__(slot)
        self.followers = {channel: Follower() for channel in channels}

    def of(self, channel: str) -> Follower:
        """What came of a channel."""
        return self.followers[channel]

    def hand_over(self, joined: Joined) -> None:
        """Takes what was missed of a channel."""
        self.followers[joined.channel].hand_over(joined)

    async def join(self, following: Following, *wanted: Wanted) -> None:
        """Follows, and is handed over to itself."""
        await following.join(self, wanted, self.hand_over)

    def deliver(self, messages: Sequence[Message]) -> None:
        self.followers[messages[0].channel].deliver(messages)

    def reset(self, notice: Reset) -> None:
        self.followers[notice.channel].reset(notice)


class Gate:
    """Open, or closed until ``open``."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.waiting = 0

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    async def passed(self) -> None:
        """Returns once the gate is open."""
        self.waiting += 1
        await self._open.wait()
        self.waiting -= 1


class SlowCatchUp(CatchUp):
    """Reads as ever, and answers once its gate is open: a store that takes its time."""

    gate: Gate

    async def page(self, channel: str, position: Position, upto: int) -> list[Encoded]:
        found = await super().page(channel, position, upto)
        await self.gate.passed()
        return found


@dataclass
class Node:
    """The parts, running."""

    redis: Redis
    keys: Keys
    events: Events
    heads: Heads
    hot_log: HotLog
    following: Following
    live: LiveChannels
    gate: Gate
    restored: list[float]
    ends: dict[str, Position] = field(default_factory=dict)

    async def publish(
        self, channel: str, count: int = 1, *, tell: bool = True, epoch: str = "e1"
    ) -> Position:
        """Appends events as ingest does: stored, head advanced, told."""
        end = self.ends.get(channel)
        first = end.offset + 1 if end is not None and end.epoch == epoch else 1
        added = [self._event(channel, epoch, first + index) for index in range(count)]
        end = self.ends[channel] = Position(epoch, first + count - 1)
        await self.events.append(added)
        await self.heads.advance([Head(channel, epoch, end.offset)])
        if tell:
            envelopes = [event.encode() for event in added]
            await self.hot_log.publish([Batch(channel, epoch, first, envelopes)])
        return end

    async def store_job(self, job: Job, position: Position) -> None:
        """Stores a job's head."""
        await self.heads.advance([Head(f"job:{job.id}", position.epoch, position.offset, job)])

    async def forget(self, channel: str) -> None:
        """Deletes a log, as when a job's retention ends."""
        self.ends.pop(channel, None)
        await self.heads._channels.delete_one({"_id": channel})
        await self.events._events.delete_many({"channel": channel})
        await self.redis.delete(self.keys.log(channel))

    async def join(
        self, channel: str, since: Position | None = None, *, history: bool = False
    ) -> Follower:
        """A follower that joined."""
        follower = Follower()
        await follower.join(self.following, Wanted(channel, since, history))
        return follower

    async def subscriptions(self) -> set[str]:
        """The live channels that Redis has a subscriber of."""
        names: Any = await self.redis.pubsub_channels("*:live:*")
        return {name.decode() for name in names}

    async def subscribed_to(self, names: set[str]) -> None:
        """Returns once these are all the subscriptions."""
        async with asyncio.timeout(5):
            while await self.subscriptions() != names:  # noqa: ASYNC110 - Redis tells nobody
                await asyncio.sleep(0.01)

    async def cut_live_connection(self) -> None:
        """Breaks the connection that live events come by; ``restored`` grows once it is back."""
        killed = await self.redis.client_kill_filter(_type="pubsub")
        assert int(killed) > 0

    @staticmethod
    def _event(channel: str, epoch: str, offset: int) -> Event:
        return Event(
            id=ids.uuid7(),
            channel=channel,
            epoch=epoch,
            offset=offset,
            type="NEWS",
            data={"n": offset},
            timestamp=samples.after(offset),
        )


@asynccontextmanager
async def running_node(settings: Settings) -> AsyncIterator[Node]:
    """A node's following on the servers of ``settings``."""
    assert settings.redis_url is not None
    assert settings.mongo_url is not None
    keys, redis = Keys(settings.partitions), open_redis(settings.redis_url)
    mongo = open_mongo(settings.mongo_url)
    db = mongo[settings.mongo_db]
    await ensure_indexes(db)
    events, heads, hot_log = Events(db), Heads(db), HotLog(redis, keys)
    catch_up = SlowCatchUp(events, hot_log)
    catch_up.gate = Gate()
    following = Following(heads, catch_up)
    restored: list[float] = []

    def on_restored() -> None:
        following.on_restored()
        restored.append(asyncio.get_running_loop().time())

    live = LiveChannels(settings.redis_url, keys, following.on_batch, on_restored)
    running = asyncio.create_task(following.run(live))
    try:
        await eventually(lambda: live.connected)
        yield Node(redis, keys, events, heads, hot_log, following, live, catch_up.gate, restored)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await live.close()
        await redis.aclose()
        await mongo.close()
    if not running.cancelled():
        running.result()
