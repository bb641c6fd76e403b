"""Who holds a token (contract section 2)."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from jwt import PyJWKClient

from config.settings import Settings
from hub.domain import codes, ids
from hub.domain.principal import Principal, Role

_LEEWAY: Final = 5
_JWKS_TIMEOUT: Final = 2
_MAX_TOKEN: Final = 8192
_HMAC: Final = "HS"


class Authenticator:
    """Checks tokens against the keys of the settings. Each algorithm takes only its own key, so
    that a public key can never serve as a shared secret."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        secret = settings.jwt_secret
        self._secret = None if secret is None else secret.get_secret_value()
        url = settings.jwt_jwks_url
        self._jwks = None if url is None else PyJWKClient(url, timeout=_JWKS_TIMEOUT)

    async def verify(self, token: object) -> Principal:
        """The principal that ``token`` names.

        Raises ``HubError``: TOKEN_EXPIRED, UNAVAILABLE when the key set cannot be fetched, else
        UNAUTHENTICATED without saying to the caller which check failed.
        """
        if not isinstance(token, str) or not token or len(token) > _MAX_TOKEN:
            raise codes.HubError(codes.UNAUTHENTICATED)
        try:
            key = await self._key(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=list(self._settings.jwt_algorithms),
                issuer=self._settings.jwt_issuer,
                audience=self._settings.jwt_audience,
                leeway=_LEEWAY,
                options={
                    "require": ["exp", "sub"],
                    "verify_aud": self._settings.jwt_audience is not None,
                },
            )
        except jwt.ExpiredSignatureError:
            raise codes.HubError(codes.TOKEN_EXPIRED) from None
        except jwt.PyJWKClientConnectionError as error:
            raise codes.HubError(codes.UNAVAILABLE, retry_after=2) from error
        except (jwt.PyJWTError, ValueError, TypeError):
            raise codes.HubError(codes.UNAUTHENTICATED) from None
        return _principal(claims)

    async def _key(self, token: str) -> Any:
        algorithm = jwt.get_unverified_header(token).get("alg")
        if algorithm not in self._settings.jwt_algorithms:
            raise jwt.InvalidAlgorithmError
        if algorithm.startswith(_HMAC):
            key: Any = self._secret
        elif self._settings.jwt_public_key is not None:
            key = self._settings.jwt_public_key
        elif self._jwks is not None:
            key = (await asyncio.to_thread(self._jwks.get_signing_key_from_jwt, token)).key
        else:
            key = None
        if key is None:
            raise jwt.InvalidKeyError
        return key


def _principal(claims: dict[str, Any]) -> Principal:
    user = claims["sub"]
    if not isinstance(user, str) or not ids.is_user_id(user):
        raise codes.HubError(codes.UNAUTHENTICATED, "the token's sub is no user id")
    return Principal(
        user_id=user,
        roles=_roles(claims.get("roles")),
        projects=_projects(claims.get("projects")),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        token_id=claims.get("jti") if isinstance(claims.get("jti"), str) else None,
    )


def _roles(claim: object) -> frozenset[Role]:
    if claim is None:
        return frozenset({Role.USER})
    if not isinstance(claim, list) or not all(isinstance(each, str) for each in claim):
        raise codes.HubError(codes.UNAUTHENTICATED, "the token's roles are no list of names")
    return frozenset(Role(each) for each in claim if each in set(Role))


def _projects(claim: object) -> frozenset[str] | None:
    if claim == "*" or (isinstance(claim, list) and "*" in claim):
        return None
    if claim is None:
        return frozenset()
    if not isinstance(claim, list) or not all(isinstance(each, str) for each in claim):
        raise codes.HubError(codes.UNAUTHENTICATED, "the token's projects are no list of ids")
    return frozenset(claim)
