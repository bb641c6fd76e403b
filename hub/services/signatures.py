"""Which key signed a token: JWS in its compact form (RFC 7515), checked by PyJWT's algorithms.

``jwt.decode`` would do it, at ten times the cost: it wants the key first, so that every token is
decoded twice; it prepares that key anew for every token; and it looks at every character in Python.
"""

import base64
from typing import Any, Final

import jwt
import msgspec
from jwt.algorithms import Algorithm
from msgspec import Struct

from config.settings import Settings
from config.values import pem_keys
from hub.services.keyset import PublishedKeys

MALFORMED: Final = (jwt.PyJWTError, msgspec.MsgspecError, ValueError, TypeError, RecursionError)
"""What reading and checking a token may raise, whatever it is made of."""

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
        self._keys: dict[str, list[Any]] = {}
        for name, algorithm in self._algorithms.items():
            made = [_prepared(algorithm, each) for each in _configured(settings, name)]
            self._keys[name] = [key for key in made if key is not None]
        url = settings.jwt_jwks_url
        self._published = None if url is None else PublishedKeys(url)

    async def payload(self, token: str) -> bytes:
        """What was signed, once it is known that it was.

        Raises one of ``MALFORMED`` for any token that none of the keys signed, and
        ``keyset.Unreachable`` when the published keys are out of reach.
        """
        signed, _, signature = token.encode("ascii").rpartition(b".")
        header, _, payload = signed.partition(b".")
        named = _decode_header(_decode(header))
        algorithm = self._algorithms.get(named.alg)
        if algorithm is None or named.crit is not None:  # no extension is understood here
            raise jwt.InvalidAlgorithmError
        proof = _decode(signature)
        for key in self._keys[named.alg]:
            if algorithm.verify(signed, key, proof):
                return _decode(payload)
        key = algorithm.prepare_key(await self._named(named))
        if not algorithm.verify(signed, key, proof):
            raise jwt.InvalidSignatureError
        return _decode(payload)

    async def close(self) -> None:
        """Ends what is under way."""
        if self._published is not None:
            await self._published.close()

    async def _named(self, named: _Header) -> Any:
        """The key that the token's issuer publishes under the name in its header. That name is
        looked up among those, and is never an address or a path of anything."""
        if self._published is None or named.kid is None or named.alg.startswith(_HMAC):
            raise jwt.InvalidKeyError
        found = await self._published.get(named.kid)
        if found is None or not found.takes(named.alg):
            raise jwt.InvalidKeyError
        return found.key


def _configured(settings: Settings, algorithm: str) -> list[str]:
    """The keys of this algorithm that the settings have: several while they are being changed."""
    if algorithm.startswith(_HMAC):
        secrets = (settings.jwt_secret, settings.jwt_previous_secret)
        return [each.get_secret_value() for each in secrets if each is not None]
    return [] if settings.jwt_public_key is None else pem_keys(settings.jwt_public_key)


def _prepared(algorithm: Algorithm, key: str) -> Any:
    """The key as ``algorithm`` takes it; None when it is one for other algorithms."""
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
