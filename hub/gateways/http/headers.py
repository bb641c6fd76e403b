"""The headers that every answer has: what a browser must not do with it, and the request's id."""

import re
import uuid
from typing import Final

from aiohttp import hdrs, web
from multidict import MutableMultiMapping

REQUEST_ID: Final = web.RequestKey("request_id", str)
"""What the log, the answer and a problem call the request."""

MORE: Final = web.RequestKey("more", dict[str, str])
"""Headers that the answer to a request has beside its own."""

X_REQUEST_ID: Final = "X-Request-Id"

ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",  # whom CORS lets read may read all the same
}

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a page of the hub may load: its own files; and whom it may talk to, by HTTP and WebSocket:
the hub it came from."""

_DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_POLICY: Final = "Content-Security-Policy"
_SANE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


def request_id(request: web.BaseRequest) -> str:
    """The id that the caller, or a proxy, gave the request, if it may stand in a log; else one of
    our own."""
    given = request.headers.get(X_REQUEST_ID, "")
    return given if _SANE.fullmatch(given) else uuid.uuid4().hex


def protect(headers: MutableMultiMapping[str], content_type: str) -> None:
    """Adds what an answer lacks."""
    for name, value in ALWAYS.items():
        headers.setdefault(name, value)
    page = content_type == "text/html"
    headers.setdefault(_POLICY, PAGE_POLICY if page else _DATA_POLICY)
    if page:
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers[hdrs.SERVER] = "hub"  # and not which versions of what


async def protected(request: web.Request, response: web.StreamResponse) -> None:
    """Completes an answer of aiohttp's, refusals too."""
    protect(response.headers, response.content_type)
    if (known := request.get(REQUEST_ID)) is not None:
        response.headers[X_REQUEST_ID] = known
    response.headers.update(request.get(MORE, {}))


def head(request: web.Request) -> dict[str, str]:
    """The same for handlers that write their own head, of something that is no page."""
    known = request.get(REQUEST_ID)
    own = {} if known is None else {X_REQUEST_ID: known}
    return {**ALWAYS, _POLICY: _DATA_POLICY, hdrs.SERVER: "hub", **own, **request.get(MORE, {})}
