"""Checking unread counts against what is stored, by reading every notification."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from msgspec import Struct

from hub.domain import times
from hub.domain.inbox import NEVER
from hub.services.inbox.stores import InboxStores
from hub.services.inbox.unread import Reading, Unreads

_AT_ONCE: Final = 64
_LOOKS: Final = 3
_CHANGING: Final = 0.2  # seconds within which a change has raised the version


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
    """Compares every user's count, as it is settled and as it is counted anew, with the
    notifications and announcements themselves, read one by one. Users for whom these differ are
    looked at again, as their inbox may be changing. Raises ``PyMongoError``."""
    unreads, users, total = Unreads(stores), 0, 0
    drifts: list[Drift] = []
    async for batch in _batches(stores):
        users += len(batch)
        readings = await unreads.read_whole(batch)
        for user in batch:
            stored = await _stored(stores, user)
            counted = _unlike(readings[user], stored)
            for _ in range(_LOOKS):
                if counted == stored:
                    break
                await asyncio.sleep(_CHANGING)
                reading, stored = await unreads.whole(user), await _stored(stores, user)
                counted = _unlike(reading, stored)
            total += stored
            if counted != stored:
                drifts.append(Drift(user, counted, stored))
    return Audit(users, total, drifts)


def _unlike(reading: Reading, stored: int) -> int:
    """The count that is not ``stored``, if there is one."""
    settled = reading.unread.count
    return settled if settled != stored else reading.counted


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
    for each in await stores.announcements.current(list(starts), member.everybody.version):
        start = starts[each.channel]
        later = each.offset > start.offset or start.epoch not in ("", each.epoch)
        muted = member.preferences.mutes(each.content["type"], each.topic, critical=each.critical)
        come = min(each.came, member.everybody.came.get(each.id, each.came)) < NEVER
        found += come and later and not muted and each.id not in have and each.ends_at > now
    return found
