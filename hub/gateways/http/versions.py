"""Which version of the contract an HTTP request speaks: the header ``Hub-Version``, or ``?v=`` at
the live doors, where a browser can send no headers."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from hub.domain.versions import Versions
from hub.gateways.http.headers import MORE
from hub.gateways.http.problems import Handler

HEADER: Final = "Hub-Version"
_LIVE: Final = "/progress"
_LONG: Final = 9  # digits


def versions(spoken: Versions) -> Middleware:
    """Refuses with UNSUPPORTED_VERSION what is not spoken, and says in every answer what was;
    the current one where nothing was."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/v1/"):
            return await handler(request)
        asked = request.query.get("v") if request.path.endswith(_LIVE) else None
        said = request.headers.get(HEADER, asked)
        plain = said is not None and said.isascii() and said.isdigit() and len(said) <= _LONG
        request[MORE] = {HEADER: str(spoken.current)}  # of a refusal
        version = spoken.choose(int(said) if said is not None and plain else said)
        request[MORE] = version.headers()
        return await handler(request)

    return middleware
