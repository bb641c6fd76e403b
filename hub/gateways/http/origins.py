"""Which pages of other origins may call the HTTP API (``HUB_CORS_ORIGINS``; by default none)."""

from collections.abc import Collection
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from yarl import URL

from hub.domain import codes
from hub.gateways.http.problems import Handler

GRANTED: Final = web.RequestKey("granted", dict[str, str])
"""The headers that let the page read the answer, for handlers that write their own head."""

_METHODS: Final = "GET, POST, PUT, DELETE"
_ASKED: Final = (
    "Authorization, Content-Type, Hub-Version, Idempotency-Key, If-None-Match, Last-Event-ID, "
    "X-Request-Id"
)
_READ: Final = "Deprecation, ETag, Hub-Version, Poll-Interval, Retry-After, Sunset, X-Request-Id"
_REMEMBERED: Final = "600"  # seconds that a browser need not ask again


def origins(allowed: Collection[str]) -> Middleware:
    """Lets the pages of ``allowed`` origins in: ``*`` is any.

    Others read nothing, by the browser's own rule, and open no WebSocket, which browsers do not
    guard: INSUFFICIENT_PERMISSIONS. Callers that are no page send no Origin.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or request.path.startswith("/socket.io/"):  # has its own answer
            return await handler(request)
        if "*" not in allowed and origin not in allowed:
            if "websocket" in request.headers.get(hdrs.UPGRADE, "").lower() and not _own(request):
                raise codes.HubError(
                    codes.INSUFFICIENT_PERMISSIONS, "pages of this origin may not connect"
                )
            return await handler(request)
        granted: dict[str, str] = {
            hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
            hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: _READ,
        }
        request[GRANTED] = granted
        if request.method == hdrs.METH_OPTIONS and _asks_first(request):
            return web.Response(
                status=204,
                headers=granted
                | {
                    hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
                    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _ASKED,
                    hdrs.ACCESS_CONTROL_MAX_AGE: _REMEMBERED,
                    hdrs.VARY: hdrs.ORIGIN,
                },
            )
        return await handler(request)

    return middleware


async def grant(request: web.Request, response: web.StreamResponse) -> None:
    """Puts the headers on an answer of aiohttp's, refusals too."""
    if request.path.startswith("/socket.io/"):
        return
    if (granted := request.get(GRANTED)) is not None:
        response.headers.update(granted)
    vary = response.headers.get(hdrs.VARY)
    response.headers[hdrs.VARY] = hdrs.ORIGIN if vary is None else f"{vary}, {hdrs.ORIGIN}"


def _own(request: web.Request) -> bool:
    """Whether the page came from this very host, by whatever name and port it was reached."""
    try:
        return URL(request.headers[hdrs.ORIGIN]).authority == request.host
    except ValueError:
        return False


def _asks_first(request: web.Request) -> bool:
    return hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
