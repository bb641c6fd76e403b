"""What clients send about their inboxes, on Socket.IO and HTTP alike, and how it is answered."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from hub.domain.inbox import MUTED_AT_MOST, Preferences
from hub.domain.principal import Principal
from hub.domain.publications import UserId
from hub.domain.readstate import As
from hub.domain.shapes import parse
from hub.services.inbox.inbox import Inbox

_Id = Annotated[str, Meta(max_length=36)]
_UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"
_UpTo = Annotated[str, Meta(extra_json_schema={"pattern": _UUID})]
_CURSOR = rf"^(0|[1-9]\d{{0,13}})\.{_UUID[1:]}"
_Muted = Annotated[list[UserId], Meta(max_length=MUTED_AT_MOST)]


class ListNotifications(Struct, frozen=True, forbid_unknown_fields=True):
    """Payload of ``notifications:list``; the query of ``GET /v1/notifications``."""

    filter: Literal["UNREAD", "ALL", "DISMISSED"] = "ALL"
    type: UserId | UnsetType | None = UNSET
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(pattern=_CURSOR)] | UnsetType | None = UNSET


class MarkNotifications(Struct, frozen=True, forbid_unknown_fields=True, rename={"as_": "as"}):
    """Payload of ``notifications:mark``."""

    ids: list[_Id] | Literal["all"]
    as_: As
    upTo: _UpTo | UnsetType | None = UNSET  # noqa: N815 - as on the wire, where errors name it


class PutPreferences(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The body of ``PUT /v1/preferences``."""

    muted_types: _Muted = []
    muted_topics: _Muted = []


async def list_notifications(inbox: Inbox, who: Principal, wanted: ListNotifications) -> Any:
    """``{items, nextCursor, unread}``"""
    page = await inbox.page(
        who,
        filter=wanted.filter,
        type=_given(wanted.type),
        limit=wanted.limit,
        cursor=_given(wanted.cursor),
    )
    return page.wire()


async def mark_notifications(inbox: Inbox, who: Principal, raw: object) -> Any:
    """``{changed, unread}``"""
    wanted = parse(MarkNotifications, raw)
    marked = await inbox.mark(who, wanted.ids, wanted.as_, _given(wanted.upTo))
    return marked.wire()


def preferences_fields(preferences: Preferences) -> dict[str, Any]:
    """``{mutedTypes, mutedTopics}``"""
    return {
        "mutedTypes": sorted(preferences.muted_types),
        "mutedTopics": sorted(preferences.muted_topics),
    }


def parse_preferences(raw: object) -> Preferences:
    """The preferences that a body asks for."""
    wanted = parse(PutPreferences, raw)
    return Preferences(frozenset(wanted.muted_types), frozenset(wanted.muted_topics))


def _given(value: str | UnsetType | None) -> str | None:
    return value if isinstance(value, str) else None
