"""Many clients that come back at once cost MongoDB little: positions are read for all together, and
what was missed comes from the hot log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from config.settings import Settings
from hub.broker.live import LiveChannels
from hub.broker.slots import Slots
from hub.delivery.message import Message, Reset
from hub.domain.events import Position
from hub.domain.principal import Principal, Role
from hub.services.catchup import CatchUp
from hub.services.channels import Channels
from hub.services.following import Following, Joined, Mode
from hub.services.jobs import Jobs
from tests.hub.services.node import Places
from tests.support.stores import Opened, opened
from workers import Publisher

CLIENTS = 200
MISSED, HAD = 20, 10
JOB = "job:j1"


class Reads(CommandListener):
    """Which collections were asked, in order."""

    def __init__(self) -> None:
        self.collections: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in ("find", "aggregate", "getMore", "count", "distinct"):
            self.collections.append(str(event.command[event.command_name]))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to note."""


class Silent(Places):
    """A subscriber to whom nothing new happens."""

    def deliver(self, messages: Sequence[Message]) -> None:
        raise AssertionError("nothing is published")

    def reset(self, notice: Reset) -> None:
        raise AssertionError("nothing is lost")


def user(number: int) -> Principal:
    return Principal(
        f"u{number}", frozenset({Role.USER}), None, datetime(2100, 1, 1, tzinfo=UTC), None
    )


async def played(stores: Opened) -> Position:
    """A job with a history; the position that every client had."""
    async with Publisher(stores.settings.redis_url or "") as hub:
        job = hub.job("j1", project_id="p1", owner_id="u1")
        await job.start()
        for number in range(HAD + MISSED):
            await job.progress(number)
        await hub.notify(everyone=True, type="t", title="t", body="b")
    await stores.drain(stores.ingest())
    head = (await stores.stores.heads.read([JOB]))[JOB]
    assert head.offset == HAD + MISSED
    return Position(head.epoch, HAD)


async def test_a_mass_reconnect_reads_less_than_once_per_channel(settings: Settings) -> None:
    reads = Reads()
    async with opened(settings, [reads]) as stores:
        had = await played(stores)
        heads, events = stores.stores.heads, stores.stores.events
        following = Following(heads, CatchUp(events, stores.hot_log))
        channels = Channels(
            Jobs(heads, events), following, Slots(stores.redis, stores.keys, CLIENTS)
        )
        live = LiveChannels(
            settings.redis_url or "", stores.keys, following.on_batch, following.on_restored
        )
        running = asyncio.create_task(following.run(live))
        assert await live.wait_connected(5)

        async def come_back(number: int) -> list[Joined]:
            wanted: Mapping[str, Any] = {f"user:u{number}": None, "all": None, JOB: had}
            return await channels.subscribe_all(user(number), Silent(), wanted)

        reads.collections.clear()
        arrivals = await asyncio.gather(*map(come_back, range(CLIENTS)))
        counted = list(reads.collections)
        running.cancel()
        await asyncio.wait([running])
        await live.close()
    for arrival in arrivals:
        assert arrival[2].mode is Mode.REPLAYED
        assert [event.offset for event in arrival[2].events] == list(
            range(HAD + 1, HAD + MISSED + 1)
        )
    assert counted.count("events") == 0  # the hot log has them
    assert len(counted) <= 20, counted  # there are CLIENTS + 2 channels
