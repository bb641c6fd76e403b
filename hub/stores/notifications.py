"""The collection ``notifications``: what is in each user's inbox, in the user's own state.

A document's id is ``<recipient>/<notification id>``, so that every key begins with the recipient.
The two questions of the read state (``hub.domain.readstate``) are written apart, each guarded by
the stamp of the mark that decided it: marks may be applied in any order, and again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from collections.abc import Collection as Several
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from hub.domain import times
from hub.domain.inbox import Key
from hub.domain.notifications import Item
from hub.domain.readstate import State
from hub.stores.markings import (
    EITHER,
    FILTERS,
    UNREAD,
    Filter,
    Marking,
    document_id,
    queries_of,
    writes_of,
)
from hub.stores.mongo import AT_ONCE, Collection, Database, Document, duplicates

_Write = InsertOne[Document] | UpdateOne
_AT_ONCE: Final = 500
"""Notifications in one command, which has the time of any other."""
_GRACE: Final = timedelta(days=30)
"""How long a notification is kept after it stopped counting: long enough for its user's count to
be told so."""


class Count(Struct, frozen=True):
    """How many are stored as unread, and when the first of them stops counting."""

    unread: int
    soonest: datetime


class Ended(Struct, frozen=True):
    """A notification whose time is over, of which nobody was told yet."""

    recipient: str
    id: str
    at: datetime


class Change(Struct, frozen=True):
    """What a mark would change: how many, and the latest stamp of a mark on one of them, "" when
    there is none."""

    count: int = 0
    latest: str = ""


class Placed(Struct, frozen=True):
    """A stored notification, and the id of the one that gave it what it says."""

    item: Item
    by: str


class Notifications:
    """The inboxes."""

    def __init__(self, db: Database) -> None:
        self._notifications: Collection = db["notifications"]

    async def put(self, items: Sequence[Item]) -> set[tuple[str, str]]:
        """Stores items, hundreds in one round trip; gives (recipient, id) of those that are new.

        One that is stored already stays as it is. One with a dedupe key takes the place of the
        recipient's unread one with that key, if there is one that has not ended by now; of several
        items here with the same, the first gives the place and the last what it says.
        """
        if not items:
            return set()
        new = set()
        writes = _writes(items, times.now())
        for start in range(0, len(writes), _AT_ONCE):
            some = writes[start : start + _AT_ONCE]
            stored = await self._put([write for _, write in some])
            new |= {(some[index][0].recipient, some[index][0].id) for index in stored}
        return new

    async def _put(self, writes: Sequence[_Write]) -> set[int]:
        """Which of them made a document."""
        inserts = {index for index, each in enumerate(writes) if isinstance(each, InsertOne)}
        try:
            result = await self._notifications.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            # It is there; or, with a dedupe key, read meanwhile, or another writer was faster.
            known = {each["index"] for each in duplicates(error)}
            return inserts - known | {each["index"] for each in error.details["upserted"]}
        return inserts | set(result.upserted_ids or ())

    async def keyed(self, items: Sequence[Item]) -> dict[tuple[str, str], list[Placed]]:
        """All that is stored under the (recipient, dedupe key) of ``items``, oldest first."""
        query = {
            "recipient": {"$in": list({each.recipient for each in items})},
            "dedupeKey": {"$in": list({each.dedupe_key for each in items})},
        }
        found: dict[tuple[str, str], list[Placed]] = {}
        for document in await self._notifications.find(query).to_list():
            placed = Placed(_item(document), document["by"])
            found.setdefault((document["recipient"], document["dedupeKey"]), []).append(placed)
        for each in found.values():
            each.sort(key=lambda placed: placed.item.key)
        return found

    async def retract(self, items: Iterable[tuple[str, str]]) -> None:
        """Deletes (recipient, id): they were stored under an id that belongs to something else."""
        await self._notifications.delete_many(
            {"_id": {"$in": [document_id(*each) for each in items]}}
        )

    async def mark(self, markings: Sequence[Marking]) -> bool:
        """Applies marks, in one round trip; whether anything changed."""
        writes = [write for each in markings for write in writes_of(each)]
        if not writes:
            return False
        return (await self._notifications.bulk_write(writes, ordered=False)).modified_count > 0

    async def would_change(self, marking: Marking) -> Change:
        """What ``mark`` would change of the recipient's notifications, were no answer in the way
        that was given by a clock further ahead; as many round trips as ranges, at once."""
        changes = await asyncio.gather(*map(self._change, queries_of(marking)))
        return Change(
            sum(each.count for each in changes), max((each.latest for each in changes), default="")
        )

    async def _change(self, query: Document) -> Change:
        stamps = {name: {"$max": f"${name}"} for name in ("readStamp", "dismissStamp")}
        found: Document = {"_id": None, "n": {"$sum": 1}, **stamps}
        cursor = await self._notifications.aggregate([{"$match": query}, {"$group": found}])
        for each in await cursor.to_list():
            return Change(each["n"], max(each[name] for name in stamps))
        return Change()

    async def count(self, users: Several[str]) -> dict[str, Count]:
        """What is stored as unread for those of ``users`` who have any, in one round trip."""
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"recipient": {"$in": list(users)}, **UNREAD}},
            {"$group": {"_id": "$recipient", "n": {"$sum": 1}, "soonest": {"$min": "$endsAt"}}},
        ]
        cursor = await self._notifications.aggregate(pipeline)
        return {each["_id"]: Count(each["n"], each["soonest"]) for each in await cursor.to_list()}

    async def expire(self, users: Several[str], now: datetime) -> None:
        """Notes of what has ended by ``now`` that it does not count any more."""
        query = {"recipient": {"$in": list(users)}, "expired": False, "endsAt": {"$lte": now}}
        await self._notifications.update_many(query, {"$set": {"expired": True}})

    async def ended(self, now: datetime, limit: int) -> list[Ended]:
        """Up to ``limit`` of what has ended by ``now`` and nobody was told, the first ones first;
        no copies of announcements, whose end is told on their channel."""
        query = {"told": False, "endsAt": {"$lte": now}}
        wanted = {"recipient": 1, "id": 1, "endsAt": 1}
        cursor = self._notifications.find(query, wanted).sort("endsAt", 1).limit(limit)
        return [
            Ended(document["recipient"], document["id"], document["endsAt"])
            for document in await cursor.to_list()
        ]

    async def told(self, ended: Sequence[Ended]) -> None:
        """Notes that it is told of their end."""
        keys = [document_id(each.recipient, each.id) for each in ended]
        await self._notifications.update_many({"_id": {"$in": keys}}, {"$set": {"told": True}})

    async def touched(self, users: Several[str]) -> dict[str, set[str]]:
        """By user, the ids of the announcements of which a copy is stored."""
        query = {"recipient": {"$in": list(users)}, "scope": {"$in": ["TOPIC", "ALL"]}}
        found: dict[str, set[str]] = {}
        wanted = {"_id": 0, "recipient": 1, "id": 1}
        cursor = self._notifications.find(query, wanted, batch_size=AT_ONCE)
        for document in await cursor.to_list():
            found.setdefault(document["recipient"], set()).add(document["id"])
        return found

    async def get(self, recipient: str, ids: Iterable[str]) -> dict[str, Item]:
        """Those of the recipient's notifications that have one of ``ids``."""
        keys = [document_id(recipient, each) for each in ids]
        found = await self._notifications.find({"_id": {"$in": keys}}).to_list()
        return {document["id"]: _item(document) for document in found}

    async def everything(self, recipient: str) -> AsyncIterator[Item]:
        """Whatever is stored for the recipient, in no order."""
        async for document in self._notifications.find({"recipient": recipient}):
            yield _item(document)

    async def page(
        self,
        recipient: str,
        filter: Filter,
        *,
        type: str | None = None,
        scope: str | None = None,
        before: Key | None = None,
        limit: int,
        now: datetime,
    ) -> list[Item]:
        """Up to ``limit`` notifications older than ``before``, newest first: one range of an
        index, read again only if several came in the millisecond of ``before``. None that has ended
        by ``now``: not all of these are noted as expired."""
        either = {} if type is None and scope is None else {"read": EITHER}
        query = {"recipient": recipient, **either, **FILTERS[filter], "endsAt": {"$gt": now}}
        if type is not None:
            query["type"] = type
        if scope is not None:
            query["scope"] = scope
        if before is None:
            return await self._newest(query, limit)
        query["createdAt"] = {"$lte": before.at}
        wanted = limit + 1  # with the one at ``before``
        while True:
            found = await self._newest(query, wanted)
            older = [each for each in found if each.key < before]
            if len(older) >= limit or len(found) < wanted:
                return older[:limit]
            wanted *= 2

    async def _newest(self, query: Document, limit: int) -> list[Item]:
        order = [("createdAt", -1), ("id", -1)]
        cursor = self._notifications.find(query, batch_size=limit + 1).sort(order).limit(limit)
        return [_item(document) for document in await cursor.to_list()]


