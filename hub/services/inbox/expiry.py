"""Telling devices what ends by itself: an ``expiresAt`` has passed, or the retention is over.

It goes the way of every other change: on the journal, and by ingest to the user's channel; of an
announcement, once to the channel that it went to.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from hub.broker.journal import Journal
from hub.domain.ids import derived_id
from hub.domain.publications import MARKED_AT_MOST, AnnouncementsEnded, AnyPublication, InboxChanged
from hub.services.inbox.stores import InboxStores
from hub.stores.notifications import Ended

AT_ONCE: Final = MARKED_AT_MOST
"""Notifications, and announcements, whose end is told in one go."""

_ID: Final = 36  # characters


class Expiry:
    """Tells what has ended. Should this die half-way, or two do it at once, it is told again: the
    same ends in the same order are the same publication, and more of them do no harm."""

    def __init__(self, stores: InboxStores, journal: Journal) -> None:
        self._stores = stores
        self._journal = journal

    async def tell(self, now: datetime) -> int:
        """Tells the first ``AT_ONCE`` of what has ended by ``now``; how many these are, 0 when it
        is all told. Raises ``PyMongoError``, ``RedisError``."""
        notifications, announcements = self._stores.notifications, self._stores.announcements
        ended = await notifications.ended(now, AT_ONCE)
        announced = await announcements.ended(now, AT_ONCE)
        if ended:
            await self._journal.append(_of_users(ended, now))
            await notifications.told(ended)
        if announced:
            await self._journal.append(_of_channels(announced))
            await announcements.told([id_ for _, id_ in announced])
        return len(ended) + len(announced)


def _of_users(ended: Iterable[Ended], now: datetime) -> list[AnyPublication]:
    users: dict[str, list[Ended]] = {}
    for each in ended:
        users.setdefault(each.recipient, []).append(each)
    return [
        InboxChanged(
            id=_id(user, [f"{each.id} {each.at.isoformat()}" for each in several]),
            user_id=user,
            state="EXPIRED",
            at=now,
            ids=[each.id for each in several],
        )
        for user, several in users.items()
    ]


def _of_channels(ended: Iterable[tuple[str, str]]) -> list[AnyPublication]:
    channels: dict[str, list[str]] = {}
    for channel, id_ in ended:
        channels.setdefault(channel, []).append(id_)
    return [
        AnnouncementsEnded(id=_id(channel, ids), announced_on=channel, ids=ids)
        for channel, ids in channels.items()
    ]


def _id(whose: str, ends: Sequence[str]) -> UUID:
    return UUID(derived_id(ends[0][:_ID], " ".join(["ended", whose, *ends])))
