"""How much is unread: counted from what is stored, never added up."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from hub.domain import times
from hub.domain.ids import uuid7
from hub.domain.inbox import Announcement, Member, Unread, untouched
from hub.stores.announcements import Announcements
from hub.stores.coalescing import CoalescedReads
from hub.stores.inboxes import EVERYBODY, Inboxes
from hub.stores.notifications import Count, Notifications

_AT_ONCE: Final = 64
_SETTLED_IN: Final = 10


class Reading(Struct, frozen=True):
    """A user's inbox at one moment. ``untouched``: announcements without a state of the user's
    own, newest first; of what they say, only the short parts."""

    member: Member
    unread: Unread
    untouched: Sequence[Announcement]


class InboxStores(Struct, frozen=True):
    """Where inboxes are kept."""

    notifications: Notifications
    announcements: Announcements
    inboxes: Inboxes


class Unreads:
    """Reads counts that go with their versions.

    Promises: a count has every change that was complete before its version, so of several readings
    those of the highest version are right, and the last one of all is exact. What has ended is
    taken out of the count, and raises the version like any other change, when it is first noticed.
    Four round trips, whatever the number of users, unless something has just ended.
    """

    def __init__(self, stores: InboxStores) -> None:
        self._stores = stores
        self._coalesced = CoalescedReads(self.read, keys_at_once=_AT_ONCE)

    async def of(self, user: str) -> Reading:
        """One user's, in round trips shared with others who ask at the moment."""
        return (await self._coalesced.get((user,)))[user]

    async def read(self, users: Collection[str]) -> Mapping[str, Reading]:
        """Each user's. Raises ``PyMongoError``."""
        stores = self._stores
        for _ in range(_SETTLED_IN):
            members = await stores.inboxes.read(users)  # first: a version before its count
            channels = {channel for each in members.values() for channel in each.starts()}
            counts, touched, announced = await asyncio.gather(
                stores.notifications.count(users),
                stores.notifications.touched(users),
                stores.announcements.current(channels),
            )
            if not await self._end(times.now(), counts, announced):
                break
        return {
            user: _reading(member, counts.get(user), announced, touched.get(user, set()))
            for user, member in members.items()
        }

    async def _end(
        self, now: datetime, counts: Mapping[str, Count], announced: Sequence[Announcement]
    ) -> bool:
        """Settles what has ended; whether there was any, and the counts are to be read again.

        The version rises before it, too: should this process die in between, it did.
        """
        users = [user for user, count in counts.items() if count.soonest <= now]
        ended = any(each.ends_at <= now for each in announced)
        if not users and not ended:
            return False
        affected = [*users, EVERYBODY] if ended else users
        await self._raise(affected)
        if users:
            await self._stores.notifications.expire(users, now)
        if ended:
            await self._stores.announcements.expire(now)
        await self._raise(affected)
        return True

    async def _raise(self, users: Sequence[str]) -> None:
        await self._stores.inboxes.raise_versions([(user, uuid7(), 1) for user in users])


def _reading(
    member: Member, count: Count | None, announced: Sequence[Announcement], touched: set[str]
) -> Reading:
    new = untouched(member, announced, touched)
    stored = 0 if count is None else count.unread
    return Reading(member, Unread(stored + len(new), member.version), new)
