"""Inboxes on real stores beside a model of them: users, two nodes, and ingest by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from hub import tokens
from hub.broker.journal import UNTRACED, Journal
from hub.domain import times
from hub.domain.ids import derived_id, uuid7
from hub.domain.inbox import Unread
from hub.domain.principal import Principal, Role
from hub.domain.publications import AnyPublication, InboxChanged, Notification, Recipients
from hub.domain.readstate import As, Mark, State, differs, merged
from hub.services.inbox.audit import audit
from hub.services.inbox.expiry import Expiry
from hub.services.inbox.inbox import Inbox
from hub.stores.markings import Filter
from tests.conftest import JWT_SECRET
from tests.hub.services.inbox.views import View
from tests.support.stores import Opened

FILTERS: tuple[Filter, ...] = ("UNREAD", "ALL", "DISMISSED")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FAR = datetime.max.replace(tzinfo=UTC)


def principal(user: str) -> Principal:
    """A user."""
    return Principal(user, frozenset({Role.USER}), frozenset(), FAR)


class RecordingJournal(Journal):
    """Remembers what the hub put on the journal."""

    changes: list[InboxChanged]

    async def append(
        self,
        publications: Iterable[AnyPublication],
        traces: Mapping[str, str] = UNTRACED,
    ) -> None:
        given = list(publications)
        await super().append(given, traces)
        self.changes += [each for each in given if isinstance(each, InboxChanged)]


@dataclass
class Told:
    """A notification as the model has it; ``topic``: of an announcement, "" when to all."""

    id: str
    type: str
    announced: bool
    topic: str = ""
    critical: bool = False
    title: str = ""
    dedupe_key: str | None = None
    expired: bool = False
    touched: bool = False
    state: State = field(default_factory=State)


@dataclass
class Person:
    """A user as the model has them: ``inbox`` oldest first."""

    name: str
    inbox: dict[str, Told] = field(default_factory=dict)
    topics: set[str] = field(default_factory=set)
    muted_types: set[str] = field(default_factory=set)
    muted_topics: set[str] = field(default_factory=set)
    known: dict[int, int] = field(default_factory=dict)  # version → count
    views: list[View] = field(default_factory=list)
    since: dict[str, int] = field(default_factory=dict)  # topic → where its log was then
    last: datetime = EPOCH  # of what was marked

    def mutes(self, told: Told) -> bool:
        muted = told.type in self.muted_types or told.topic in self.muted_topics
        return muted and not told.critical

    def shows(self, told: Told) -> bool:
        """Whether it is in the inbox at all."""
        if told.expired:
            return False
        if not told.announced or told.touched:
            return True
        return not self.mutes(told) and (not told.topic or told.topic in self.topics)

    def listed(self, filter_: str) -> list[str]:
        """The ids of a list, newest first."""
        found = []
        for told in self.inbox.values():
            dismissed = told.state.dismissed_at is not None
            if not self.shows(told) or dismissed is not (filter_ == "DISMISSED"):
                continue
            if filter_ != "UNREAD" or told.state.unread:
                found.append(told.id)
        return found[::-1]

    def unread(self) -> int:
        return len(self.listed("UNREAD"))

    def join(self, topic: str, end: int) -> None:
        """Subscribes to a topic whose log is so far."""
        if topic not in self.topics:
            self.forget(topic)
            self.topics.add(topic)
            self.since[f"topic:{topic}"] = end

    def forget(self, topic: str) -> None:
        """What came before a subscription is not the user's."""
        for told in list(self.inbox.values()):
            if told.topic == topic and not told.touched:
                del self.inbox[told.id]

    def apply(self, change: InboxChanged) -> None:
        """Takes in a mark, as the pure merge says."""
        if change.state not in As.__members__:
            return
        mark = Mark(As(change.state), change.at, str(change.id))
        self.last = max(self.last, change.at)
        for id_ in change.ids:
            told = self.inbox[id_]
            told.touched = True
            told.state = merged(told.state, mark)


