"""Checking unread counts against what is stored, by reading every notification."""

from collections.abc import AsyncIterator

from msgspec import Struct

from hub.domain import times
from hub.services.inbox.unread import InboxStores, Unreads

_AT_ONCE = 64


class Drift(Struct, frozen=True):
    """A user whose count is not the number of unread notifications in the inbox."""

    user: str
    counted: int
    stored: int


class Audit(Struct, frozen=True):
    """What was looked at, and what was wrong."""

    users: int
    unread: int
    drifts: list[Drift]


async def audit(stores: InboxStores) -> Audit:
    """Compares every user's count with the notifications and announcements themselves, read one by
    one. Users whose inbox changes meanwhile are looked at again. Raises ``PyMongoError``."""
    unreads, users, total = Unreads(stores), 0, 0
    drifts: list[Drift] = []
    async for batch in _batches(stores):
        users += len(batch)
        readings = await unreads.read(batch)
        for user in batch:
            counted, stored = readings[user].unread, await _stored(stores, user)
            if counted.count != stored:
                again = (await unreads.read([user]))[user].unread
                if again.version != counted.version:  # it changed meanwhile
                    counted, stored = again, await _stored(stores, user)
            total += stored
            if counted.count != stored:
                drifts.append(Drift(user, counted.count, stored))
    return Audit(users, total, drifts)


async def _batches(stores: InboxStores) -> AsyncIterator[list[str]]:
    batch: list[str] = []
    async for user in stores.inboxes.users():
        batch.append(user)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


async def _stored(stores: InboxStores, user: str) -> int:
    """The unread notifications of a user, worked out from everything that is stored."""
    now, own = times.now(), [item async for item in stores.notifications.everything(user)]
    have = {item.id for item in own}
    found = sum(item.state.unread and item.ends_at > now for item in own)
    member = (await stores.inboxes.read([user]))[user]
    starts = member.starts()
    for each in await stores.announcements.current(starts):
        start = starts[each.channel]
        later = each.offset > start.offset or start.epoch not in ("", each.epoch)
        muted = member.preferences.mutes(each.content["type"], each.topic, critical=each.critical)
        found += later and not muted and each.id not in have and each.ends_at > now
    return found
