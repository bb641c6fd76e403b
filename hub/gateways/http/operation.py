"""An HTTP operation: its handler, and everything that a caller may want to know of it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiohttp import web
from msgspec import Struct

from hub.domain import codes, ids
from hub.gateways.http.problems import Handler
from hub.gateways.http.request import expected, no_body

EVERY_OPERATION: Final = (codes.INTERNAL,)
"""What every operation may be refused with."""

KNOWN: Final = (
    codes.UNAUTHENTICATED,
    codes.TOKEN_EXPIRED,
    codes.BANNED,
    codes.RATE_LIMITED,
    codes.INVALID_REQUEST,
    codes.UNSUPPORTED_VERSION,
    codes.PAYLOAD_TOO_LARGE,
    codes.UNAVAILABLE,
    *EVERY_OPERATION,
)
"""The same of those that want a token."""


class Answer(Struct, frozen=True):
    """One way in which an operation succeeds. ``shape``: what the JSON looks like, None without a
    body; ``media``: what else it may be than JSON, with a description."""

    description: str
    shape: Any = None
    example: Any = None
    media: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}


class Header(Struct, frozen=True):
    """A request header that means something to an operation. ``longest``: characters that it may
    have, else it is refused."""

    name: str
    description: str
    longest: int | None = None


class Operation(Struct, frozen=True, kw_only=True):
    """A method of a path. ``id``: its name in generated clients; ``query`` and ``body``: the shapes
    that its handler parses; ``refusals``: codes of the catalogue; ``because``: of some of them,
    when; ``open``: it wants no token."""

    method: str
    path: str
    handler: Handler
    id: str
    tag: str
    summary: str
    description: str = ""
    query: type | None = None
    body: Any = None
    body_example: Any = None
    headers: tuple[Header, ...] = ()
    answers: Mapping[int, Answer]
    refusals: tuple[codes.Code, ...] = KNOWN
    because: Mapping[codes.Code, str] = {}
    open: bool = False


def routes(operations: Iterable[Operation]) -> list[web.RouteDef]:
    """How aiohttp serves them."""
    return [
        web.route(each.method, each.path, _handler(each), expect_handler=expected)
        for each in operations
    ]


def _handler(operation: Operation) -> Handler:
    """One that takes no body refuses it before anything else, unless it is open: then what it
    answers hangs on nothing that is sent."""
    takes = operation.body is not None or operation.open
    return operation.handler if takes else _without_body(operation.handler)


def _without_body(handler: Handler) -> Handler:
    async def bodiless(request: web.Request) -> web.StreamResponse:
        if request.body_exists:
            await no_body(request)
        return await handler(request)

    return bodiless


PATH_PARAMETERS: Final[Mapping[str, tuple[str, str]]] = {
    "jobId": (ids.USER_ID, "The job."),
    "name": (r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", "The file."),
    "topic": (ids.USER_ID, "The topic, without `topic:`."),
    "userId": (ids.USER_ID, "The user."),
}
"""Pattern and meaning of what a path may name."""

TICKET: Final = "ticket"
"""The parameter of a query that stands for a token, at the live doors."""

TICKET_SAID: Final = "A one-time ticket of `POST /v1/tickets`; live doors take it."
