"""How much is unread: counted from what is stored, never added up."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from hub.domain import times
from hub.domain.ids import uuid7
from hub.domain.inbox import Announcement, Everybody, Member, Settled, Unread, untouched
from hub.services.inbox import announcing
from hub.services.inbox.announced import Announced, View
from hub.services.inbox.stores import InboxStores
from hub.stores.coalescing import CoalescedReads
from hub.stores.inboxes import Claim
from hub.stores.notifications import Count

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


class Unreads:
    """Reads counts that go with their versions.

    Promises: a count has every change that was complete before its version; of one version there is
    one count, whoever asks; of several readings the one with the highest version is right, and the
    last one of all is exact. What has ended is taken out of the count, and raises the version like
    any other change, when it is first noticed.

    One round trip where nothing of the user's own has changed since the count was settled, and
    another where announcements came or ended; else four, whatever the number of users, unless
    something has just ended or changes meanwhile. Everything raises ``PyMongoError``, and
    TimeoutError where an inbox goes on changing faster than it is read.
    """

    def __init__(self, stores: InboxStores) -> None:
        self._stores = stores
        self._announced = Announced(stores.announcements)
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
            views = await self._views(members.values())
            if views is not None:
                if not whole:
                    found |= _known([members[user] for user in wanted - steps.keys()], views)
                rest = [
                    each
                    for each in members.values()
                    if each.user_id not in found and not _is_behind(each)
                ]
                if rest:
                    found |= await self._count(rest, views, steps)
            wanted -= found.keys()
            if not wanted:
                return found
        raise TimeoutError("an inbox goes on changing faster than it is read")

    async def _views(self, members: Collection[Member]) -> Mapping[str, View] | None:
        channels = {channel for each in members for channel in each.starts()}
        everybody = next(iter(members)).everybody if members else Everybody()
        return await self._announced.at(everybody, channels)

    async def _count(
        self, members: Sequence[Member], views: Mapping[str, View], steps: Mapping[str, int]
    ) -> Mapping[str, Reading]:
        """Counts anew. Empty when that is to be tried again."""
        notifications, users = self._stores.notifications, [each.user_id for each in members]
        counts, touched = await asyncio.gather(
            notifications.count(users), notifications.touched(users)
        )
        now = times.now()
        if await self._end(now, counts, views.values()):
            return {}
        lapsed = [each.user_id for each in members if _lapsed(each, views, now)]
        if lapsed:  # others noticed what has ended
            await self._raise(lapsed)
            return {}
        found, claims = {}, []
        for member in members:
            user = member.user_id
            counted = _counted(member, views, counts.get(user), touched.get(user, set()))
            known = _unread(member, views, now)
            step = steps.get(user, 0)
            if known is None or step:
                settled = Settled(
                    counted.count, member.changes + step, member.everybody.version, counted.until
                )
                claims.append(Claim(member, settled, step))
                known = Unread(settled.count, settled.version)
            found[user] = Reading(member, known, counted.untouched, counted.count)
        return found if await self._stores.inboxes.settle(claims) else {}

    async def _end(self, now: datetime, counts: Mapping[str, Count], views: Iterable[View]) -> bool:
        """Notes what has ended; whether there was any, and the counts are to be read again.

        A user's version rises before it, too: should this process die in between, it did.
        """
        users = [user for user, count in counts.items() if count.soonest <= now]
        ended = any(each.ends_at <= now for view in views for each in view.current)
        if users:
            await self._raise(users)
            await self._stores.notifications.expire(users, now)
            await self._raise(users)
        if ended:
            await announcing.end(self._stores, now)
        return bool(users) or ended

    async def _raise(self, users: Sequence[str]) -> None:
        await self._stores.inboxes.raise_versions([(user, uuid7(), 1) for user in users])


def _known(members: Iterable[Member], views: Mapping[str, View]) -> dict[str, Reading]:
    """Those whose count can be told without counting."""
    now = times.now()
    counts = ((each, _unread(each, views, now)) for each in members)
    return {each.user_id: Reading(each, unread) for each, unread in counts if unread is not None}


def _unread(member: Member, views: Mapping[str, View], now: datetime) -> Unread | None:
    """What is unread: what was when the count was settled, and the announcements that came since.
    None when it is to be counted: something of the user's own changed, or something has ended."""
    settled, count, everybody = member.settled, 0, 0
    if not member.stored:  # no change of this inbox was ever completed
        return Unread(0, member.version)
    if settled is not None:
        count, everybody = settled.count, settled.everybody
        if _is_behind(member) or not _holds(settled, member, views) or settled.until <= now:
            return None
    elif member.changes:
        return None
    new = _new(member, views, everybody)
    if any(each.ends_at <= now for each in new):
        return None
    return Unread(count + len(new), member.version)


def _is_behind(member: Member) -> bool:
    """Whether the count was settled at a later version of everybody's than was read."""
    settled = member.settled
    return settled is not None and settled.everybody > member.everybody.version


def _holds(settled: Settled, member: Member, views: Mapping[str, View]) -> bool:
    """Whether what was settled is still in the count."""
    return settled.changes == member.changes and all(
        views[each].last_gone <= settled.everybody for each in member.starts()
    )


def _lapsed(member: Member, views: Mapping[str, View], now: datetime) -> bool:
    """Whether a count that holds was settled with something that has ended since."""
    settled = member.settled
    return settled is not None and settled.until <= now and _holds(settled, member, views)


def _new(member: Member, views: Mapping[str, View], everybody: int) -> Sequence[Announcement]:
    """The user's announcements that came after a version of everybody's."""
    channels = member.starts()
    came = [each for channel in channels for each in views[channel].after(everybody)]
    return untouched(member, came, ()) if came else ()


class _Counted(Struct, frozen=True):
    """What was counted, and when the first of it ends."""

    count: int
    untouched: Sequence[Announcement]
    until: datetime


def _counted(
    member: Member, views: Mapping[str, View], count: Count | None, touched: set[str]
) -> _Counted:
    announced = [each for channel in member.starts() for each in views[channel].current]
    new = untouched(member, announced, touched)
    ends = [each.ends_at for each in new] + ([] if count is None else [count.soonest])
    unread = len(new) + (0 if count is None else count.unread)
    return _Counted(unread, new, min(ends, default=_NEVER))
