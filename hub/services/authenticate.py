"""Who holds a token (contract section 2)."""

import time
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from config.settings import Settings
from hub.domain import codes, ids
from hub.domain.principal import Principal, Role
from hub.services.keyset import Unreachable
from hub.services.patience import unavailable
from hub.services.signatures import MALFORMED, Signatures

_MAX_TOKEN: Final = 8192
_USER: Final = frozenset({Role.USER})
_ROLES: Final = {role.value: role for role in Role}

_Time = Annotated[float, Meta(ge=0, lt=253_402_300_800)]  # Unix seconds, up to the year 9999
_UserId = Annotated[str, Meta(pattern=ids.USER_ID)]


class _Claims(Struct, frozen=True):
    """What the hub reads of a token. Of the wrong type, a claim refuses the token."""

    sub: _UserId
    exp: _Time
    iat: _Time = 0
    nbf: _Time = 0
    iss: str = ""
    aud: str | list[str] = []
    jti: str | None = None
    roles: list[str] | None = None
    projects: list[str] | Literal["*"] | None = None


_decode_claims = msgspec.json.Decoder(_Claims).decode


class Authenticator:
    """Checks tokens against the keys of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._signatures = Signatures(settings)
        self._leeway = settings.jwt_leeway
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience

    async def verify(self, token: object) -> Principal:
        """The principal that ``token`` names.

        Raises ``HubError``: TOKEN_EXPIRED, UNAVAILABLE when the key set cannot be fetched, else
        UNAUTHENTICATED without saying to the caller which check failed, except to one whose
        token is signed rightly and malformed.
        """
        if not isinstance(token, str) or not token or len(token) > _MAX_TOKEN:
            raise codes.HubError(codes.UNAUTHENTICATED)
        try:
            payload = await self._signatures.payload(token)
        except Unreachable as error:
            raise unavailable() from error
        except MALFORMED:
            raise codes.HubError(codes.UNAUTHENTICATED) from None
        try:
            claims = _decode_claims(payload)
        except MALFORMED as error:
            raise codes.HubError(codes.UNAUTHENTICATED, f"the token's claims: {error}") from None
        self._check(claims, time.time())
        return _principal(claims)

    async def close(self) -> None:
        """Ends what is under way."""
        await self._signatures.close()

    def _check(self, claims: _Claims, now: float) -> None:
        """Times, issuer and audience, as RFC 7519 says."""
        if max(claims.iat, claims.nbf) > now + self._leeway:
            raise codes.HubError(codes.UNAUTHENTICATED)
        if claims.exp <= now - self._leeway:
            raise codes.HubError(codes.TOKEN_EXPIRED)
        if self._issuer not in (None, claims.iss):
            raise codes.HubError(codes.UNAUTHENTICATED)
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if self._audience is not None and self._audience not in audiences:
            raise codes.HubError(codes.UNAUTHENTICATED)


def _principal(claims: _Claims) -> Principal:
    projects = claims.projects or ()
    return Principal(
        user_id=claims.sub,
        roles=_USER if claims.roles is None else _known(claims.roles),
        projects=None if "*" in projects else frozenset(projects),
        expires_at=datetime.fromtimestamp(claims.exp, UTC),
        token_id=claims.jti,
        issued_at=claims.iat,
    )


def _known(names: list[str]) -> frozenset[Role]:
    """Roles of other applications may stand in the same token."""
    return frozenset(_ROLES[name] for name in names if name in _ROLES)
