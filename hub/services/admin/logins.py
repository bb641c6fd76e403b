"""Who may use the stock Socket.IO admin UI: a token with the role, a name and password, or the id
that whoever came by one of them was given."""

import hashlib
import secrets
from datetime import timedelta
from typing import Final

import msgspec
from msgspec import Struct

from hub.broker.logins import LoginStore
from hub.domain import codes, times
from hub.domain.principal import Principal, Role
from hub.services.admin.passwords import Passwords
from hub.services.guests import Guests
from hub.services.identity import Identity
from hub.services.patience import patiently

LASTS: Final = 12 * 3600
"""Seconds that a login by password is good for; one by token, as long as the token at most."""

PREFIX: Final = "socketio-admin:"
"""Before the user name, so that it is nobody's who has a token."""

_BYTES: Final = 24
_LONGEST: Final = 64


class Given(Struct, frozen=True):
    """What the UI sends with CONNECT: a name and password or, later, ``session_id``."""

    token: str | None = None
    username: str | None = None
    password: str | None = None
    session_id: str | None = msgspec.field(default=None, name="sessionId")


class _Kept(Struct, frozen=True):
    who: Principal
    by: str = ""  # digest of the password's hash, of a login by password


class Logins:
    """Lets administrators in. ``passwords``: None when there is no password; ``hashed``: its
    hash. Raises ``HubError``."""

    def __init__(
        self,
        store: LoginStore,
        identity: Identity,
        guests: Guests,
        passwords: Passwords | None,
        hashed: str = "",
    ) -> None:
        self._store = store
        self._identity = identity
        self._guests = guests
        self._passwords = passwords
        self._by = hashlib.sha256(hashed.encode()).hexdigest()

    async def enter(self, given: Given, bearer: str | None) -> tuple[Principal, str | None]:
        """Who it is, and the id by which they may come back; None when they came by it. Raises
        ``HubError`` UNAUTHENTICATED, INSUFFICIENT_PERMISSIONS and others."""
        if given.session_id is not None:
            return await self._back(given.session_id), None
        token = given.token or bearer
        if token is None and given.password is not None:
            if await self._matches(given.username or "", given.password):
                until = times.now() + timedelta(seconds=LASTS)
                who = Principal(
                    PREFIX + (given.username or ""), frozenset({Role.ADMIN}), frozenset(), until
                )
                await self._guests.check(who)
                return who, await self._keep(_Kept(who, self._by))
            token = given.password  # the UI's form has no place for a token but this
        who = await self._identity.verify(token)
        if not who.has(Role.ADMIN):
            raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS, "the role admin is required")
        return who, await self._keep(_Kept(who))

    async def _matches(self, user: str, password: str) -> bool:
        return self._passwords is not None and await self._passwords.match(user, password)

    async def _keep(self, kept: _Kept) -> str:
        login = secrets.token_urlsafe(_BYTES)
        left = (kept.who.expires_at - times.now()).total_seconds()
        async with patiently():
            await self._store.put(login, msgspec.json.encode(kept), int(max(1, min(left, LASTS))))
        return login

    async def _back(self, login: str) -> Principal:
        content = None
        if 0 < len(login) <= _LONGEST:
            async with patiently():
                content = await self._store.get(login)
        kept = None if content is None else msgspec.json.decode(content, type=_Kept)
        if kept is None or kept.who.expires_at <= times.now() or kept.by not in ("", self._by):
            raise codes.HubError(codes.UNAUTHENTICATED, "the login is not valid (any more)")
        if kept.by and self._passwords is None:
            raise codes.HubError(codes.UNAUTHENTICATED, "there is no password any more")
        await self._guests.check(kept.who)
        return kept.who
