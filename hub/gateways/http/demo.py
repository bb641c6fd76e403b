"""The demo page of ``python -m hub dev``, and what it needs: a token for a user it plays, and a way
to kill its node. None of this is in a node that was not started by ``hub dev``.

Whoever reaches these addresses may be anyone: so tokens are given to the page alone. A page of
another origin cannot make these requests (JSON needs a preflight, which nobody answers), and
one whose name was made to point here (DNS rebinding) is told by the name.
"""

import ipaddress
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import hdrs, web
from msgspec import Struct
from yarl import URL

from config.settings import Settings
from hub import tokens
from hub.domain import codes
from hub.domain.publications import UserId
from hub.domain.shapes import parse
from hub.gateways.http.operation import EVERY_OPERATION, Answer, Operation
from hub.gateways.http.pages import DIST, page_operations
from hub.gateways.http.request import answer, body

PROJECT: Final = "demo"
_REFUSALS: Final = (*EVERY_OPERATION, codes.INVALID_REQUEST, codes.INSUFFICIENT_PERMISSIONS)


class TokenFor(Struct, forbid_unknown_fields=True):
    """Whom the page wants to play."""

    sub: UserId


class DevToken(Struct):
    """A token for the page."""

    token: str


class DemoPage:
    """The page's resources. ``kill``: ends this process at once, as a crash would."""

    def __init__(
        self, settings: Settings, *, dist: Path = DIST, kill: Callable[[], None] | None = None
    ) -> None:
        self._settings = settings
        self._dist = dist
        self._kill = kill or _kill

    def operations(self) -> list[Operation]:
        """Where they are found."""
        token = Operation(
            method="POST",
            path="/dev/token",
            handler=self.token,
            id="mintDevToken",
            tag="development",
            summary="A token for a user of the demo project, for an hour.",
            description="Given to the hub's own pages alone, and only by `python -m hub dev`.",
            body=TokenFor,
            body_example={"sub": "ana"},
            answers={200: Answer("The token.", shape=DevToken, example={"token": "eyJhbGciOi…"})},
            refusals=(*_REFUSALS, codes.NOT_FOUND, codes.PAYLOAD_TOO_LARGE),
            open=True,
        )
        kill = Operation(
            method="POST",
            path="/dev/kill-node",
            handler=self.kill_node,
            id="killNode",
            tag="development",
            summary="Ends this node at once, as a crash would.",
            description="It does not answer any more; `python -m hub dev` starts another one.",
            answers={202: Answer("Nobody sees this.", shape=dict[str, Any])},
            refusals=_REFUSALS,
            open=True,
        )
        summary = "The demo of `python -m hub dev`."
        return [*page_operations("/", "demo", self._dist, summary), token, kill]

    async def token(self, request: web.Request) -> web.Response:
        """``{token}`` of a user and worker of the demo project, for an hour."""
        _require_own_page(request)
        wanted = parse(TokenFor, await body(request))
        secret = self._settings.jwt_secret
        if secret is None:  # tokens are signed elsewhere
            raise codes.HubError(codes.NOT_FOUND)
        token = tokens.mint(
            secret.get_secret_value(),
            wanted.sub,
            roles=("user", "service"),
            projects=(PROJECT,),
            issuer=self._settings.jwt_issuer,
            audience=self._settings.jwt_audience,
        )
        return answer({"token": token})

    async def kill_node(self, request: web.Request) -> web.Response:
        """Does not answer: the node is gone. ``hub dev`` starts another one."""
        _require_own_page(request)
        self._kill()
        return answer({}, status=202)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _require_own_page(request: web.Request) -> None:
    """Raises INSUFFICIENT_PERMISSIONS for other pages, also those that DNS brought here."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    is_json = request.content_type == "application/json"
    origin = request.headers.get(hdrs.ORIGIN)
    own = origin is None or URL(origin).authority == request.host
    if not (own and is_json and site in ("same-origin", "none") and _is_address(request)):
        message = "only the demo page itself may ask for this"
        raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS, message)


def _is_address(request: web.Request) -> bool:
    """Whether the client named the host by its address, or as localhost: nobody can point those
    elsewhere."""
    try:
        name = URL(f"http://{request.host}").host or ""
        return name == "localhost" or bool(ipaddress.ip_address(name))
    except ValueError:
        return False
