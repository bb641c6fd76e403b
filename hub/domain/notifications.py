"""Notifications: what an inbox holds (contract section 3)."""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, UnsetType

from hub.domain import channels, publications, times
from hub.domain.inbox import NEVER, Announcement, Key
from hub.domain.readstate import State

Scope = Literal["USER", "TOPIC", "ALL"]

CREATED: Final = "NOTIFICATION_CREATED"
"""Type of the event that brings a notification."""

CHANGED: Final = "NOTIFICATIONS_CHANGED"
"""Type of the event that tells what a user did with notifications."""

SCOPES: Final[dict[channels.Kind, Scope]] = {
    channels.Kind.USER: "USER",
    channels.Kind.TOPIC: "TOPIC",
    channels.Kind.ALL: "ALL",
}
"""The scope of a notification by the kind of channel it goes to."""


class Item(Struct, frozen=True, kw_only=True):
    """One notification in one user's inbox, in the user's state. ``ends_at``: from when on it does
    not count. ``expired``: that it does not, and every count since then knows. ``came``: of a copy
    of an announcement, the version of everybody's since which that counts."""

    id: str
    recipient: str
    scope: Scope
    content: dict[str, Any]
    created_at: datetime
    ends_at: datetime
    dedupe_key: str | None = None
    state: State = State()
    expired: bool = False
    came: int = 0

    @property
    def key(self) -> Key:
        """Its place in the inbox."""
        return Key(self.created_at, self.id)

    def wire(self) -> dict[str, Any]:
        """The notification as its user sees it."""
        return shown(
            self.id, self.content, self.scope, self.created_at, self.state, ends_at=self.ends_at
        )


def content(publication: publications.Notification) -> dict[str, Any]:
    """What the publication says, without id, addressees and state."""
    fields: dict[str, Any] = msgspec.to_builtins(publication)
    said = ("type", "title", "body", "link", "data", "jobId", "actor")
    found = {"severity": publication.severity} | {key: fields[key] for key in said if key in fields}
    if not isinstance(publication.expires_at, UnsetType):
        found["expiresAt"] = times.wire(publication.expires_at)
    return found


def end(publication: publications.Notification, at: datetime, retention: timedelta) -> datetime:
    """When a notification that came ``at`` this time stops counting: when it expires, and at the
    end of its retention."""
    given = publication.expires_at
    kept = at + retention
    return kept if isinstance(given, UnsetType) else min(given, kept)


def is_over(publication: publications.Notification, at: datetime) -> bool:
    """Whether it had expired before it came, ``at`` this time: then it is nothing to tell or to
    store, but no mistake either, as it may have waited on the journal."""
    given = publication.expires_at
    return not isinstance(given, UnsetType) and given <= at


def item(
    publication: publications.Notification, recipient: str, at: datetime, retention: timedelta
) -> Item:
    """What one addressee gets into the inbox."""
    key = publication.dedupe_key
    return Item(
        id=str(publication.id),
        recipient=recipient,
        scope="USER",
        content=content(publication),
        created_at=at,
        ends_at=end(publication, at, retention),
        dedupe_key=None if isinstance(key, UnsetType) else key,
    )


def copy(announcement: Announcement, recipient: str, state: State = State()) -> Item:  # noqa: B008 - immutable
    """An announcement as one addressee's own."""
    return Item(
        id=announcement.id,
        recipient=recipient,
        scope="TOPIC" if announcement.topic is not None else "ALL",
        content=announcement.content,
        created_at=announcement.created_at,
        ends_at=announcement.ends_at,
        state=state,
        expired=announcement.gone < NEVER,
        came=announcement.came if announcement.came < NEVER else 0,
    )


def shown(
    notification_id: str,
    content: dict[str, Any],
    scope: Scope,
    created_at: datetime,
    state: State = State(),  # noqa: B008 - immutable
    *,
    ends_at: datetime | None = None,
) -> dict[str, Any]:
    """A notification on the wire. ``ends_at``: when it stops counting, where that is known: it is
    then what an ``expiresAt`` beyond the retention is shown as."""
    fields = dict(content)
    expires_at = fields.pop("expiresAt", None)
    if expires_at is not None and ends_at is not None:
        expires_at = min(expires_at, times.wire(ends_at))
    found = {
        "id": notification_id,
        **fields,
        "createdAt": times.wire(created_at),
        "seenAt": times.wire_or_none(state.seen_at),
        "readAt": times.wire_or_none(state.read_at),
        "dismissedAt": times.wire_or_none(state.dismissed_at),
        "scope": scope,
    }
    return found if expires_at is None else {**found, "expiresAt": expires_at}
