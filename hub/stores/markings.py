"""What a mark asks of the collection ``notifications``, and what it writes there."""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct
from pymongo import UpdateMany

from hub.domain.inbox import NEVER, Key
from hub.domain.readstate import As, Mark
from hub.stores.mongo import Document

Filter = Literal["UNREAD", "ALL", "DISMISSED"]

UNREAD: Final[Document] = {"dismissed": False, "expired": False, "read": False}
FILTERS: Final[dict[Filter, Document]] = {
    "UNREAD": UNREAD,
    "ALL": {"dismissed": False, "expired": False},
    "DISMISSED": {"dismissed": True, "expired": False},
}

EITHER: Final[Document] = {"$in": [False, True]}
"""Read or not: one index serves questions for both and for one, as two ranges or one."""


class Marking(Struct, frozen=True):
    """A mark and what it is for: ``ids``, or what is not dismissed up to a place among what went
    to the user alone (``own``) and one among the announcements (``announced``), of which none came
    after ``everybody``."""

    recipient: str
    mark: Mark
    ids: Sequence[str] | None = None
    own: Key | None = None
    announced: Key | None = None
    everybody: int = NEVER


def writes_of(marking: Marking) -> list[UpdateMany]:
    """What a mark does to the documents; each write repeats harmlessly.

    A mark of everything is carried out again after others that came later. What was dismissed or
    restored since then is left alone: whether it was dismissed at that time is not known any more.
    """
    mark, queries = marking.mark, queries_of(marking)
    if marking.ids is None:
        queries = [{**query, "dismissStamp": {"$lt": mark.stamp}} for query in queries]
    writes = []
    if mark.as_ in (As.SEEN, As.READ):
        not_before = {"seenAt": {"$not": {"$lte": mark.at}}}
        seen = {"$set": {"seenAt": mark.at}}
        writes += [UpdateMany({**query, **not_before}, seen) for query in queries]
    if mark.as_ is not As.SEEN:
        writes += [UpdateMany(*_answer(mark, query)) for query in queries]
    return writes


def _answer(mark: Mark, query: Document) -> tuple[Document, Document]:
    """Where and what a mark answers, unless a later one did already."""
    if mark.as_ in (As.READ, As.UNREAD):
        names, yes = ("read", "readAt", "readStamp"), mark.as_ is As.READ
    else:
        names, yes = ("dismissed", "dismissedAt", "dismissStamp"), mark.as_ is As.DISMISSED
    flag, at, stamp = names
    where = {**query, stamp: {"$lt": mark.stamp}}
    return where, {"$set": {flag: yes, at: mark.at if yes else None, stamp: mark.stamp}}


def queries_of(marking: Marking) -> list[Document]:
    """The queries that together find what a mark is for; of ``ids``, whatever state it is in."""
    if marking.ids is not None:
        return [{"_id": {"$in": [document_id(marking.recipient, each) for each in marking.ids]}}]
    differs: Document
    match marking.mark.as_:
        case As.SEEN:
            differs = {"read": EITHER, "seenAt": None}
        case As.READ | As.DISMISSED as as_:
            differs = {"read": False if as_ is As.READ else EITHER}
        case As.UNREAD:
            differs = {"read": True}
        case As.RESTORED:
            return []  # nothing of what is not dismissed
    current = {**FILTERS["ALL"], "endsAt": {"$gt": marking.mark.at}}
    everything = {"recipient": marking.recipient, **current, **differs}
    found = []
    if marking.own is not None:
        found += [{**everything, "scope": "USER", **each} for each in _up_to(marking.own)]
    if marking.announced is not None:
        scope = {"scope": {"$in": ["TOPIC", "ALL"]}, "came": {"$lte": marking.everybody}}
        found += [{**everything, **scope, **each} for each in _up_to(marking.announced)]
    return found


def _up_to(key: Key) -> list[Document]:
    """What lies at or before a place, as two ranges of one index that have nothing in common. Not
    as one query with ``$or``, for which not every server uses an index."""
    return [{"createdAt": {"$lt": key.at}}, {"createdAt": key.at, "id": {"$lte": key.id}}]


def document_id(recipient: str, notification_id: str) -> str:
    """What a notification is stored under."""
    return f"{recipient}/{notification_id}"
