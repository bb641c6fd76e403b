"""Which key signed a token: JWS in its compact form (RFC 7515), checked by PyJWT's algorithms.

``jwt.decode`` would do it, at ten times the cost: it wants the key first, so that every token is
decoded twice; it prepares that key anew for every token; and it looks at every character in Python.
"""

import asyncio
import base64
from typing import Any, Final

import jwt
import msgspec
from jwt import PyJWK, PyJWKClient
from jwt.algorithms import Algorithm
from msgspec import Struct

from config.settings import Settings

MALFORMED: Final = (jwt.PyJWTError, msgspec.MsgspecError, ValueError, TypeError, RecursionError)
"""What reading and checking a token may raise, whatever it is made of."""

_JWKS_TIMEOUT: Final = 2
_HMAC: Final = "HS"


class _Header(Struct, frozen=True):
    alg: str
    kid: str | None = None
    crit: Any = None


_decode_header = msgspec.json.Decoder(_Header).decode


class Signatures:
    """The keys of the settings. Each algorithm takes only its own key, so that a public key can
    never serve as a shared secret."""

    def __init__(self, settings: Settings) -> None:
        names = settings.jwt_algorithms
        self._algorithms = {name: jwt.get_algorithm_by_name(name) for name in names}
        self._keys = {
            name: key
            for name, algorithm in self._algorithms.items()
            if (key := _prepared(algorithm, _configured(settings, name))) is not None
        }
        url = settings.jwt_jwks_url
        self._jwks = None if url is None else PyJWKClient(url, timeout=_JWKS_TIMEOUT)

    async def payload(self, token: str) -> bytes:
        """What was signed, once it is known that it was.

        Raises one of ``MALFORMED`` for any token that none of the keys signed, and
        ``jwt.PyJWKClientConnectionError`` when the key set is out of reach.
        """
        signed, _, signature = token.encode("ascii").rpartition(b".")
        header, _, payload = signed.partition(b".")
        named = _decode_header(_decode(header))
        algorithm = self._algorithms.get(named.alg)
        if algorithm is None or named.crit is not None:  # no extension is understood here
            raise jwt.InvalidAlgorithmError
        key = self._keys.get(named.alg)
        if key is None:
            key = algorithm.prepare_key(await self._published(named))
        if not algorithm.verify(signed, key, _decode(signature)):
            raise jwt.InvalidSignatureError
        return _decode(payload)

    async def _published(self, named: _Header) -> Any:
        """The key that the token's issuer publishes under the name in its header."""
        if self._jwks is None or named.kid is None or named.alg.startswith(_HMAC):
            raise jwt.InvalidKeyError
        found = self._known(self._jwks, named.kid)
        if found is None:
            found = await asyncio.to_thread(self._jwks.get_signing_key, named.kid)
        return found.key

    @staticmethod
    def _known(jwks: PyJWKClient, kid: str) -> PyJWK | None:
        """The key if it was fetched lately: that takes no thread and no lock."""
        fetched = None if jwks.jwk_set_cache is None else jwks.jwk_set_cache.get()
        keys = [] if fetched is None else fetched.keys
        return jwks.match_kid([key for key in keys if key.public_key_use in (None, "sig")], kid)


def _configured(settings: Settings, algorithm: str) -> str | None:
    """The one setting that has the key of this algorithm."""
    if not algorithm.startswith(_HMAC):
        return settings.jwt_public_key
    return None if settings.jwt_secret is None else settings.jwt_secret.get_secret_value()


def _prepared(algorithm: Algorithm, key: str | None) -> Any:
    """The key as ``algorithm`` takes it; None when it is one for other algorithms."""
    if key is None:
        return None
    try:
        return algorithm.prepare_key(key)
    except (jwt.InvalidKeyError, TypeError, ValueError):
        return None


def _decode(segment: bytes) -> bytes:
    """Base64url without padding, in its one canonical form; raises ``ValueError``."""
    decoded = base64.urlsafe_b64decode(segment + b"==")
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != segment:
        raise ValueError("not canonical base64url")
    return decoded
