"""How much is unread: counted from what is stored, never added up."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from hub.domain import times
from hub.domain.ids import uuid7
from hub.domain.inbox import Announcement, Member, Settled, Unread, untouched
from hub.stores.announcements import Announcements
from hub.stores.coalescing import CoalescedReads
from hub.stores.inboxes import EVERYBODY, Claim, Inboxes
from hub.stores.notifications import Count, Notifications

_AT_ONCE: Final = 64
_ATTEMPTS: Final = 20
_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_NO_STEPS: Final[Mapping[str, int]] = {}


class Reading(Struct, frozen=True):
    """A user's inbox at one moment. ``unread``: the count that is settled with its version.

    ``untouched``: announcements without a state of the user's own, newest first; of what they say,
    only the short parts. ``counted``: what is stored as unread now, which may have a change more,
    whose version is still to come. Both only where the inbox was read whole.
    """

    member: Member
    unread: Unread
    untouched: Sequence[Announcement] = ()
    counted: int = 0


class InboxStores(Struct, frozen=True):
    """Where inboxes are kept."""

    notifications: Notifications
    announcements: Announcements
    inboxes: Inboxes


class Unreads:
    """Reads counts that go with their versions.

    Promises: a count has every change that was complete before its version; of one version there is
    one count, whoever asks; of several readings the one with the highest version is right, and the
    last one of all is exact. What has ended is taken out of the count, and raises the version like
    any other change, when it is first noticed.

    One round trip where the count is settled; else five, whatever the number of users, unless
    something has just ended or changes meanwhile. Everything raises ``PyMongoError``, and
    TimeoutError where an inbox goes on changing faster than it is read.
    """

    def __init__(self, stores: InboxStores) -> None:
        self._stores = stores
        self._coalesced = CoalescedReads(self.read, keys_at_once=_AT_ONCE)
        self._coalesced_whole = CoalescedReads(self.read_whole, keys_at_once=_AT_ONCE)

    async def of(self, user: str) -> Reading:
        """One user's, in round trips shared with others who ask at the moment."""
        return (await self._coalesced.get((user,)))[user]

    async def whole(self, user: str) -> Reading:
        """The same, with the announcements."""
        return (await self._coalesced_whole.get((user,)))[user]

    async def read(
        self, users: Collection[str], steps: Mapping[str, int] = _NO_STEPS
    ) -> Mapping[str, Reading]:
        """Each user's. ``steps``: how many versions to take for a user, of whom the reading has the
        last one; nobody else ever has one of these."""
        return await self._read(users, steps, whole=False)

    async def read_whole(self, users: Collection[str]) -> Mapping[str, Reading]:
        """Each user's, with the announcements."""
        return await self._read(users, _NO_STEPS, whole=True)

    async def _read(
        self, users: Collection[str], steps: Mapping[str, int], *, whole: bool
    ) -> Mapping[str, Reading]:
        found: dict[str, Reading] = {}
        wanted = set(users)
        for _ in range(_ATTEMPTS):
            members = await self._stores.inboxes.read(wanted)  # first: a version before its count
            if not whole:
                found |= _settled([members[user] for user in wanted - steps.keys()])
            rest = [each for each in members.values() if each.user_id not in found]
            if rest:
                found |= await self._count(rest, steps)
            wanted -= found.keys()
            if not wanted:
                return found
        raise TimeoutError("an inbox goes on changing faster than it is read")

    async def _count(
        self, members: Sequence[Member], steps: Mapping[str, int]
    ) -> Mapping[str, Reading]:
        """Counts anew. Empty when that is to be tried again."""
        stores, users = self._stores, [each.user_id for each in members]
        channels = {channel for each in members for channel in each.starts()}
        counts, touched, announced = await asyncio.gather(
            stores.notifications.count(users),
            stores.notifications.touched(users),
            stores.announcements.current(channels),
        )
        now = times.now()
        if await self._end(now, counts, announced):
            return {}
        lapsed = [each.user_id for each in members if _lapsed(each, now)]
        if lapsed:  # others noticed what has ended
            await self._raise(lapsed)
            return {}
        found, claims = {}, []
        for member in members:
            user = member.user_id
            reading, until = _reading(member, counts.get(user), announced, touched.get(user, set()))
            claim = _claim(reading, until, steps.get(user, 0))
            if claim is not None:
                claims.append(claim)
                reading = Reading(member, claim.settled.unread, reading.untouched, reading.counted)
            found[user] = reading
        return found if await stores.inboxes.settle(claims) else {}

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


def _settled(members: Iterable[Member]) -> dict[str, Reading]:
    """Those whose count is settled already."""
    now = times.now()
    return {
        each.user_id: Reading(each, each.settled.unread)
        for each in members
        if each.settled is not None and each.settled.holds(each.version, now)
    }


def _lapsed(member: Member, now: datetime) -> bool:
    """Whether the count of this version was settled with something that has ended since."""
    settled = member.settled
    return (
        settled is not None
        and settled.unread.version == member.version
        and not settled.holds(member.version, now)
    )


def _reading(
    member: Member, count: Count | None, announced: Sequence[Announcement], touched: set[str]
) -> tuple[Reading, datetime]:
    """What was read, and when the first of it ends."""
    new = untouched(member, announced, touched)
    counted = len(new) + (0 if count is None else count.unread)
    ends = [each.ends_at for each in new] + ([] if count is None else [count.soonest])
    settled = member.settled
    if not member.stored:  # no change of this inbox was ever completed
        unread = Unread(0, member.version)
    elif settled is not None and settled.unread.version == member.version:
        unread = settled.unread
    else:
        unread = Unread(counted, member.version)
    return Reading(member, unread, new, counted), min(ends, default=_NEVER)


def _claim(reading: Reading, until: datetime, steps: int) -> Claim | None:
    """What is to be settled for a reading, if it is new."""
    member, settled = reading.member, reading.member.settled
    known = settled is not None and settled.unread.version == member.version
    if not member.stored or (known and not steps):
        return None
    unread = Unread(reading.counted, member.version + steps)
    return Claim(member.user_id, member.changes, Settled(unread, until), steps)
