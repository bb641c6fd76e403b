"""Publishing over HTTP: the same journal that workers write to."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from hub.broker.journal import Journal
from hub.broker.receipts import Receipt, Receipts, StoredReceipt
from hub.domain import codes
from hub.domain.parsing import parse_item
from hub.domain.publications import AnyPublication, Notification
from hub.services.patience import patiently

ITEMS_AT_MOST: Final = 500
_REMEMBER: Final = 86_400


class Publishing:
    """Accepts publications from callers with the role ``service``."""

    def __init__(self, journal: Journal, receipts: Receipts) -> None:
        self._journal = journal
        self._receipts = receipts

    async def publish(
        self, items: Sequence[Any], *, by_admin: bool = False, traceparent: str = ""
    ) -> Receipt:
        """Appends all or, when one is not valid, none. ``by_admin``: an administrator sends them.
        ``traceparent``: of the request, if it has a good one.

        Raises ``HubError``: INVALID_REQUEST naming ``items[i].field``; UNAVAILABLE when Redis is
        out of reach: then repeat the call, what was accepted already counts as a duplicate.
        """
        publications = [_parsed(item, index) for index, item in enumerate(items)]
        if by_admin:
            publications = [_from_admin(each) for each in publications]
        async with patiently():
            new = await self._journal.append_once(
                publications, remember=_REMEMBER, traceparent=traceparent
            )
        fresh = sum(new)
        return Receipt(fresh, len(new) - fresh, [str(each.id) for each in publications])

    async def publish_once(
        self,
        caller: str,
        key: str,
        fingerprint: str,
        items: Sequence[Any],
        *,
        by_admin: bool = False,
        traceparent: str = "",
    ) -> Receipt:
        """As ``publish``; a repeat of ``caller``'s ``key`` within a day is answered as the first
        time. Raises CONFLICT when it comes with another body."""
        async with patiently():
            known = await self._receipts.get(caller, key)
            if known is None:
                receipt = await self.publish(items, by_admin=by_admin, traceparent=traceparent)
                await self._receipts.put(caller, key, StoredReceipt(fingerprint, receipt))
                return receipt
        if known.fingerprint != fingerprint:
            raise codes.HubError(codes.CONFLICT, "this Idempotency-Key had another body")
        return known.receipt


def _parsed(item: Any, index: int) -> AnyPublication:
    try:
        return parse_item(item)
    except codes.HubError as error:
        at = f"items[{index}]"
        details = [
            {**detail, "field": f"{at}.{detail['field']}", "index": index}
            for detail in error.details or [{"field": "payload", "message": error.message}]
        ]
        message = f"{details[0]['field']}: {details[0]['message']}"
        raise codes.HubError(error.code, message, details=details) from None


def _from_admin(publication: AnyPublication) -> AnyPublication:
    """As sent by an administrator: its errors cannot be muted."""
    if isinstance(publication, Notification):
        return msgspec.structs.replace(publication, sender="ADMIN")
    return publication


def fingerprint(body: bytes) -> str:
    """What tells two request bodies apart."""
    return hashlib.sha256(body).hexdigest()
