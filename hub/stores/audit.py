"""The collection ``audit``: what administrators did."""

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from pymongo.errors import BulkWriteError

from hub.domain import ids, times
from hub.stores.mongo import Collection, Database, Document, duplicates


class Record(Struct, frozen=True, kw_only=True):
    """One thing that ``actor`` did, or tried to. ``target``: whom or what it was done to;
    ``outcome``: ``OK`` or the code that it was refused with. ``details``: what else was asked."""

    id: str
    at: datetime
    actor: str
    action: str
    target: str
    outcome: str
    details: dict[str, Any] = {}

    def wire(self) -> dict[str, Any]:
        """As in contract section 10."""
        return {
            "id": self.id,
            "at": times.wire(self.at),
            "actor": self.actor,
            "action": self.action,
            "target": self.target,
            "outcome": self.outcome,
            "details": self.details,
        }


def record(
    actor: str, action: str, target: str, outcome: str, details: dict[str, Any] | None = None
) -> Record:
    """A record of now. Ids rise with the time."""
    return Record(
        id=ids.uuid7(),
        at=times.now(),
        actor=actor,
        action=action,
        target=target,
        outcome=outcome,
        details=details or {},
    )


class Audit:
    """Writing records, which are kept for ``retention``, and reading them."""

    def __init__(self, db: Database, retention: timedelta) -> None:
        self._audit: Collection = db["audit"]
        self._retention = retention

    async def insert(self, *records: Record) -> None:
        """Stores records, unless a first attempt did. Raises ``PyMongoError``."""
        try:
            await self._audit.insert_many([self._document(each) for each in records], ordered=False)
        except BulkWriteError as error:
            duplicates(error)

    async def page(self, before: str | None, limit: int) -> list[Record]:
        """Up to ``limit`` records older than the one with the id ``before``, newest first."""
        query: Document = {} if before is None else {"_id": {"$lt": before}}
        found = await self._audit.find(query).sort("_id", -1).limit(limit).to_list()
        return [_record(document) for document in found]

    def _document(self, one: Record) -> Document:
        return {
            "_id": one.id,
            "at": one.at,
            "actor": one.actor,
            "action": one.action,
            "target": one.target,
            "outcome": one.outcome,
            "details": one.details,
            "expireAt": one.at + self._retention,
        }


def _record(document: Document) -> Record:
    return Record(
        id=document["_id"],
        at=document["at"],
        actor=document["actor"],
        action=document["action"],
        target=document["target"],
        outcome=document["outcome"],
        details=document["details"],
    )
