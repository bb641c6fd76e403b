"""The collection ``notifications``: what is in each user's inbox."""

from collections.abc import Sequence

from pymongo.errors import BulkWriteError

from hub.domain.notifications import Item
from hub.stores.mongo import Collection, Database, Document

_DUPLICATE_KEY = 11000


class Notifications:
    """The inboxes."""

    def __init__(self, db: Database) -> None:
        self._notifications: Collection = db["notifications"]

    async def insert_once(self, items: Sequence[Item]) -> None:
        """Stores items in one round trip; those that are stored already stay as they are."""
        if not items:
            return
        try:
            documents = [_document(each) for each in items]
            await self._notifications.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            if any(each["code"] != _DUPLICATE_KEY for each in error.details["writeErrors"]):
                raise


def _document(item: Item) -> Document:
    return {
        "_id": item.id,
        "recipient": item.recipient,
        "offset": item.offset,
        **item.content,
        "createdAt": item.created_at,
        "seenAt": None,
        "readAt": None,
        "dismissedAt": None,
        "expiresAt": item.expires_at,
    }
