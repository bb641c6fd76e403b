"""The stores as a planner sees them: what is stored, and batches that were stored in part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hub.broker.journal import DeadLetter, Entry
from hub.domain.events import Event
from hub.domain.inbox import Announcement, Unread
from hub.domain.notifications import CREATED
from hub.domain.publications import AnyPublication, InboxChanged, Notification
from hub.services.ingest.inboxes import Accepted, Prepared
from hub.services.ingest.plan import OutOfStep, Plan, Planner, parse
from hub.stores.heads import Head
from tests.hub.domain import samples


def entries(*publications: AnyPublication, start: float = 1) -> list[Entry]:
    """Journal entries of ``publications``, a second apart."""
    return [
        entry(publication, samples.after(start + index))
        for index, publication in enumerate(publications)
    ]


def entry(publication: AnyPublication, at: datetime) -> Entry:
    """A journal entry that was accepted ``at`` this time."""
    return Entry(f"{int(at.timestamp() * 1000)}-0", publication.encode(), at)


def accept(given: Iterable[Entry]) -> list[Accepted]:
    """The entries as well-formed ones of a journal with one partition."""
    accepted, dead = parse(given, 0, 1)
    assert not dead
    return accepted


@dataclass
class Ledger:
    """Everything that was stored, as ``Ingest`` would have stored it."""

    events: list[Event] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)
    announcements: dict[str, Announcement] = field(default_factory=dict)
    forwarded: dict[str, AnyPublication] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)

    def process(self, batch: Sequence[Entry], *, redelivered: bool = False) -> Plan:
        """Stores a batch whole, in the way of ``Ingest``: optimistic first, then knowing."""
        accepted = accept(batch)
        known, collided = redelivered, False
        for _ in range(5):
            try:
                plan = self.plan(accepted, known=known, collided=collided)
            except OutOfStep:
                collided = True
                continue
            if plan.doubtful:
                known = True
                continue
            self.events = [event for event in self.events if event.channel not in plan.reborn]
            if self._append(plan.append):
                self._finish(plan)
                return plan
            known = collided = True
        raise AssertionError("no plan fitted")

    def plan(self, accepted: Sequence[Accepted], *, known: bool, collided: bool = False) -> Plan:
        """A plan over what is stored."""
        ids = {each.id for each in accepted} if known else set()
        stored = {event.id: event for event in self.events if event.id in ids}
        channels = {each.publication.channel for each in accepted}
        heads = {name: head for name, head in self.heads.items() if name in channels}
        overlooked = [
            event
            for event in self.events
            if collided and event.channel in heads and event.offset > heads[event.channel].offset
        ]
        planner = Planner(heads, stored, stored_is_known=known, inboxes=self.inboxes(accepted))
        return planner.plan(accepted, overlooked)

    def inboxes(self, accepted: Sequence[Accepted]) -> Prepared:
        """The inboxes of users who read nothing: each notification is one more."""
        unread: dict[str, Unread] = {}
        came: dict[str, int] = {}
        for each in accepted:
            publication = each.publication
            if not isinstance(publication, Notification | InboxChanged):
                continue
            channel = publication.channel
            told = [event.id for event in self.log(channel) if event.type == CREATED]
            if each.id not in told and isinstance(publication, Notification):
                came[channel] = came.get(channel, 0) + 1
            count = len(told) + came.get(channel, 0)
            unread[each.id] = Unread(count, count)
        return Prepared(unread)

    def log(self, channel: str) -> list[Event]:
        """The events of a channel by offset."""
        mine = [event for event in self.events if event.channel == channel]
        return sorted(mine, key=lambda event: event.offset)

    def _append(self, events: Sequence[Event]) -> bool:
        """Stores events until the first whose id or place is taken."""
        for event in events:
            places = {(stored.channel, stored.offset) for stored in self.events}
            if event.id in {stored.id for stored in self.events}:
                return False
            if (event.channel, event.offset) in places:
                return False
            self.events.append(event)
        return True

    def _finish(self, plan: Plan) -> None:
        for announcement in plan.announcements:
            self.announcements.setdefault(announcement.id, announcement)
        self.heads |= plan.heads
        self.forwarded |= {str(each.id): each for each in plan.forward}
        self.dead += plan.dead
