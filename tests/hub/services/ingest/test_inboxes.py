"""Inboxes through ingest on real stores: killed at every write, repeated, and what it costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from config.settings import Settings
from hub.broker.journal import UNTRACED, Journal, PartitionReader
from hub.domain import ids
from hub.domain.channels import partition_of, user_channel
from hub.domain.inbox import Announcement, Unread
from hub.domain.notifications import Item
from hub.domain.publications import AnyPublication, InboxChanged, Notification, Recipients
from hub.domain.readstate import As
from hub.services.inbox.audit import audit
from hub.services.inbox.inbox import Inbox
from hub.services.inbox.stores import InboxStores
from hub.services.inbox.unread import Unreads
from hub.services.ingest.batch import STEPS, Ingest, Stores
from hub.stores.announcements import Announcements
from hub.stores.inboxes import Inboxes
from hub.stores.markings import Marking
from hub.stores.notifications import Notifications
from tests.hub.domain import samples
from tests.hub.services.inbox.world import principal
from tests.support.stores import Opened, opened

U1 = principal("u1")


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Opened]:
    async with opened(settings) as found:
        yield found


def inbox(stores: Opened, journal: Journal | None = None) -> Inbox:
    return Inbox(stores.stores.inboxes, stores.stores.heads, journal or stores.journal)


class Killed(BaseException):
    """The process ends here."""


class Fuse:
    """Kills after so many writes, or at a step."""

    def __init__(self, after: int | str) -> None:
        self.after = after
        self.writes = 0

    def wrote(self) -> None:
        self.writes += 1
        if self.writes == self.after:
            raise Killed

    def step(self, name: str) -> None:
        if name == self.after:
            raise Killed


class MortalNotifications(Notifications):
    fuse: Fuse

    async def put(self, items: Sequence[Item]) -> set[tuple[str, str]]:
        new = await super().put(items)
        self.fuse.wrote()
        return new

    async def mark(self, markings: Sequence[Marking]) -> bool:
        changed = await super().mark(markings)
        self.fuse.wrote()
        return changed


class MortalAnnouncements(Announcements):
    fuse: Fuse

    async def insert_once(self, announcements: Sequence[Announcement]) -> None:
        await super().insert_once(announcements)
        self.fuse.wrote()


class MortalInboxes(Inboxes):
    fuse: Fuse

    async def raise_versions(self, causes: Sequence[tuple[str, str, int]]) -> None:
        await super().raise_versions(causes)
        self.fuse.wrote()


def mortal(stores: Opened, after: int | str) -> Ingest:
    """Ingest that is killed."""
    fuse, db = Fuse(after), stores.db
    notifications, announcements = MortalNotifications(db), MortalAnnouncements(db)
    members = MortalInboxes(db)
    notifications.fuse = announcements.fuse = members.fuse = fuse
    inboxes = InboxStores(notifications, announcements, members, stores.stores.inboxes.untold)
    healthy = stores.stores
    return Ingest(
        Stores(healthy.events, healthy.heads, inboxes),
        stores.hot_log,
        stores.journal,
        stores.keys.partitions,
        fuse.step,
    )


def marked(as_: As, *which: str) -> InboxChanged:
    """What a node that died put on the journal."""
    at = samples.after(10**8)
    return InboxChanged(id=UUID(ids.uuid7()), user_id="u1", state=as_.value, at=at, ids=list(which))


async def inbox_of(stores: Opened, user: str) -> tuple[list[tuple[str, bool]], Unread]:
    """What is listed: title and whether it is read; and the count."""
    page = await inbox(stores).page(principal(user))
    return [(each["title"], each["readAt"] is not None) for each in page.items], page.unread


async def told(stores: Opened, user: str) -> list[dict[str, Any]]:
    query = {"channel": user_channel(user)}
    return await stores.db["events"].find(query).sort("offset", 1).to_list()


@pytest.mark.parametrize("after", [*STEPS, *range(1, 9)])
async def test_killed_at_any_step_or_write_it_comes_to_the_same(
    stores: Opened, after: int | str
) -> None:
    nodes = inbox(stores)
    for user in ("u1", "u2"):
        await nodes.enter(principal(user))
    to_all = samples.notification(1, title="to all")
    await stores.publish([samples.notification(2, "u1", title="old"), to_all])
    await stores.drain(stores.ingest())
    before = await nodes.unread(U1)
    batch: list[AnyPublication] = [
        marked(As.READ, str(to_all.id), str(samples.uuid(2))),
        samples.notification(3, "u1", "u2", title="new"),
        samples.notification(4, "u1", title="first", dedupe_key="k"),
        samples.notification(5, "u1", title="second", dedupe_key="k"),
        samples.notification(6, title="again to all"),
    ]
    await stores.publish(batch)
    try:
        await stores.drain(mortal(stores, after))
    except Killed:
        died = await nodes.unread(U1)
        assert died.version >= before.version
    else:
        raise AssertionError("it was to be killed")
    await stores.drain(stores.ingest(), redelivered=True)
    await stores.drain(stores.ingest())

    listed, unread = await inbox_of(stores, "u1")
    assert sorted(listed) == [
        ("again to all", False),
        ("new", False),
        ("old", True),
        ("second", False),
        ("to all", True),
    ]
    assert unread.count == 3
    assert sorted((await inbox_of(stores, "u2"))[0]) == [
        ("again to all", False),
        ("new", False),
        ("to all", False),
    ]
    assert (await audit(stores.stores.inboxes)).drifts == []
    events = await told(stores, "u1")
    assert [(each["offset"], each["type"]) for each in events] == [
        (1, "NOTIFICATION_CREATED"),
        (2, "NOTIFICATIONS_CHANGED"),
        *((number, "NOTIFICATION_CREATED") for number in (3, 4, 5)),
    ]
    assert [each["data"].get("updated") for each in events[3:]] == [None, True]
    assert events[4]["data"]["id"] == str(samples.uuid(4))
    versions = [each["data"]["unread"]["version"] for each in events]
    assert versions == sorted(versions)
    assert unread.version >= max(died.version, *versions)
    assert events[-1]["data"]["unread"]["count"] in (2, 3), "the last to all may have come later"
    assert await stores.redis.xlen(stores.keys.dead(partition_of("user:u1", 16))) == 0


async def test_what_a_node_that_died_had_asked_for_is_done_by_ingest(stores: Opened) -> None:
    nodes = inbox(stores)
    await nodes.enter(U1)
    await stores.publish([samples.notification(1, "u1"), samples.notification(2)])
    await stores.drain(stores.ingest())
    before = await nodes.unread(U1)
    assert before.count == 2

    class Dying(Journal):
        async def append(self, publications: Any, traces: Any = UNTRACED) -> None:
            await super().append(publications, traces)
            raise Killed

    with pytest.raises(Killed):
        await inbox(stores, Dying(stores.redis, stores.keys)).mark(U1, "all", As.READ)
    assert await nodes.unread(U1) == before
    await stores.drain(stores.ingest())
    after = await nodes.unread(U1)
    assert (after.count, after.version > before.version) == (0, True)
    event = (await told(stores, "u1"))[-1]
    assert event["data"] == {"all": True, "state": "READ", "unread": after.wire()}


async def test_the_answer_has_the_numbers_that_the_other_devices_get(stores: Opened) -> None:
    nodes = inbox(stores)
    await nodes.enter(U1)
    await stores.publish([samples.notification(1, "u1")])
    await stores.drain(stores.ingest())
    done = await nodes.mark(U1, [str(samples.uuid(1))], As.READ)
    await stores.drain(stores.ingest())
    assert (await told(stores, "u1"))[-1]["data"]["unread"] == done.unread.wire()


async def test_an_id_that_belongs_to_something_else_leaves_nothing(stores: Opened) -> None:
    await stores.publish([samples.topic_event(1), samples.notification(2, "u2")])
    await stores.drain(stores.ingest())
    used = [samples.notification(1, "u1"), samples.notification(2, "u1")]
    await stores.publish(used)
    await stores.drain(stores.ingest())
    await stores.publish(used)
    await stores.drain(stores.ingest(), redelivered=True)
    await stores.drain(stores.ingest())
    assert await inbox_of(stores, "u1") == ([], Unread(0, (await inbox(stores).unread(U1)).version))
    assert await told(stores, "u1") == []
    assert [title for title, _ in (await inbox_of(stores, "u2"))[0]] == ["Team"]


class Writes(CommandListener):
    """What is asked of the store: names, and how many documents the writes are about."""

    def __init__(self) -> None:
        self.trips: list[str] = []
        self.documents = 0

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name not in {"hello", "ping", "endSessions"}:
            self.trips.append(event.command_name)
            for written in ("documents", "updates", "deletes"):
                self.documents += len(event.command.get(written, ()))

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


async def one_batch(stores: Opened, publications: Sequence[AnyPublication]) -> None:
    """Processes what goes to one partition at once."""
    await stores.publish(publications)
    partition = partition_of(publications[0].channel, 16)
    reader = PartitionReader(stores.redis, stores.keys, partition)
    entries = await stores.entries(reader)
    assert len(entries) == len(publications)
    await stores.ingest().process(reader, entries, redelivered=False)


@pytest.mark.parametrize("users", [1, 60])
async def test_a_broadcast_is_stored_once_for_however_many(settings: Settings, users: int) -> None:
    writes = Writes()
    async with opened(settings, [writes]) as stores:
        for number in range(users):
            await inbox(stores).enter(principal(f"u{number}"))
        writes.trips, writes.documents = [], 0
        await one_batch(stores, [samples.notification(1)])
        noted, dated = ["insert", "findAndModify"], ["update", "update"]
        assert writes.trips == ["find", "insert", "update", *noted, *dated]
        assert writes.documents == 5, "its event, itself, its date, its note, the end of the log"
        assert await stores.db["announcements"].count_documents({}) == 1
        assert await stores.db["notifications"].count_documents({}) == 0
        assert await stores.redis.xlen(stores.keys.log("all")) == 1
        for number in range(users):
            assert (await inbox(stores).unread(principal(f"u{number}"))).count == 1


USERS = [name for name in map(str, range(2000)) if partition_of(f"user:{name}", 16) == 3]


@pytest.mark.parametrize("count", [1, 40])
async def test_round_trips_do_not_depend_on_how_many_users_and_marks(
    settings: Settings, count: int
) -> None:
    writes = Writes()
    async with opened(settings, [writes]) as stores:
        await stores.publish([samples.notification(9999, type="x.y")])
        await stores.drain(stores.ingest())
        writes.trips = []
        batch: list[AnyPublication] = []
        for number, user in enumerate(USERS[:count]):
            id_ = UUID(ids.uuid7())
            to = Recipients(users=[user])
            batch.append(samples.notification(2 * number, to=to, dedupe_key="k"))
            batch.append(
                InboxChanged(
                    id=id_, user_id=user, state="READ", at=samples.after(9), ids=[str(id_)]
                )
            )
        await one_batch(stores, batch)
        assert all(isinstance(each, Notification | InboxChanged) for each in batch)
        heads, repeats, members, items = ["find"], ["find"], ["find"], ["update"]
        marks, versions, keyed = ["find", "update", "update"], ["update"], ["find"]
        counts = ["find", "aggregate", "find", "update"]
        assert writes.trips == [
            *heads, *repeats, *members, *items, *marks, *versions, *keyed, *counts,
            "insert", "update",
        ]  # fmt: skip


@pytest.mark.parametrize("other", ["the same", "another text", "another channel"])
async def test_a_publication_that_comes_again_takes_no_place_again(
    stores: Opened, other: str
) -> None:
    """It took one, and something newer took that since."""
    await inbox(stores).enter(U1)
    first = samples.notification(1, "u1", title="first", dedupe_key="k")
    if other == "another channel":
        first = samples.notification(1, to=Recipients(topic="t"))
    await stores.publish([first, samples.notification(2, "u1", title="second", dedupe_key="k")])
    await stores.drain(stores.ingest())
    before = await inbox_of(stores, "u1"), await told(stores, "u1")
    title = "first" if other == "the same" else "other"
    await stores.publish([samples.notification(1, "u1", title=title, dedupe_key="k")])
    await stores.drain(stores.ingest())
    (listed, unread), events = await inbox_of(stores, "u1"), await told(stores, "u1")
    assert (listed, unread.count, events) == (before[0][0], before[0][1].count, before[1])
    letters: Any = await stores.redis.xrange(stores.keys.dead(partition_of("user:u1", 16)))
    conflicts = [b"CONFLICT: the id was used before, on topic:t"] * (other == "another channel")
    assert [fields[b"reason"] for _, fields in letters] == conflicts


async def test_who_enters_while_an_announcement_is_half_stored_gets_it_once(
    stores: Opened,
) -> None:
    """Ingest dies when everybody counts it; then one who had a notification connects first."""
    await stores.publish([samples.notification(1, "u1"), samples.notification(2)])
    await stores.drain(stores.ingest())
    await stores.publish([samples.notification(3)])
    with pytest.raises(Killed):
        await stores.drain(mortal(stores, "announced"))
    await stores.publish([samples.notification(4, "u1")])
    await stores.drain(stores.ingest())
    before = (await Unreads(stores.stores.inboxes).of("u1")).unread
    await inbox(stores).enter(U1)
    for redelivered in (True, False):
        page = await inbox(stores).page(U1)
        assert page.unread.count == len(page.items) == 2
        assert page.unread == before or page.unread.version > before.version
        await stores.drain(stores.ingest(), redelivered=redelivered)
    assert not (await audit(stores.stores.inboxes)).drifts
