"""``POST /v1/tickets``."""

from aiohttp import web
from msgspec import Struct

from hub.domain import times
from hub.gateways.http.request import answer, principal, query
from hub.services.identity import Identity
from hub.services.tickets import Tickets


class _NoQuery(Struct, forbid_unknown_fields=True):
    """It takes no parameters."""


class TicketResource:
    """The handler."""

    def __init__(self, identity: Identity, tickets: Tickets) -> None:
        self._identity = identity
        self._tickets = tickets

    def routes(self) -> list[web.RouteDef]:
        """Where it is found."""
        return [web.post("/v1/tickets", self.issue)]

    async def issue(self, request: web.Request) -> web.Response:
        """201 ``{ticket, expiresAt}``."""
        who = await principal(request, self._identity)
        query(request, _NoQuery, repeatable=frozenset())
        ticket, expires_at = await self._tickets.issue(who)
        return answer({"ticket": ticket, "expiresAt": times.wire(expires_at)}, status=201)
