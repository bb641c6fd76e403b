"""``POST /v1/publish``: publications over HTTP, for workers without a Redis connection."""

from typing import Annotated, Any, Final

from aiohttp import web
from msgspec import Meta, Struct

from hub.domain import codes
from hub.domain.principal import Role
from hub.domain.publications import MAX_BYTES
from hub.domain.shapes import parse
from hub.gateways.contract.schemas import reference
from hub.gateways.http import examples
from hub.gateways.http.documents import PublishReceipt
from hub.gateways.http.operation import KNOWN, Answer, Header, Operation
from hub.gateways.http.request import NoQuery, answer, body, principal, query, require
from hub.services.identity import Identity
from hub.services.limits import Limits
from hub.services.publish import ITEMS_AT_MOST, Publishing, fingerprint
from hub.telemetry import NAME, is_traceparent

TRACED: Final = (
    "A W3C `traceparent`: what becomes of the publications is part of that trace. One of another "
    "form means nothing."
)
"""What is said of it, wherever it may be given."""

_KEY_AT_MOST: Final = 255
_Item = Annotated[Any, Meta(extra_json_schema=reference("Publication"))]


class PublishBody(Struct, forbid_unknown_fields=True):
    """The body of the request."""

    items: Annotated[list[_Item], Meta(min_length=1, max_length=ITEMS_AT_MOST)]


class PublishResource:
    """The handler."""

    def __init__(self, identity: Identity, publishing: Publishing, limits: Limits) -> None:
        self._identity = identity
        self._limits = limits
        self._publishing = publishing

    def operations(self) -> list[Operation]:
        """Where it is found."""
        return [
            Operation(
                method="POST",
                path="/v1/publish",
                handler=self.publish,
                id="publish",
                tag="publishing",
                summary="Publications over HTTP, for workers without a Redis connection.",
                description="Role `service`. One bad item refuses the whole call and names its "
                "index and field. The same publication id twice has effect once. An item has at "
                f"most {MAX_BYTES} bytes.",
                query=NoQuery,
                headers=(
                    Header(
                        "Idempotency-Key",
                        "A repeat with the same key and body gets the first one's answer.",
                        longest=_KEY_AT_MOST,
                    ),
                    Header(NAME, TRACED),
                ),
                body=PublishBody,
                body_example={"items": [examples.PUBLICATION]},
                answers={
                    202: Answer(
                        "All of them are in the journal, and will be stored and delivered.",
                        shape=PublishReceipt,
                        example=examples.RECEIPT,
                    )
                },
                refusals=(*KNOWN, codes.INSUFFICIENT_PERMISSIONS, codes.CONFLICT),
                because={codes.CONFLICT: "this `Idempotency-Key` had another body"},
            )
        ]

    async def publish(self, request: web.Request) -> web.Response:
        """202 ``{accepted, duplicates, ids}``."""
        who = await principal(request, self._identity)
        require(who, Role.SERVICE)
        query(request, NoQuery, repeatable=frozenset())
        key = request.headers.get("Idempotency-Key")
        if key is not None and not 0 < len(key) <= _KEY_AT_MOST:
            raise codes.invalid("Idempotency-Key", f"has 1 to {_KEY_AT_MOST} characters")
        items = parse(PublishBody, await body(request)).items
        await self._limits.take("publishes", who.user_id, len(items))
        by_admin, trace = who.has(Role.ADMIN), _traceparent(request)
        if key is None:
            receipt = await self._publishing.publish(items, by_admin=by_admin, traceparent=trace)
        else:
            mark = fingerprint(await request.read())
            receipt = await self._publishing.publish_once(
                who.user_id, key, mark, items, by_admin=by_admin, traceparent=trace
            )
        return answer(
            {
                "accepted": receipt.accepted,
                "duplicates": receipt.duplicates,
                "ids": receipt.ids,
            },
            status=202,
        )


def _traceparent(request: web.Request) -> str:
    """The trace that the request belongs to; a header of another form means nothing (W3C)."""
    given = request.headers.get(NAME, "")
    return given if is_traceparent(given) else ""
