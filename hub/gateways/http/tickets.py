"""``POST /v1/tickets``."""

from aiohttp import web

from hub.domain import times
from hub.gateways.http import examples
from hub.gateways.http.documents import IssuedTicket
from hub.gateways.http.operation import Answer, Operation
from hub.gateways.http.request import NoQuery, answer, principal, query
from hub.services.identity import Identity
from hub.services.tickets import Tickets


class TicketResource:
    """The handler."""

    def __init__(self, identity: Identity, tickets: Tickets) -> None:
        self._identity = identity
        self._tickets = tickets

    def operations(self) -> list[Operation]:
        """Where it is found."""
        return [
            Operation(
                method="POST",
                path="/v1/tickets",
                handler=self.issue,
                id="issueTicket",
                tag="identity",
                summary="A one-time ticket that stands for the caller's token.",
                description="For browsers' own WebSocket and EventSource, which send no headers: "
                "`?ticket=`. It is good once, for 30 seconds.",
                query=NoQuery,
                answers={
                    201: Answer(
                        "The ticket.",
                        shape=IssuedTicket,
                        example=examples.TICKET,
                    )
                },
            )
        ]

    async def issue(self, request: web.Request) -> web.Response:
        """201 ``{ticket, expiresAt}``."""
        who = await principal(request, self._identity)
        query(request, NoQuery, repeatable=frozenset())
        ticket, expires_at = await self._tickets.issue(who)
        return answer({"ticket": ticket, "expiresAt": times.wire(expires_at)}, status=201)
