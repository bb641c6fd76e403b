"""Pages of an inbox: newest first, what went to the user alone and announcements in one order."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from hub.domain import codes, ids, notifications, times
from hub.domain.inbox import Announcement, Key, Unread
from hub.domain.notifications import Item
from hub.services.inbox.stores import InboxStores
from hub.services.inbox.unread import Reading, Unreads
from hub.stores.markings import Filter


class Page(Struct, frozen=True):
    """Some of an inbox. ``next_cursor``: where the next page goes on, None at the end."""

    items: list[dict[str, Any]]
    next_cursor: str | None
    unread: Unread

    def wire(self) -> dict[str, Any]:
        """``{items, nextCursor, unread}``"""
        return {
            "items": self.items,
            "nextCursor": self.next_cursor,
            "unread": self.unread.wire(),
        }


async def page(
    stores: InboxStores,
    unreads: Unreads,
    user: str,
    *,
    filter: Filter,
    type: str | None,
    limit: int,
    before: Key | None,
) -> Page:
    """Up to ``limit`` notifications older than ``before``.

    Of what is stored for the user it reads one range of an index. A cursor names a place, not a
    number of notifications, so what comes meanwhile moves nothing.
    """
    reading = await unreads.whole(user)
    own = await stores.notifications.page(
        user, filter, type=type, before=before, limit=limit + 1, now=times.now()
    )
    announced = [] if filter == "DISMISSED" else _of(reading, own, type, before)
    both: list[Item | Announcement] = [*own, *announced]
    merged = sorted(both, key=lambda each: each.key, reverse=True)
    chosen = merged[:limit]
    cursor = to_cursor(chosen[-1].key) if len(merged) > limit else None
    return Page(await _shown(stores, chosen), cursor, reading.unread)


def _of(
    reading: Reading, own: Sequence[Item], type: str | None, before: Key | None
) -> list[Announcement]:
    """The untouched announcements that may be on the page. One that was touched since the reading
    is on it as the user's own."""
    have = {each.id for each in own}
    return [
        each
        for each in reading.untouched
        if (before is None or each.key < before)
        and type in (None, each.content["type"])
        and each.id not in have
    ]


async def _shown(
    stores: InboxStores, chosen: Sequence[Item | Announcement]
) -> list[dict[str, Any]]:
    wanted = [each.id for each in chosen if isinstance(each, Announcement)]
    whole = await stores.announcements.get(wanted)
    found = []
    for each in chosen:
        if isinstance(each, Item):
            found.append(each.wire())
        elif each.id in whole:
            found.append(notifications.copy(whole[each.id], "").wire())
    return found


def to_cursor(key: Key) -> str:
    """A place as clients carry it."""
    return f"{times.to_ms(key.at)}.{key.id}"


def from_cursor(cursor: str) -> Key:
    """The place that a cursor names; raises INVALID_REQUEST for any other text."""
    try:
        ms, _, id_ = cursor.partition(".")
        key = Key(times.from_ms(int(ms)), id_)
    except (ValueError, OverflowError):
        raise codes.invalid("cursor", "is no cursor that this resource gave") from None
    if not ids.is_uuid(id_) or to_cursor(key) != cursor:
        raise codes.invalid("cursor", "is no cursor that this resource gave")
    return key
