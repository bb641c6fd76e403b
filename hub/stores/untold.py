"""The collection ``untold``: what is about to be changed for users, until the journal has it.

What an inbox receives is changed in MongoDB, and told by the journal in Redis. Nothing does both
at once, so what is to be told is noted first: whatever comes in between, it is told in the end.
"""

from collections.abc import Collection as Several
from datetime import datetime

from hub.domain.parsing import parse_publication
from hub.domain.publications import AnyPublication, InboxChanged
from hub.stores.mongo import Collection, Database


class Untold:
    """Noting and forgetting it. Raises ``PyMongoError``."""

    def __init__(self, db: Database) -> None:
        self._untold: Collection = db["untold"]

    async def note(self, change: InboxChanged) -> None:
        """That ``change`` is to be told, if nobody says that it was."""
        document = {"_id": str(change.id), "at": change.at, "publication": change.encode()}
        await self._untold.insert_one(document)

    async def forget(self, ids: Several[str]) -> None:
        """They are on the journal, or did not come to anything."""
        await self._untold.delete_many({"_id": {"$in": [*ids]}})

    async def older_than(self, at: datetime, limit: int) -> list[AnyPublication]:
        """The oldest of those noted before ``at``."""
        query = {"at": {"$lt": at}}
        found = await self._untold.find(query).sort("at", 1).limit(limit).to_list()
        return [parse_publication(each["publication"]) for each in found]
