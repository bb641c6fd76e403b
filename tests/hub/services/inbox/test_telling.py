"""What an inbox receives is not changed without its devices being told, whatever fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta

import pytest
from redis.exceptions import ConnectionError as RedisGone

from config.settings import Settings
from hub.broker.journal import UNTRACED, Journal
from hub.domain import codes, times
from hub.domain.inbox import Preferences
from hub.domain.publications import AnyPublication
from hub.services.inbox.inbox import Inbox
from hub.services.inbox.telling import LATE, Telling
from tests.hub.services.inbox.world import principal
from tests.support.stores import Opened, opened

U1 = principal("u1")
SOON = LATE - timedelta(seconds=1)


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Opened]:
    async with opened(settings) as found:
        yield found


class Cut(Journal):
    """A journal whose line is cut, before or behind what is put on it."""

    lost = True

    async def append(
        self,
        publications: Iterable[AnyPublication],
        traces: Mapping[str, str] = UNTRACED,
    ) -> None:
        if not self.lost:
            await super().append(publications, traces)
        raise RedisGone


def inbox(stores: Opened, journal: Journal | None = None) -> Inbox:
    return Inbox(stores.stores.inboxes, stores.stores.heads, journal or stores.journal)


async def changes(stores: Opened) -> list[tuple[str, str | None]]:
    """What u1's devices were told, in order."""
    await stores.drain(stores.ingest())
    found = stores.db["events"].find({"type": "NOTIFICATIONS_CHANGED"}).sort("offset", 1)
    return [(each["data"]["state"], each["data"].get("topic")) for each in await found.to_list()]


async def change(inboxes: Inbox, what: str) -> None:
    if what == "subscribe":
        await inboxes.subscribe(U1, "news", "u1")
    elif what == "unsubscribe":
        await inboxes.unsubscribe(U1, "news", "u1")
    else:
        await inboxes.prefer(U1, Preferences(muted_types=frozenset({"t"})))


TOLD: dict[str, tuple[str, str | None]] = {
    "subscribe": ("SUBSCRIPTIONS", "news"),
    "unsubscribe": ("SUBSCRIPTIONS", "news"),
    "prefer": ("PREFERENCES", None),
}


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "unanswered"])
@pytest.mark.parametrize("what", TOLD)
async def test_what_could_not_be_told_is_told_later_once(
    stores: Opened, what: str, lost: bool
) -> None:
    if what == "unsubscribe":
        await change(inbox(stores), "subscribe")
    before = await changes(stores)
    cut = Cut(stores.redis, stores.keys)
    cut.lost = lost
    with pytest.raises(codes.HubError, match="out of reach"):
        await change(inbox(stores, cut), what)
    await change(inbox(stores), what)  # nothing is left to be changed
    telling = Telling(stores.stores.inboxes.untold, stores.journal)
    assert await telling.rest(times.now() + SOON) == 0, "it may still be on its way"
    later = times.now() + LATE
    assert [await telling.rest(later), await telling.rest(later)] == [1, 0]
    assert await changes(stores) == [*before, TOLD[what]]


async def test_what_was_told_is_not_told_again(stores: Opened) -> None:
    inboxes = inbox(stores)
    for what in TOLD:
        await change(inboxes, what)
        await change(inboxes, what)
    assert await changes(stores) == list(TOLD.values())
    telling = Telling(stores.stores.inboxes.untold, stores.journal)
    assert await telling.rest(times.now() + LATE) == 0
