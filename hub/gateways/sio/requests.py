"""The HTTP requests of Engine.IO: which are in order, and how the others are refused."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from hub.gateways.addresses import address_of
from hub.gateways.bearer import misplaced


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason of the reference server: ``code`` and ``message`` are what clients know it by."""

    code: int
    message: str
    status: int = 400
    retry_after: int | None = None


UNKNOWN_TRANSPORT: Final = Refusal(0, "Transport unknown")
UNKNOWN_SESSION: Final = Refusal(1, "Session ID unknown")
BAD_METHOD: Final = Refusal(2, "Bad handshake method")
BAD_REQUEST: Final = Refusal(3, "Bad request")
FORBIDDEN: Final = Refusal(4, "Forbidden", 403)
UNKNOWN_VERSION: Final = Refusal(5, "Unsupported protocol version")
DRAINING: Final = Refusal(4, "Draining", 503, retry_after=1)
TOO_OFTEN: Final = Refusal(4, "Too many requests", 429, retry_after=1)
TOO_LARGE: Final = Refusal(3, "Payload too large", 413)


class Refused(Exception):
    """The request is answered with a refusal. ``detail`` is for the log."""

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        self.refusal = refusal
        self.message = f"{refusal.message}: {detail}" if detail else refusal.message
        super().__init__(self.message)

    def response(self) -> web.Response:
        """``{"code", "message"}``, as the reference server answers."""
        body = {"code": self.refusal.code, "message": self.refusal.message}
        response = web.json_response(body, status=self.refusal.status)
        if self.refusal.retry_after is not None:
            response.headers["Retry-After"] = str(self.refusal.retry_after)
        return response


def check(request: web.Request, transports: Collection[str]) -> str | None:
    """Raises ``Refused`` for what the protocol does not know, and for a token in the query; gives
    the session's id, None in a request that opens one."""
    query = request.query
    if misplaced(query) is not None:
        raise Refused(BAD_REQUEST, "a token in the query string")
    if query.get("transport") not in transports:
        raise Refused(UNKNOWN_TRANSPORT)
    if query.get("EIO") != "4":
        raise Refused(UNKNOWN_VERSION)
    sid = query.get("sid")
    websocket = query["transport"] == "websocket"
    methods = ("GET",) if websocket or sid is None else ("GET", "POST")
    if request.method not in methods:
        raise Refused(BAD_METHOD)
    if websocket and request.headers.get("Upgrade", "").lower() != "websocket":
        raise Refused(BAD_REQUEST, "no WebSocket handshake")
    return sid


_HEADERS: Final = (
    ("Host", "HTTP_HOST"),
    ("Origin", "HTTP_ORIGIN"),
    ("Authorization", "HTTP_AUTHORIZATION"),
    ("X-Forwarded-Proto", "HTTP_X_FORWARDED_PROTO"),
    ("X-Forwarded-Host", "HTTP_X_FORWARDED_HOST"),
    ("Access-Control-Request-Headers", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"),
)


def environ(request: web.Request) -> dict[str, str]:
    """What the libraries and the namespaces ask of a request, in WSGI's terms. It is kept as long
    as the connection, so no more than that."""
    headers = request.headers
    found = {key: headers[name] for name, key in _HEADERS if name in headers}
    return {
        "REQUEST_METHOD": request.method,
        "REMOTE_ADDR": address_of(request),
        "wsgi.url_scheme": request.url.scheme,
        **found,
    }


async def body(request: web.Request, at_most: int) -> bytes:
    """The body, of at most that many bytes; raises ``Refused`` for a longer one."""
    if (request.content_length or 0) > at_most:
        raise Refused(TOO_LARGE)
    read = bytearray()
    async for chunk in request.content.iter_any():
        read += chunk
        if len(read) > at_most:
            raise Refused(TOO_LARGE)
    return bytes(read)
