"""What marks change, and what they do not: muted, ended, and by clocks that differ."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from config.settings import Settings
from hub.domain import times
from hub.domain.inbox import Preferences
from hub.domain.readstate import As, Mark
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
