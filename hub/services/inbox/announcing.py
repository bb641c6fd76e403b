"""Announcements come, and end: each of it is one version of everybody's.

In what order: the announcement is stored; everybody's version rises, and the same write notes what
with; the announcement is dated; the note is removed. Whoever reads everybody's version therefore
knows exactly which announcements count at it: dated ones by their dates, others by the note, and
what is in neither is of a version to come. Every step may be the last one of this process: the
next to do any of it does the rest.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from hub.domain.inbox import Announcement, Everybody
from hub.services.inbox.stores import InboxStores

_AT_ONCE: Final = 1000


async def announce(stores: InboxStores, announcements: Sequence[Announcement]) -> Everybody:
    """Stores announcements, once for all who are addressed; from now on they count. Returns what
    ``date`` is to be given then. Raises ``PyMongoError``."""
    if not announcements:
        return Everybody()
    await stores.announcements.insert_once(announcements)
    return await stores.inboxes.note(came=[each.id for each in announcements])


async def end(stores: InboxStores, now: datetime) -> None:
    """What has ended by ``now`` counts no more. Raises ``PyMongoError``."""
    while over := await stores.announcements.over(now, _AT_ONCE):
        await date(stores, await stores.inboxes.note(gone=over))


async def date(stores: InboxStores, noted: Everybody) -> None:
    """Lets announcements themselves say what is noted of them. Raises ``PyMongoError``."""
    if noted.came or noted.gone:
        await stores.announcements.date(noted)
        await stores.inboxes.dated(noted)