class World:
    """Everything, and the model beside it."""

    def __init__(
        self, stores: Opened, prefix: str, users: Sequence[str], urls: Sequence[str] = ()
    ) -> None:
        self.stores = stores
        self.urls = list(urls)
        self.prefix = prefix
        self.people = {name: Person(f"{prefix}-{name}") for name in users}
        self.journal = RecordingJournal(stores.redis, stores.keys)
        self.journal.changes = []
        self.nodes = [self._node(), self._node()]
        self.ingest = stores.ingest()
        self.expiry = Expiry(stores.stores.inboxes, self.journal)

    def _node(self) -> Inbox:
        return Inbox(self.stores.stores.inboxes, self.stores.stores.heads, self.journal)

    def who(self, user: str) -> Principal:
        return principal(self.people[user].name)

    async def enter(self) -> None:
        for user in self.people:
            await self.nodes[0].enter(self.who(user))

    async def publish(
        self, to: Sequence[str] | str, type_: str, *, critical: bool, key: str | None
    ) -> None:
        """Publishes to users, to a topic (its name) or to "all", and processes it."""
        id_, title = uuid7(), uuid7()[-8:]
        more: dict[str, Any] = {"severity": "ERROR", "sender": "ADMIN"} if critical else {}
        if key is not None:
            more["dedupe_key"] = key
        told = Told(id_, type_, announced=True, critical=critical, title=title)
        recipients: Recipients | Literal["all"]
        if to == "all":
            recipients = "all"
            for person in self.people.values():
                person.inbox[id_] = Told(id_, type_, True, critical=critical, title=title)
        elif isinstance(to, str):
            told.topic = f"{self.prefix}-{to}"
            recipients = Recipients(topic=told.topic)
            for person in self.people.values():
                if told.topic in person.topics:
                    person.inbox[id_] = Told(id_, type_, True, told.topic, critical, title)
        else:
            recipients = Recipients(users=[self.people[user].name for user in to])
            told = Told(id_, type_, False, "", critical, title, key)
        publication = Notification(
            id=UUID(id_), to=recipients, type=type_, title=title, body="b", **more
        )
        await self.stores.publish([publication])
        await self.drain()
        if not told.announced:
            for index, user in enumerate(to):
                one = replace(told)
                if index:
                    one.id = derived_id(id_, f"user:{self.people[user].name}")
                await self._deliver(self.people[user], one)

    async def _deliver(self, person: Person, told: Told) -> None:
        if person.mutes(told):
            return
        same = [
            each
            for each in person.inbox.values()
            if told.dedupe_key is not None
            and each.dedupe_key == told.dedupe_key
            and each.state.unread
            and not each.expired
        ]
        if same:
            event = (await self.stores.stores.events.by_ids([told.id]))[told.id]
            assert event.data["updated"] is True
            [place] = [each for each in same if each.id == event.data["id"]]
            place.title, place.type, place.critical = told.title, told.type, told.critical
        else:
            person.inbox[told.id] = told

    async def drain(self) -> None:
        await self.stores.drain(self.ingest)

    async def mark(self, user: str, ids: Sequence[str], as_: As, node: int = 0) -> int:
        """Marks by ids; what changed."""
        before = len(self.journal.changes)
        marked = await self.nodes[node].mark(self.who(user), list(ids), as_)
        person = self.people[user]
        for change in self.journal.changes[before:]:
            assert change.user_id == person.name
            person.apply(change)
        self._hear(person, marked.unread)
        return marked.changed

    async def mark_at_once(self, user: str, marks: Sequence[tuple[list[str], As, int]]) -> None:
        """Several devices mark at the same time, while ingest works."""
        before, person = len(self.journal.changes), self.people[user]
        marking = [self.nodes[node].mark(self.who(user), ids, as_) for ids, as_, node in marks]
        await asyncio.gather(*marking, self.drain())
        for change in reversed(self.journal.changes[before:]):  # their order does not matter
            person.apply(change)

    async def mark_all(self, user: str, as_: As, up_to: str | None, node: int = 0) -> int:
        """Marks all, up to one; what changed."""
        person, before = self.people[user], len(self.journal.changes)
        marked = await self.nodes[node].mark(self.who(user), "all", as_, up_to)
        scope = person.listed("ALL")
        if up_to is not None:
            places = list(person.inbox)
            scope = [each for each in scope if places.index(each) <= places.index(up_to)]
        expected = 0
        if as_ is not As.RESTORED:
            wanted = [each for each in scope if differs(person.inbox[each].state, as_)]
            expected = len(wanted)
            for change in self.journal.changes[before:]:
                person.last = max(person.last, change.at)
                for id_ in wanted:
                    told = person.inbox[id_]
                    told.state = merged(told.state, Mark(as_, change.at, str(change.id)))
                for id_ in scope:
                    person.inbox[id_].touched = True
        assert marked.changed == expected
        self._hear(person, marked.unread)
        return marked.changed

    async def expire(self, user: str, id_: str, *, noticed: bool) -> None:
        """Its time has come. ``noticed``: somebody counts before anybody is told."""
        told = self.people[user].inbox[id_]
        if told.announced:
            await self.stores.end("announcements", {"_id": id_})
            await self.stores.end("notifications", {"id": id_})
            over = [each.inbox[id_] for each in self.people.values() if id_ in each.inbox]
        else:
            where = {"_id": f"{self.people[user].name}/{id_}"}
            await self.stores.end("notifications", where)
            over = [told]
        for each in over:
            each.expired = True
        if noticed:
            person = self.people[user]
            if told.announced:  # when one ends does not change while a node knows it, but for here
                self.nodes[0] = self._node()
            assert (await self.nodes[0].unread(self.who(user))).count == person.unread()
        while await self.expiry.tell(times.now()):
            await self.drain()

    async def connect(self, user: str, node: int) -> None:
        """A new device."""
        person = self.people[user]
        token = tokens.mint(JWT_SECRET, person.name)
        person.views.append(View(self.urls, token))
        person.views[-1].known = person.known
        await person.views[-1].connect(node)

    @property
    def devices(self) -> int:
        """How many there are, connected or not."""
        return sum(len(person.views) for person in self.people.values())

    def markers(self) -> list[tuple[str, View]]:
        """Connected devices that have something to mark."""
        return [
            (user, view)
            for user, person in self.people.items()
            for view in person.views
            if view.connected and person.inbox
        ]

    async def end(self, channel: str) -> int:
        """How far a channel's log is."""
        head = await self.stores.stores.heads.get(channel)
        return 0 if head is None else head.offset

    async def mark_on(self, view: View, user: str, ids: Sequence[str], as_: As) -> None:
        """A device marks."""
        person = self.people[user]
        shown = [told for id_ in ids if (told := person.inbox.get(id_)) and person.shows(told)]
        wanted = [told for told in shown if differs(told.state, as_)]
        assert await view.mark(list(ids), as_.value) == len(wanted)
        person.last = max(times.now(), person.last + timedelta(milliseconds=1))
        for told in wanted:
            told.touched = True
            told.state = merged(told.state, Mark(as_, person.last, uuid7()))

    async def close(self) -> None:
        """All devices leave."""
        for person in self.people.values():
            for view in person.views:
                await view.leave(rudely=False)

    async def _check_views(self, person: Person) -> None:
        """What each device shows by itself is what a fresh list and the count say."""
        names = [f"user:{person.name}", "all", *(f"topic:{each}" for each in person.topics)]
        heads = await self.stores.stores.heads.read(names)
        ends = {
            name: head.position
            for name, head in heads.items()
            if head.offset > person.since.get(name, 0)
        }
        for view in person.views:
            if view.connected:
                await view.settle(ends)
                assert sorted(view.items) == sorted(person.listed("ALL"))
                for id_, item in view.items.items():
                    told = person.inbox[id_]
                    assert (item["title"], item["type"]) == (told.title, told.type)
                    assert (item["readAt"] is None) is (told.state.read_at is None), (item, told)
                    assert (item["seenAt"] is None) is (told.state.seen_at is None), (item, told)
                assert view.unread == person.unread(), f"{view.version}: {person}"

    async def check(self) -> None:
        """Every list, count and event is what the model says, on both nodes."""
        for user, person in self.people.items():
            for node in self.nodes:
                unread = await node.unread(self.who(user))
                assert unread.count == person.unread(), f"{user}: {person}"
                self._hear(person, unread)
            for filter_ in FILTERS:
                page = await self.nodes[1].page(self.who(user), filter=filter_, limit=100)
                assert [each["id"] for each in page.items] == person.listed(filter_), filter_
                for each in page.items:
                    told = person.inbox[each["id"]]
                    assert (each["title"], each["type"]) == (told.title, told.type)
                    assert (each["readAt"] is None) is (told.state.read_at is None)
                    assert (each["seenAt"] is None) is (told.state.seen_at is None)
            await self._check_events(person)
            await self._check_views(person)
        assert (await audit(self.stores.stores.inboxes)).drifts == []

    async def _check_events(self, person: Person) -> None:
        query = {"channel": f"user:{person.name}"}
        events = await self.stores.db["events"].find(query).sort("offset", 1).to_list()
        told = [Unread(**each["data"]["unread"]) for each in events]
        versions = [each.version for each in told]
        assert versions == sorted(versions)
        for each in told:
            self._hear(person, each)

    def _hear(self, person: Person, unread: Unread) -> None:
        """Of one version there is one count, on whichever way it comes."""
        assert person.known.setdefault(unread.version, unread.count) == unread.count, unread
