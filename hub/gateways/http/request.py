"""What the HTTP handlers share: who asks, the query, the body, and the answer."""

from typing import Any, TypeVar

import msgspec
from aiohttp import web

from hub.domain import codes
from hub.domain.principal import Principal, Role
from hub.domain.shapes import Shape, parse
from hub.services.identity import Identity

Service = TypeVar("Service")


async def principal(request: web.Request, identity: Identity) -> Principal:
    """The holder of the request's bearer token. A token in the query is refused (contract 2)."""
    if "token" in request.query or "access_token" in request.query:
        name = "token" if "token" in request.query else "access_token"
        raise codes.invalid(name, "a token in a query string ends up in logs; send it as a header")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise codes.HubError(codes.UNAUTHENTICATED)
    return await identity.verify(token.strip())


def require(who: Principal, role: Role) -> None:
    """Raises INSUFFICIENT_PERMISSIONS unless ``who`` has ``role``."""
    if not who.has(role):
        raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS, f"the role {role} is required")


def query(request: web.Request, shape: type[Shape], *, repeatable: frozenset[str]) -> Shape:
    """The query string as ``shape``; unknown and wrongly repeated parameters are refused."""
    given: dict[str, Any] = {}
    for name in request.query:
        values = request.query.getall(name)
        if name in repeatable:
            given[name] = values
        elif len(values) == 1:
            given[name] = values[0]
        else:
            raise codes.invalid(name, "may be given once only")
    return parse(shape, given, strict=False)


async def body(request: web.Request) -> Any:
    """The request's JSON. Raises INVALID_REQUEST, or PAYLOAD_TOO_LARGE over 1 MiB."""
    raw = await request.read()
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise codes.invalid("body", f"not JSON: {error}") from None


def answer(document: Any, *, status: int = 200) -> web.Response:
    """``document`` as JSON; never cached."""
    return web.Response(
        body=msgspec.json.encode(document),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
