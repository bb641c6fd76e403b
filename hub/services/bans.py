"""Sending people away and keeping them out, for whoever administers the hub (contract 9)."""

import time
from collections.abc import Collection
from datetime import datetime
from typing import Final

from hub.broker.orders import OrderBook
from hub.domain import codes, ids
from hub.domain.standing import Ban, Kick, Lift, Order, Revocation, digest
from hub.services.patience import patiently

BAN_AT_MOST: Final = 10 * 365 * 86_400.0
"""Seconds."""

_TOKEN_ID_AT_MOST: Final = 8192
_MESSAGE_AT_MOST: Final = 500


class Bans:
    """Acts on the whole cluster, on every door, within a second. ``kept``: seconds that a
    revocation is kept whose token's expiry is not known.

    Everything raises ``HubError``: INVALID_REQUEST, or UNAVAILABLE without Redis, and then it may
    have been done or not; to repeat it does no harm. It is no error when nobody is concerned.
    """

    def __init__(self, book: OrderBook, kept: float) -> None:
        self._book = book
        self._kept = kept

    async def kick(
        self,
        *,
        user_id: str | None = None,
        sid: str | None = None,
        job_id: str | None = None,
        message: str | None = None,
    ) -> None:
        """Ends every connection of one target: of a user, the one of that id, or those that follow
        the job. Nobody is kept from coming back."""
        given = [each for each in (user_id, sid, job_id) if each is not None]
        if len(given) != 1:
            raise codes.invalid("target", "is one of userId, sid and jobId")
        for field, value in (("userId", user_id), ("jobId", job_id)):
            _check_id(field, value)
        _check_message(message)
        await self._give(Kick(user_id=user_id, sid=sid, job_id=job_id, message=message))

    async def ban(self, user_id: str, seconds: float, message: str | None = None) -> None:
        """Ends every connection of the user and lets none in for that long; a later ban replaces
        an earlier one."""
        if not 0 < seconds <= BAN_AT_MOST:
            raise codes.invalid("banSeconds", f"is above 0 and at most {BAN_AT_MOST:.0f}")
        await self.ban_until(time.time() + seconds, [user_id], message)

    async def ban_until(
        self, until: float, users: Collection[str], message: str | None = None
    ) -> None:
        """As ``ban``, for several users, until a Unix time; when that is over nobody is banned."""
        for user in users:
            _check_id("userId", user)
        _check_message(message)
        if until > time.time():
            await self._give(*(Ban(user_id=user, until=until, message=message) for user in users))

    async def unban(self, user_id: str) -> None:
        """Ends a ban."""
        _check_id("userId", user_id)
        await self._give(Lift(user_id=user_id))

    async def revoke(
        self,
        *,
        user_id: str | None = None,
        token_id: str | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        """Takes back the token with that ``jti``, or all tokens of the user that were issued until
        now; one that does not say when it was issued is among them. ``expires_at``: when the last
        of them does."""
        if (user_id is None) == (token_id is None):
            raise codes.invalid("target", "is one of userId and jti")
        _check_id("userId", user_id)
        if token_id is not None and not 0 < len(token_id) <= _TOKEN_ID_AT_MOST:
            raise codes.invalid("jti", f"has 1 to {_TOKEN_ID_AT_MOST} characters")
        now = time.time()
        until = now + self._kept if expires_at is None else expires_at.timestamp()
        if token_id is not None:
            await self._give(Revocation(until=until + 60, digest=digest(token_id)))
        else:
            await self._give(Revocation(until=until + 60, user_id=user_id, issued=now))

    async def _give(self, *orders: Order) -> None:
        async with patiently():
            await self._book.give(*orders)


def _check_id(field: str, value: str | None) -> None:
    if value is not None and not ids.is_user_id(value):
        raise codes.invalid(field, "is no id")


def _check_message(message: str | None) -> None:
    if message is not None and len(message) > _MESSAGE_AT_MOST:
        raise codes.invalid("message", f"has at most {_MESSAGE_AT_MOST} characters")
