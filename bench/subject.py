"""One inbox on real stores, filled in bulk, and the calls whose cost is asked: those of every door,
beneath the limit that the hub sets to how long anybody waits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandListener
from redis.asyncio import Redis

from hub.broker.connect import open_redis
from hub.broker.journal import Journal
from hub.broker.keys import Keys
from hub.domain import notifications
from hub.domain.events import Position
from hub.domain.ids import uuid7
from hub.domain.inbox import Announcement, Key
from hub.domain.notifications import Item
from hub.domain.readstate import As, State
from hub.services.inbox import announcing, lists
from hub.services.inbox.marking import Marks
from hub.services.inbox.stores import InboxStores, inbox_stores
from hub.services.inbox.unread import Unreads
from hub.stores.markings import Filter
from hub.stores.mongo import ensure_indexes

USER: Final = "u1"
LIMIT: Final = 20
"""Notifications on a page."""

_BATCH: Final = 1000
_PARTITIONS: Final = 16
_FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)
_STEP: Final = timedelta(seconds=10)
_KEPT: Final = timedelta(days=36_500)
_TYPES: Final = 10
_BODY: Final = "b" * 100

Tell = Callable[[str], None]


class Subject:
    """The inbox of one user, and the services that answer for it."""

    def __init__(self, stores: InboxStores, journal: Journal) -> None:
        self.stores = stores
        self.unreads = Unreads(stores)
        self.marks = Marks(stores, self.unreads, journal)
        self.count = 0
        self.announced = 0
        self._markable: Iterator[str] = iter(())
        self._announced: Iterator[str] = iter(())

    async def fill(self, count: int, announced: int, tell: Tell) -> None:
        """Stores ``count`` notifications, of ten types, half of them unread and a tenth
        dismissed, and ``announced`` announcements, one after every tenth of the newest."""
        for first in range(0, count, _BATCH):
            numbers = range(first, min(first + _BATCH, count))
            await self.stores.notifications.put([_item(number) for number in numbers])
            if numbers.stop % (10 * _BATCH) == 0:
                tell(f"{numbers.stop} of {count} notifications stored")
        several = [_announcement(number, count - 1 - 10 * number) for number in range(announced)]
        noted = await announcing.announce(self.stores, several)
        await announcing.date(self.stores, noted)
        await self.stores.inboxes.enter([USER], Position("", 0))
        await self._changed()
        self.count, self.announced = count, announced
        self._markable = (_id(number) for number in range(count) if number % 10 == 0)
        self._announced = (_announcement_id(number) for number in range(announced))

    async def announce(self, number: int) -> None:
        """Announces something to all."""
        noted = await announcing.announce(self.stores, [_announcement(number, number)])
        await announcing.date(self.stores, noted)

    async def touch(self) -> None:
        """As if the user had read every announcement."""
        state = State(_FIRST, _FIRST, None, "0", "")
        announced = [_announcement(number, 0) for number in range(self.announced)]
        found = await self.stores.announcements.get([each.id for each in announced])
        copies = [notifications.copy(each, USER, state) for each in found.values()]
        for first in range(0, len(copies), _BATCH):
            await self.stores.notifications.put(copies[first : first + _BATCH])
        await self._changed()

    async def _changed(self) -> None:
        await self.stores.inboxes.raise_versions([(USER, uuid7(), 1)])
        await self.unreads.of(USER)

    async def page(
        self, filter: Filter = "ALL", type: str | None = None, before: Key | None = None
    ) -> lists.Page:
        """A page of the list."""
        return await lists.page(
            self.stores,
            self.unreads,
            USER,
            filter=filter,
            type=type,
            limit=LIMIT,
            before=before,
        )

    @property
    def middle(self) -> Key:
        """A place deep in the list."""
        number = self.count // 2
        return Key(_at(number), _id(number))

    async def mark(self, which: list[str]) -> int:
        """Marks as read; how many that changed."""
        return (await self.marks.mark(USER, which, As.READ, None)).changed

    async def mark_next(self) -> int:
        """Marks one that is unread."""
        return await self.mark([next(self._markable)])

    async def mark_next_announcement(self) -> int:
        """Marks an announcement that has not been touched."""
        return await self.mark([next(self._announced)])

    async def mark_all(self) -> int:
        """Marks all as read; how many that changed."""
        return (await self.marks.mark(USER, "all", As.READ, None)).changed


Call = Callable[[Subject], Awaitable[Any]]

CALLS: Final[dict[str, Call]] = {
    "list, first page": lambda inbox: inbox.page(),
    "list, deep page": lambda inbox: inbox.page(before=inbox.middle),
    "list, unread": lambda inbox: inbox.page("UNREAD"),
    "list, dismissed": lambda inbox: inbox.page("DISMISSED"),
    "list, by type": lambda inbox: inbox.page(type="bench.3"),
    "unread count": lambda inbox: inbox.unreads.of(USER),
    "unread count, counted": lambda inbox: inbox.unreads.whole(USER),
    "mark one": Subject.mark_next,
    "mark one that is read": lambda inbox: inbox.mark([_id(9)]),
    "mark an announcement": Subject.mark_next_announcement,
}
"""What may be called often."""

PAGES: Final = frozenset(name for name in CALLS if name.startswith("list"))
"""Those that give a page."""


@asynccontextmanager
async def subject(
    mongo_url: str, redis_url: str, database: str, listener: CommandListener
) -> AsyncIterator[Subject]:
    """An empty inbox on these stores. It waits for them as long as they take."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        mongo_url,
        w="majority",
        journal=True,
        tz_aware=True,
        event_listeners=[listener],
        serverMonitoringMode="poll",
    )
    redis: Redis = open_redis(redis_url, timeout=30)
    try:
        db = client[database]
        await ensure_indexes(db)
        stores = inbox_stores(db)
        yield Subject(stores, Journal(redis, Keys(_PARTITIONS)))
    finally:
        await redis.aclose()
        await client.close()


def _at(number: int) -> datetime:
    return _FIRST + number * _STEP


def _id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"


def _announcement_id(number: int) -> str:
    return f"00000000-0000-7000-9000-{number:012x}"


def _content(type_: str, number: int) -> dict[str, Any]:
    return {"type": type_, "title": f"Nova equipe {number}", "body": _BODY, "severity": "INFO"}


def _item(number: int) -> Item:
    at = _at(number)
    return Item(
        id=_id(number),
        recipient=USER,
        scope="USER",
        content=_content(f"bench.{number // 10 % _TYPES}", number),
        created_at=at,
        ends_at=at + _KEPT,
        state=_state(number, at),
    )


def _state(number: int, at: datetime) -> State:
    """Of ten, five are unread, four read and one dismissed."""
    match number % 10:
        case 0 | 1 | 2 | 3 | 4:
            return State()
        case 5:
            return State(dismissed_at=at, dismiss_stamp="0")
        case _:
            return State(at, at, None, "0", "")


def _announcement(number: int, among: int) -> Announcement:
    at = _at(among)
    says = _content(f"bench.{number % _TYPES}", number)
    return Announcement(_announcement_id(number), "all", "e", number + 1, at, at + _KEPT, says)
