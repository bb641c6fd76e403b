"""Who has an inbox, from when on, and what it receives."""

from uuid import UUID

from hub.broker.journal import Journal
from hub.domain import channels, codes, times
from hub.domain.events import Position
from hub.domain.ids import uuid7
from hub.domain.inbox import TOPICS_AT_MOST, Member, Preferences
from hub.domain.publications import InboxChanged
from hub.services.inbox.unread import InboxStores
from hub.stores.coalescing import CoalescedReads
from hub.stores.heads import Heads

_START = Position("", 0)


class Members:
    """Begins inboxes, and changes what they receive."""

    def __init__(self, stores: InboxStores, heads: Heads, journal: Journal) -> None:
        self._inboxes = stores.inboxes
        self._heads = heads
        self._journal = journal
        self._coalesced = CoalescedReads(self._inboxes.read, keys_at_once=64)

    async def enter(self, user: str) -> Member:
        """The user as a member; seen for the first time, announcements begin now."""
        member = (await self._coalesced.get((user,)))[user]
        if member.since is not None:
            return member
        await self._inboxes.enter(user, await self._end(channels.ALL))
        return (await self._inboxes.read([user]))[user]

    async def subscribe(self, user: str, topic: str) -> None:
        """The topic's announcements from now on are the user's. Harmless when they are already.
        Raises ``HubError`` CONFLICT when the user has all the topics that one may have."""
        member = await self.enter(user)
        if topic in member.topics:
            return
        end = await self._end(channels.topic_channel(topic))
        if await self._inboxes.subscribe(user, topic, end):
            await self._tell(user, "SUBSCRIPTIONS")
        elif topic not in (await self._inboxes.read([user]))[user].topics:
            raise codes.HubError(codes.CONFLICT, f"a user has at most {TOPICS_AT_MOST} topics")

    async def unsubscribe(self, user: str, topic: str) -> None:
        """Ends that; what the user has not touched of the topic is gone. Harmless without."""
        if await self._inboxes.unsubscribe(user, topic):
            await self._tell(user, "SUBSCRIPTIONS")

    async def preferences(self, user: str) -> Preferences:
        """What the user does not want to be notified of."""
        return (await self._inboxes.read([user]))[user].preferences

    async def prefer(self, user: str, preferences: Preferences) -> None:
        """Replaces that."""
        if await self._inboxes.prefer(user, preferences):
            await self._tell(user, "PREFERENCES")

    async def _end(self, channel: str) -> Position:
        head = await self._heads.get(channel)
        return _START if head is None else head.position

    async def _tell(self, user: str, state: str) -> None:
        """The user's devices learn what is unread now."""
        change = InboxChanged(
            id=UUID(uuid7()),
            user_id=user,
            state=state,  # type: ignore[arg-type]
            at=times.now(),
        )
        await self._journal.append([change])
