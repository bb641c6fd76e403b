"""Inboxes: a user's part in what goes to many, what is muted, and what is unread.

An announcement (to a topic or to all) is stored once. A user sees those that came after the user's
own start: of ``all`` the first connection, of a topic the subscription. Until a user marks one it
is unread for that user and nothing is stored of it; then the user gets a copy with a state of its
own.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from hub.domain import channels
from hub.domain.events import Position

TOPICS_AT_MOST: Final = 40
"""Topics that one user may subscribe to: each connection follows all of them."""

MUTED_AT_MOST: Final = 200
"""Types, and topics, that one user may mute."""

EVERYBODYS: Final = 1024
"""By how much a change that concerns everybody raises each version: more than a batch of ingest has
events for one user, whose versions follow each other."""

NEVER: Final = 1 << 62
"""Stands for a version of everybody's that is still to come."""


class Unread(Struct, frozen=True):
    """How many notifications a user has not read, exactly. ``version`` never goes back for a user
    and is higher whenever the count may have changed."""

    count: int = 0
    version: int = 0

    def wire(self) -> dict[str, int]:
        """``{count, version}``"""
        return {"count": self.count, "version": self.version}


class Preferences(Struct, frozen=True):
    """What a user does not want to be notified of."""

    muted_types: frozenset[str] = frozenset()
    muted_topics: frozenset[str] = frozenset()

    def mutes(self, type_: str, topic: str | None, *, critical: bool) -> bool:
        """Whether a notification is muted; ``topic``: the one it goes to. Critical ones never."""
        return not critical and (type_ in self.muted_types or topic in self.muted_topics)


class Settled(Struct, frozen=True):
    """A count that was settled with its version, which is made of the user's own ``changes`` and
    the version of ``everybody``. Nothing that is in it ends before ``until``."""

    count: int
    changes: int
    everybody: int
    until: datetime

    @property
    def version(self) -> int:
        """The version that it is of."""
        return self.changes + EVERYBODYS * self.everybody


class Everybody(Struct, frozen=True):
    """What concerns all users. ``version``: how often announcements came, or ended. ``came``,
    ``gone``: the version of that by id, of those that do not say so themselves yet."""

    version: int = 0
    came: Mapping[str, int] = {}
    gone: Mapping[str, int] = {}


class Member(Struct, frozen=True):
    """A user as the owner of an inbox.

    ``changes``: how often the user's own inbox changed; ``everybody``: what concerns all, read
    along with it. ``since``: the end of ``all`` when the user was first seen, None before.
    ``topics``: those subscribed to, with the end of their logs at that time. ``settled``: the count
    that was settled last, if any. ``stored``: whether anything is known of the user.
    """

    user_id: str
    changes: int = 0
    everybody: Everybody = Everybody()
    since: Position | None = None
    topics: Mapping[str, Position] = {}
    preferences: Preferences = Preferences()
    settled: Settled | None = None
    stored: bool = True

    @property
    def version(self) -> int:
        """Of the unread count."""
        return self.changes + EVERYBODYS * self.everybody.version

    def starts(self) -> dict[str, Position]:
        """Where the user's announcements begin, by channel."""
        found = {channels.topic_channel(topic): at for topic, at in self.topics.items()}
        return found if self.since is None else {channels.ALL: self.since, **found}


class Key(Struct, frozen=True, order=True):
    """A notification's place in an inbox: by the time it came, then by its id."""

    at: datetime
    id: str


class Announcement(Struct, frozen=True):
    """What went to a topic or to all. ``ends_at``: when it stops counting. ``came``, ``gone``: the
    version of everybody's since which it counts, and since which it does not any more."""

    id: str
    channel: str
    epoch: str
    offset: int
    created_at: datetime
    ends_at: datetime
    content: dict[str, Any]
    critical: bool = False
    came: int = NEVER
    gone: int = NEVER

    def counts(self, everybody: int) -> bool:
        """Whether it does, at a version of everybody's."""
        return self.came <= everybody < self.gone

    @property
    def key(self) -> Key:
        """Its place in every inbox."""
        return Key(self.created_at, self.id)

    @property
    def topic(self) -> str | None:
        """The topic it went to; None when it went to all."""
        channel = channels.parse_channel(self.channel)
        return None if channel is None or self.channel == channels.ALL else channel.subject

    @property
    def position(self) -> Position:
        """Its event's place."""
        return Position(self.epoch, self.offset)


def is_visible(member: Member, announcement: Announcement) -> bool:
    """Whether the announcement came after the user's start on its channel."""
    start = member.starts().get(announcement.channel)
    return start is not None and _after(announcement, start)


def untouched(
    member: Member, announcements: Iterable[Announcement], touched: Collection[str]
) -> list[Announcement]:
    """Those of ``announcements`` that are in the user's inbox without a state of their own, newest
    first: all of them are unread. ``touched``: ids of those that have one."""
    starts = member.starts()
    found = [
        each for each in announcements if each.id not in touched and _is_for(member, starts, each)
    ]
    return sorted(found, key=lambda each: each.key, reverse=True)


def _is_for(member: Member, starts: Mapping[str, Position], announcement: Announcement) -> bool:
    start = starts.get(announcement.channel)
    return start is not None and _after(announcement, start) and not _mutes(member, announcement)


def _after(announcement: Announcement, start: Position) -> bool:
    return announcement.offset > start.offset or start.epoch not in ("", announcement.epoch)


def _mutes(member: Member, announcement: Announcement) -> bool:
    return member.preferences.mutes(
        announcement.content["type"], announcement.topic, critical=announcement.critical
    )
