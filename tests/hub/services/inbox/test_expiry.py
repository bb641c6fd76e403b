"""What ends by itself is told to every device, whoever notices first and whoever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from config.settings import Settings
from hub.broker.keys import EXPIRY
from hub.broker.leases import Leases
from hub.domain import times
from hub.domain.readstate import As
from hub.services.inbox.expiry import AT_ONCE, Expiry
from hub.services.ingest.sweeper import Sweeper
from tests.hub.domain import samples
from tests.hub.gateways.inboxes import serving
from tests.hub.services.inbox.world import World
from tests.support.stores import Opened, opened
from tests.support.wait import eventually


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Opened]:
    async with opened(settings) as found:
        yield found


@pytest.fixture
async def world(settings: Settings, stores: Opened) -> AsyncIterator[World]:
    """Two nodes; Ana has a device on each."""
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(settings)) for _ in range(2)]
        made = World(stores, "w", ["ana", "bruno"], urls)
        await made.enter()
        for node in (0, 1):
            await made.connect("ana", node)
        yield made
        await made.close()


@pytest.mark.parametrize("noticed", [False, True])
@pytest.mark.parametrize("marked", [None, As.SEEN, As.READ, As.DISMISSED])
@pytest.mark.parametrize("to", [["ana", "bruno"], "all"], ids=["own", "all"])
async def test_every_device_learns_that_it_is_over(
    world: World, to: list[str] | str, marked: As | None, noticed: bool
) -> None:
    for _ in range(2):
        await world.publish(to, "a.one", critical=False, key=None)
    first = next(iter(world.people["ana"].inbox))
    if marked is not None:
        await world.mark_on(world.people["ana"].views[0], "ana", [first], marked)
        await world.drain()
    await world.check()
    await world.expire("ana", first, noticed=noticed)
    await world.check()
    events = await world.stores.db["events"].find({"data.state": "EXPIRED"}).to_list()
    assert [each["data"]["ids"] for each in events] == [[first]]
    assert events[0]["channel"] == ("all" if to == "all" else "user:w-ana")
    assert ("unread" in events[0]["data"]) is (to != "all")


async def test_much_that_ends_at_once_is_told_in_few_events(stores: Opened) -> None:
    soon = times.now() + timedelta(seconds=30)
    more = AT_ONCE // 2
    await stores.publish(
        [samples.notification(n, "u1", expires_at=soon) for n in range(AT_ONCE + more)]
    )
    ingest = stores.ingest()
    await stores.drain(ingest)
    expiry = Expiry(stores.stores.inboxes, stores.journal)
    assert await expiry.tell(times.now()) == 0
    assert [await expiry.tell(soon) for _ in range(3)] == [AT_ONCE, more, 0]
    await stores.end("notifications", {})
    await stores.drain(ingest)
    events = await stores.db["events"].find({"type": "NOTIFICATIONS_CHANGED"}).to_list()
    assert [len(each["data"]["ids"]) for each in events] == [AT_ONCE, more]
    assert events[-1]["data"]["unread"]["count"] == 0


async def test_an_end_that_was_put_on_the_journal_twice_is_one_event(stores: Opened) -> None:
    """It died before it noted that it had told, or two did it at once."""
    soon = times.now() + timedelta(seconds=30)
    await stores.publish(
        [samples.notification(1, "u1", expires_at=soon), samples.notification(2, expires_at=soon)]
    )
    await stores.drain(stores.ingest())
    again = {"$set": {"told": False}}
    for _ in range(2):
        assert await Expiry(stores.stores.inboxes, stores.journal).tell(soon) == 2
        for name in ("notifications", "announcements"):
            await stores.db[name].update_many({}, again)
    await stores.drain(stores.ingest())
    events = await stores.db["events"].find({"type": "NOTIFICATIONS_CHANGED"}).to_list()
    assert sorted(each["channel"] for each in events) == ["all", "user:u1"]


async def test_one_worker_sweeps_and_another_takes_over(stores: Opened) -> None:
    kept, journal = stores.stores.inboxes, stores.journal

    def sweeper(name: str) -> Sweeper:
        return Sweeper([Expiry(kept, journal).tell], Leases(stores.redis, name, 60))

    async def held_by(name: str) -> None:
        async def holds() -> bool:
            return bool(await stores.redis.get(EXPIRY) == name.encode())

        await eventually(holds)

    first = asyncio.create_task(sweeper("one").run())
    await held_by("one")
    second = asyncio.create_task(sweeper("two").run())
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await held_by("two")
    soon = times.now() + timedelta(milliseconds=300)
    await stores.publish([samples.notification(1, "u1", expires_at=soon)])
    await stores.drain(stores.ingest())

    async def told() -> bool:
        await stores.drain(stores.ingest())
        return await stores.db["events"].count_documents({"data.state": "EXPIRED"}) == 1

    await eventually(told)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert await stores.redis.get(EXPIRY) is None
