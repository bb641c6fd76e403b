"""What gateways call: every use case of the inbox, for the user who asks and no other."""

from typing import Any, Final, Literal

from hub.broker.journal import Journal
from hub.domain import codes, ids
from hub.domain.inbox import Member, Preferences, Unread
from hub.domain.principal import Principal, Role
from hub.domain.readstate import As
from hub.services.inbox import lists
from hub.services.inbox.lists import Page
from hub.services.inbox.marking import Marked, Marks
from hub.services.inbox.members import Members
from hub.services.inbox.stores import InboxStores
from hub.services.inbox.unread import Reading, Unreads
from hub.services.patience import patiently
from hub.stores.heads import Heads
from hub.stores.markings import Filter

FIRST_PAGE: Final = 20
"""Notifications on the page that comes with a reset."""


class Inbox:
    """The inboxes. Everything raises ``HubError``: INVALID_REQUEST, INSUFFICIENT_PERMISSIONS, or
    UNAVAILABLE when a store is out of reach."""

    def __init__(self, stores: InboxStores, heads: Heads, journal: Journal) -> None:
        self._stores = stores
        self._unreads = Unreads(stores)
        self._members = Members(stores, heads, journal)
        self._marks = Marks(stores, self._unreads, journal)

    async def enter(self, who: Principal) -> Member:
        """The caller as a member, from now on if this is the first time."""
        async with patiently():
            return await self._members.enter(who.user_id)

    async def reading(self, who: Principal) -> Reading:
        """What is unread, and what the caller subscribed to at that moment."""
        async with patiently():
            return await self._unreads.of(who.user_id)

    async def unread(self, who: Principal) -> Unread:
        """How much the caller has not read."""
        return (await self.reading(who)).unread

    async def page(
        self,
        who: Principal,
        *,
        filter: Filter = "ALL",
        type: str | None = None,
        limit: int = FIRST_PAGE,
        cursor: str | None = None,
    ) -> Page:
        """A page of the caller's inbox, newest first."""
        before = None if cursor is None else lists.from_cursor(cursor)
        async with patiently():
            await self._members.enter(who.user_id)
            return await lists.page(
                self._stores,
                self._unreads,
                who.user_id,
                filter=filter,
                type=type,
                limit=limit,
                before=before,
            )

    async def first_page(self, who: Principal) -> dict[str, Any]:
        """What a client starts from that cannot be told all it missed: ``{items, nextCursor,
        unread}``"""
        return (await self.page(who)).wire()

    async def mark(
        self, who: Principal, which: list[str] | Literal["all"], as_: As, up_to: str | None = None
    ) -> Marked:
        """Marks notifications of the caller."""
        async with patiently():
            await self._members.enter(who.user_id)
            return await self._marks.mark(who.user_id, which, as_, up_to)

    async def preferences(self, who: Principal) -> Preferences:
        """What the caller does not want to be notified of."""
        async with patiently():
            return await self._members.preferences(who.user_id)

    async def prefer(self, who: Principal, preferences: Preferences) -> None:
        """Replaces that."""
        async with patiently():
            await self._members.prefer(who.user_id, preferences)

    async def subscribe(self, who: Principal, topic: str, user: str) -> None:
        """Gives ``user`` the topic's announcements from now on."""
        _permit(who, topic, user)
        async with patiently():
            await self._members.subscribe(user, topic)

    async def unsubscribe(self, who: Principal, topic: str, user: str) -> None:
        """Ends that."""
        _permit(who, topic, user)
        async with patiently():
            await self._members.unsubscribe(user, topic)


def _permit(who: Principal, topic: str, user: str) -> None:
    """Users subscribe themselves, services and administrators anyone."""
    for field, value in (("topic", topic), ("userId", user)):
        if not ids.is_user_id(value):
            raise codes.invalid(field, "is no id")
    if who.user_id != user and not (who.has(Role.SERVICE) or who.has(Role.ADMIN)):
        raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS)
