"""Notifications: what an inbox holds (contract section 3)."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, UnsetType

from hub.domain import channels, publications, times

Scope = Literal["USER", "TOPIC", "ALL"]

CREATED: Final = "NOTIFICATION_CREATED"
"""Type of the event that brings a notification."""

SCOPES: Final[dict[channels.Kind, Scope]] = {
    channels.Kind.USER: "USER",
    channels.Kind.TOPIC: "TOPIC",
    channels.Kind.ALL: "ALL",
}
"""The scope of a notification by the kind of channel it goes to."""


class Item(Struct, frozen=True, kw_only=True):
    """One notification in one user's inbox; ``offset`` is its place in the user's channel."""

    id: str
    recipient: str
    offset: int
    content: dict[str, Any]
    created_at: datetime
    expires_at: datetime | None = None


def content(publication: publications.Notification) -> dict[str, Any]:
    """What the publication says, without id, addressees and state."""
    fields: dict[str, Any] = msgspec.to_builtins(publication)
    said = ("type", "title", "body", "link", "data", "jobId")
    return {"severity": publication.severity} | {key: fields[key] for key in said if key in fields}


def expiry(publication: publications.Notification) -> datetime | None:
    """When the notification stops counting, if ever."""
    return None if isinstance(publication.expires_at, UnsetType) else publication.expires_at


def as_created(
    notification_id: str, publication: publications.Notification, scope: Scope, at: datetime
) -> dict[str, Any]:
    """The notification as a client first sees it: neither seen, read nor dismissed."""
    shown = {
        "id": notification_id,
        **content(publication),
        "createdAt": times.wire(at),
        "seenAt": None,
        "readAt": None,
        "dismissedAt": None,
        "scope": scope,
    }
    if (expires_at := expiry(publication)) is not None:
        shown["expiresAt"] = times.wire(expires_at)
    return shown
