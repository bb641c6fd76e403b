"""Reading a partition: only who holds its lease takes anything, whatever it believes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from hub.broker.journal import NotHeld, PartitionReader
from hub.broker.leases import Leases
from hub.domain.channels import partition_of
from tests.hub.domain import samples
from tests.support.stores import Opened, opened
from tests.support.wait import eventually

ONE, TWO = (samples.notification(number, "u1") for number in (1, 2))
PARTITION = partition_of(ONE.channel, 16)


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Opened]:
    async with opened(settings) as found:
        yield found


def reader(stores: Opened, holder: str | None) -> PartitionReader:
    return PartitionReader(stores.redis, stores.keys, PARTITION, holder)


async def give(stores: Opened, holder: str) -> None:
    """Only this one holds the lease now."""
    lease = stores.keys.lease(PARTITION)
    await stores.redis.delete(lease)
    assert await Leases(stores.redis, holder, 60).take([lease]) == [True]


async def waits(stores: Opened) -> bool:
    """Whether a reader waits for news."""
    return bool((await stores.redis.info("clients"))["blocked_clients"])


async def test_who_lost_the_lease_takes_nothing(stores: Opened) -> None:
    old, new = reader(stores, "old"), reader(stores, "new")
    await give(stores, "old")
    assert await old.next(10, None) == []
    await stores.publish([ONE])
    await give(stores, "new")
    for read in (old.next(10, None), old.next(10, 1000), old.pending(10)):
        with pytest.raises(NotHeld):
            await read
    assert await new.pending(10) == []
    assert [entry.raw for entry in await new.next(10, None)] == [ONE.encode()]


async def test_who_loses_the_lease_while_it_waits_takes_nothing(stores: Opened) -> None:
    old, new = reader(stores, "old"), reader(stores, "new")
    await give(stores, "old")
    await old.next(10, None)
    waiting = asyncio.create_task(old.next(10, 4000))
    await eventually(lambda: waits(stores))
    await give(stores, "new")
    await stores.publish([ONE])
    with pytest.raises(NotHeld):
        await waiting
    assert await new.pending(10) == []
    assert [entry.raw for entry in await new.next(10, None)] == [ONE.encode()]


@pytest.mark.parametrize("holder", ["me", None])
async def test_what_was_read_is_pending_until_it_is_acknowledged(
    stores: Opened, holder: str | None
) -> None:
    here = reader(stores, holder)
    await give(stores, "me")
    assert await here.next(10, None) == []
    waiting = asyncio.create_task(here.next(10, 4000))
    await eventually(lambda: waits(stores))
    await stores.publish([ONE])
    (first,) = await waiting
    await stores.publish([TWO])
    (second,) = await here.next(10, 4000)
    assert [first.raw, second.raw] == [ONE.encode(), TWO.encode()]
    assert first.order < second.order
    assert await here.next(10, 1) == []
    assert await here.pending(10) == [first, second]
    await here.acknowledge([first])
    assert await here.pending(10) == [second]


async def test_an_entry_may_have_any_id(stores: Opened) -> None:
    """Whoever appends may give one that is no time: that is nothing to fail at, again and again."""
    one, last = reader(stores, None), f"{10**17}-0"
    assert await one.next(10, None) == []
    await stores.redis.xadd(stores.keys.journal(PARTITION), {"p": ONE.encode()}, id=last)
    (entry,) = await one.next(10, None)
    assert (entry.id, entry.raw) == (last, ONE.encode())
    await stores.drain(stores.ingest(), redelivered=True)
    assert await stores.db["events"].count_documents({"_id": str(ONE.id)}) == 1