def _writes(items: Sequence[Item], now: datetime) -> list[tuple[Item, _Write]]:
    """The writes, each with the item that it would insert."""
    grouped: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        place = (item.recipient, item.id) if item.dedupe_key is None else _dedupe_place(item)
        grouped.setdefault(place, []).append(item)
    return [(group[0], _write(group[0], group[-1], now)) for group in grouped.values()]


def _dedupe_place(item: Item) -> tuple[str, ...]:
    return (item.recipient, "", item.dedupe_key or "")


def _write(first: Item, last: Item, now: datetime) -> _Write:
    says = {
        "content": last.content,
        "type": last.content["type"],
        "by": last.id,
        "endsAt": last.ends_at,
        "expireAt": last.ends_at + _GRACE,
    }
    state = {
        "scope": first.scope,
        "createdAt": first.created_at,
        "seenAt": first.state.seen_at,
        "readAt": first.state.read_at,
        "dismissedAt": first.state.dismissed_at,
        "read": first.state.read_at is not None,
        "dismissed": first.state.dismissed_at is not None,
        "expired": first.expired,
        "told": first.scope != "USER",
        "came": first.came,
        "readStamp": first.state.read_stamp,
        "dismissStamp": first.state.dismiss_stamp,
    }
    if first.dedupe_key is None:
        own = {"_id": document_id(first.recipient, first.id), "recipient": first.recipient}
        return InsertOne({**own, "id": first.id, **says, **state})
    for known in UNREAD:  # the filter says so already
        del state[known]
    current = {**UNREAD, "endsAt": {"$gt": max(first.created_at, now)}}
    unread = {"recipient": first.recipient, "dedupeKey": first.dedupe_key, **current}
    new = {"_id": document_id(first.recipient, first.id), "id": first.id, **state}
    return UpdateOne(unread, {"$set": says, "$setOnInsert": new}, upsert=True)


def _item(document: Document) -> Item:
    return Item(
        id=document["id"],
        recipient=document["recipient"],
        scope=document["scope"],
        content=document["content"],
        created_at=document["createdAt"],
        ends_at=document["endsAt"],
        dedupe_key=document.get("dedupeKey"),
        state=State(
            document["seenAt"],
            document["readAt"],
            document["dismissedAt"],
            document["readStamp"],
            document["dismissStamp"],
        ),
        expired=document["expired"],
        came=document["came"],
    )
