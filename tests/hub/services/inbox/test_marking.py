"""What marks change, and what they do not: muted, ended, and by clocks that differ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from config.settings import Settings
from hub.broker.journal import PartitionReader
from hub.domain import times
from hub.domain.inbox import Preferences
from hub.domain.publications import Recipients
from hub.domain.readstate import As, Mark
from hub.services.inbox.audit import audit
from hub.services.inbox.inbox import Inbox
from hub.stores.markings import Marking
from tests.hub.domain import samples
from tests.hub.services.inbox.world import principal
from tests.support.stores import Opened, opened

U1 = principal("u1")


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Opened]:
    async with opened(settings) as found:
        yield found


@pytest.fixture
async def inbox(stores: Opened) -> Inbox:
    made = Inbox(stores.stores.inboxes, stores.stores.heads, stores.journal)
    await made.enter(U1)
    return made


@pytest.mark.parametrize("as_", As)
async def test_what_is_muted_and_untouched_cannot_be_marked(
    stores: Opened, inbox: Inbox, as_: As
) -> None:
    to_all = samples.notification(1, type="chatter")
    await stores.publish([to_all, samples.notification(2, type="news")])
    await stores.drain(stores.ingest())
    await inbox.prefer(U1, Preferences(muted_types=frozenset({"chatter"})))
    before = await inbox.page(U1)
    marked = await inbox.mark(U1, [str(to_all.id)], as_)
    assert (marked.changed, marked.unread) == (0, before.unread)
    assert (await inbox.page(U1)).items == before.items
    await inbox.mark(U1, "all", As.READ, str(to_all.id))  # it still is a place
    await inbox.prefer(U1, Preferences())
    assert (await inbox.unread(U1)).count == 2, "neither the muted one nor the newer one is read"


@pytest.mark.parametrize("announced", [False, True])
async def test_what_has_ended_cannot_be_marked(
    stores: Opened, inbox: Inbox, announced: bool
) -> None:
    one = samples.notification(1, *([] if announced else ["u1"]))
    await stores.publish([one])
    await stores.drain(stores.ingest())
    await stores.end("announcements" if announced else "notifications", {})
    for which in ([str(one.id)], "all"):
        marked = await inbox.mark(U1, which, As.READ)
        assert (marked.changed, marked.unread.count) == (0, 0)


async def test_all_is_marked_also_by_a_clock_that_is_behind(stores: Opened, inbox: Inbox) -> None:
    """``changed`` is what changes, whichever node answered before."""
    await stores.publish([samples.notification(n, "u1") for n in (1, 2)])
    await stores.drain(stores.ingest())
    ahead = Mark(As.UNREAD, times.now() + timedelta(minutes=1), "x")
    await stores.stores.inboxes.notifications.mark(
        [Marking("u1", ahead, ids=[str(samples.uuid(1))])]
    )
    marked = await inbox.mark(U1, "all", As.READ)
    assert (marked.changed, marked.unread.count) == (2, 0)
    assert (await inbox.mark(U1, "all", As.READ)).changed == 0


@pytest.mark.parametrize("to", [["u1", "u2"], []])
async def test_what_had_expired_before_it_came_is_nothing(
    stores: Opened, inbox: Inbox, to: list[str]
) -> None:
    await inbox.enter(principal("u2"))
    over = samples.notification(1, *to, expires_at=samples.after(-1000))
    await stores.publish([over, samples.notification(2, "u1", "u2")])
    await stores.drain(stores.ingest())
    for user in ("u1", "u2"):
        page = await inbox.page(principal(user))
        assert len(page.items) == page.unread.count == 1
    assert await stores.db["events"].count_documents({"_id": str(over.id)}) == 0
    assert await stores.db["announcements"].count_documents({}) == 0


async def test_what_was_restored_since_is_not_marked_with_all_the_rest(
    stores: Opened, inbox: Inbox
) -> None:
    """Ingest carries a mark out again when others were made already."""
    for number in (1, 2):
        await stores.publish([samples.notification(number, "u1")])
        await stores.drain(stores.ingest())
    older = str(samples.uuid(1))
    await inbox.mark(U1, [older], As.DISMISSED)
    await stores.drain(stores.ingest())
    await inbox.mark(U1, "all", As.READ)
    restored = await inbox.mark(U1, [older], As.RESTORED)
    assert restored.unread.count == 1
    for entries in (1, 500):
        await one_by_one(stores, "user:u1", entries)
        page = await inbox.page(U1, filter="UNREAD")
        assert [each["id"] for each in page.items] == [older]
        assert page.unread.count == 1
    assert not (await audit(stores.stores.inboxes)).drifts


@pytest.mark.parametrize("it_comes_first", [True, False])
async def test_an_announcement_that_came_later_is_not_marked_with_all_the_rest(
    stores: Opened, inbox: Inbox, it_comes_first: bool
) -> None:
    """Of two partitions the slower one has the older announcement."""
    slow = "slow"
    quick = next(
        name
        for name in map(str, range(99))
        if stores.keys.partition(f"topic:{name}") != stores.keys.partition(f"topic:{slow}")
    )
    for topic in (slow, quick):
        await inbox.subscribe(U1, topic, "u1")
    await stores.drain(stores.ingest())
    await stores.publish([samples.notification(1, to=Recipients(topic=slow))])
    await asyncio.sleep(0.005)  # so that the clock has gone on
    await stores.publish([samples.notification(2, to=Recipients(topic=quick))])
    await one_by_one(stores, f"topic:{quick}", 500)
    assert (await inbox.mark(U1, "all", As.READ)).changed == 1
    order = [f"topic:{slow}", "user:u1"]
    for channel in order if it_comes_first else order[::-1]:
        await one_by_one(stores, channel, 500)
    page = await inbox.page(U1, filter="UNREAD")
    assert [each["id"] for each in page.items] == [str(samples.uuid(1))]
    assert page.unread.count == 1
    assert not (await audit(stores.stores.inboxes)).drifts


async def test_a_mark_that_still_changes_something_is_counted(stores: Opened, inbox: Inbox) -> None:
    """The same mark again, after what it is for was put back as it was by hand."""
    await stores.publish([samples.notification(1, "u1")])
    await stores.drain(stores.ingest())
    before = await inbox.mark(U1, "all", As.READ)
    await stores.db["notifications"].update_many({}, {"$set": {"read": False, "readStamp": ""}})
    await stores.stores.inboxes.inboxes.raise_versions([("u1", "by hand", 1)])
    assert (await inbox.unread(U1)).count == 1
    await one_by_one(stores, "user:u1", 500)
    after = await inbox.unread(U1)
    assert (before.unread.count, after.count) == (0, 0)


async def one_by_one(stores: Opened, channel: str, entries: int) -> None:
    """Processes up to so many entries of a channel's journal, each in a batch of its own."""
    reader = PartitionReader(stores.redis, stores.keys, stores.keys.partition(channel))
    for _ in range(entries):
        found = await reader.next(1, None) or await reader.next(1, None)
        if not found:
            return
        await stores.ingest().process(reader, found, redelivered=False)
