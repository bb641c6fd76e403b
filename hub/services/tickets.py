"""Tickets: for browsers' own WebSocket and EventSource, which send no headers (contract 2)."""

import secrets
from datetime import datetime, timedelta
from typing import Final

import msgspec
from redis.exceptions import RedisError

from hub.broker.tickets import TicketStore
from hub.domain import codes, times
from hub.domain.principal import Principal

TTL: Final = 30
"""Seconds that a ticket is good for."""

_BYTES: Final = 24
_LONGEST: Final = 64
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Principal).decode


class Tickets:
    """Gives tickets, and takes each once. Raises ``HubError``: UNAVAILABLE without Redis."""

    def __init__(self, store: TicketStore) -> None:
        self._store = store

    async def issue(self, who: Principal) -> tuple[str, datetime]:
        """A ticket that stands for ``who``, as the token says, and until when."""
        ticket = secrets.token_urlsafe(_BYTES)
        expires_at = times.now() + timedelta(seconds=TTL)
        try:
            await self._store.put(ticket, _encode(who), TTL)
        except (RedisError, OSError, TimeoutError) as error:
            raise codes.HubError(codes.UNAVAILABLE, retry_after=2) from error
        return ticket, expires_at

    async def redeem(self, ticket: str) -> Principal:
        """Whom a ticket stands for. Raises UNAUTHENTICATED when it was used, is too old or never
        was; TOKEN_EXPIRED when the token that it was got with has expired since."""
        if not ticket or len(ticket) > _LONGEST:
            raise codes.HubError(codes.UNAUTHENTICATED, "the ticket is not valid")
        try:
            content = await self._store.take(ticket)
        except (RedisError, OSError, TimeoutError) as error:
            raise codes.HubError(codes.UNAVAILABLE, retry_after=2) from error
        if content is None:
            raise codes.HubError(codes.UNAUTHENTICATED, "the ticket is not valid (any more)")
        who = _decode(content)
        if who.expires_at <= times.now():
            raise codes.HubError(codes.TOKEN_EXPIRED)
        return who
