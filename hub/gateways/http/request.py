"""What the HTTP handlers share: who asks, the query, the body, and the answer."""

import re
from typing import Any, Final, TypeVar, get_args

import msgspec
from aiohttp import hdrs, web
from msgspec import Struct, structs

from hub.domain import codes
from hub.domain.principal import Principal, Role
from hub.domain.shapes import not_json, parse, require_shallow
from hub.gateways.addresses import address_of, site
from hub.gateways.bearer import misplaced, token_of
from hub.services.identity import Identity

Query = TypeVar("Query", bound=Struct)
BODY_AT_MOST: Final = 1024 * 1024
"""Bytes of a request's body."""

_LONG: Final = 18  # digits
_NOTHING: Final = 64  # bytes
_EMPTY: Final = re.compile(rb"\s*(\{\s*\}\s*)?")


class NoQuery(Struct, forbid_unknown_fields=True):
    """The query of resources that take no parameters."""


async def principal(request: web.Request, identity: Identity) -> Principal:
    """The holder of the request's bearer token. A token in the query is refused (contract 2)."""
    if (name := misplaced(request.query)) is not None:
        raise codes.invalid(name, "a token in a query string ends up in logs; send it as a header")
    given = token_of(request.headers.get("Authorization", ""))
    return await identity.verify_request(given, site(address_of(request)))


def require(who: Principal, role: Role) -> None:
    """Raises INSUFFICIENT_PERMISSIONS unless ``who`` has ``role``."""
    if not who.has(role):
        raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS, f"the role {role} is required")


def query(request: web.Request, shape: type[Query], *, repeatable: frozenset[str]) -> Query:
    """The query string as ``shape``; unknown and wrongly repeated parameters are refused."""
    given: dict[str, Any] = {}
    fields = structs.fields(shape)
    numbers = {each.encode_name for each in fields if _is_number(each.type)}
    for name in request.query:
        values = request.query.getall(name)
        if name in repeatable:
            given[name] = values
        elif len(values) == 1:
            given[name] = int(values[0]) if name in numbers and _digits(values[0]) else values[0]
        else:
            raise codes.invalid(name, "may be given once only")
    return parse(shape, given)


def _is_number(type_: Any) -> bool:
    return type_ is int or any(map(_is_number, get_args(type_)))


def _digits(text: str) -> bool:
    """Whether it is a whole number as JSON writes it: neither 1.0 nor 1e0 nor +1."""
    return text.isascii() and text.isdigit() and len(text) < _LONG


def require_length(request: web.Request) -> None:
    """Raises PAYLOAD_TOO_LARGE for a body that says so itself, before any of it has come."""
    if (request.content_length or 0) > request.client_max_size:
        raise codes.HubError(codes.PAYLOAD_TOO_LARGE)


async def expected(request: web.Request) -> None:
    """Lets a client go on that asks first whether it may (``Expect: 100-continue``)."""
    if request.headers.get(hdrs.EXPECT, "").lower() != "100-continue":
        raise web.HTTPExpectationFailed
    if (request.content_length or 0) > request.client_max_size:
        raise web.HTTPRequestEntityTooLarge(request.client_max_size, request.content_length or 0)
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def body(request: web.Request) -> Any:
    """The request's JSON. Raises INVALID_REQUEST, also for what is nested deeper than any shape;
    PAYLOAD_TOO_LARGE over 1 MiB."""
    require_length(request)
    raw = await request.read()
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise not_json("body", raw, error) from None
    require_shallow(document, "body")
    return document


async def no_body(request: web.Request) -> None:
    """Raises INVALID_REQUEST for a body, unless it is an object without any field. Of a longer one
    no more is read than shows that."""
    read = b""
    while len(read) <= _NOTHING and (more := await request.content.read(_NOTHING + 1)):
        read += more
    if len(read) > _NOTHING or _EMPTY.fullmatch(read) is None:
        raise codes.invalid("body", "this resource takes none")


def answer(document: Any, *, status: int = 200) -> web.Response:
    """``document`` as JSON; never cached."""
    return web.Response(
        body=msgspec.json.encode(document),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
