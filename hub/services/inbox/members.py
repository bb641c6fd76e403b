"""Who has an inbox, from when on, and what it receives."""

from typing import Final
from uuid import UUID

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from hub.broker.journal import Journal
from hub.domain import channels, codes, times
from hub.domain.events import Position
from hub.domain.ids import uuid7
from hub.domain.inbox import TOPICS_AT_MOST, Member, Preferences
from hub.domain.publications import InboxChanged, InboxState
from hub.services.inbox.stores import InboxStores
from hub.services.inbox.telling import Telling
from hub.stores.coalescing import CoalescedReads
from hub.stores.heads import Heads

_START: Final = Position("", 0)
_ENTER_AT_ONCE: Final = 64  # users who connect share their round trips up to here


class Members:
    """Begins inboxes, and changes what they receive."""

    def __init__(self, stores: InboxStores, heads: Heads, journal: Journal) -> None:
        self._inboxes = stores.inboxes
        self._heads = heads
        self._telling = Telling(stores.untold, journal)
        self._entering = CoalescedReads(self._enter, keys_at_once=_ENTER_AT_ONCE)

    async def enter(self, user: str) -> Member:
        """The user as a member; seen for the first time, announcements begin now."""
        return (await self._entering.get((user,)))[user]

    async def subscribe(self, user: str, topic: str) -> None:
        """The topic's announcements from now on are the user's. Harmless when they are already.
        Raises ``HubError`` CONFLICT when the user has all the topics that one may have."""
        member = await self.enter(user)
        if topic in member.topics:
            return
        end = await self._end(channels.topic_channel(topic))

        async def make() -> bool:
            return await self._inboxes.subscribe(user, topic, end)

        made = await self._telling.change(_change(user, "SUBSCRIPTIONS", topic), make)
        if not made and topic not in (await self._inboxes.read([user]))[user].topics:
            raise codes.HubError(codes.CONFLICT, f"a user has at most {TOPICS_AT_MOST} topics")

    async def unsubscribe(self, user: str, topic: str) -> None:
        """Ends that; what the user has not touched of the topic is gone. Harmless without."""
        if topic not in (await self._inboxes.read([user]))[user].topics:
            return

        async def make() -> bool:
            return await self._inboxes.unsubscribe(user, topic)

        await self._telling.change(_change(user, "SUBSCRIPTIONS", topic), make)

    async def preferences(self, user: str) -> Preferences:
        """What the user does not want to be notified of."""
        return (await self._inboxes.read([user]))[user].preferences

    async def prefer(self, user: str, preferences: Preferences) -> None:
        """Replaces that."""
        if preferences == await self.preferences(user):
            return

        async def make() -> bool:
            return await self._inboxes.prefer(user, preferences)

        await self._telling.change(_change(user, "PREFERENCES"), make)

    async def _enter(self, users: list[str]) -> dict[str, Member]:
        members = await self._inboxes.read(users)
        unseen = [user for user, member in members.items() if member.since is None]
        if not unseen:
            return members
        end = await self._end(channels.ALL)
        new = await self._inboxes.enter(unseen, end)
        begun = {user: replace(members[user], since=end, stored=True) for user in new}
        others = await self._inboxes.read(set(unseen) - new) if len(new) < len(unseen) else {}
        return {**members, **begun, **others}

    async def _end(self, channel: str) -> Position:
        head = await self._heads.get(channel)
        return _START if head is None else head.position


def _change(user: str, state: InboxState, topic: str | UnsetType = UNSET) -> InboxChanged:
    """What the user's devices are told, who then learn what is unread."""
    return InboxChanged(id=UUID(uuid7()), user_id=user, state=state, at=times.now(), topic=topic)
