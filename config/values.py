"""Parsing and checking of single setting values: URLs, keys, rates, lists.

Each function takes what the environment (or a test) gave and returns the clean value or raises
``ValueError`` with a message that is shown to the operator, so it never repeats a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from config import scrypt

KEY_FIELDS = ("jwt_secret", "jwt_jwks_url", "jwt_public_key")
"""The settings any one of which lets the hub check a token."""

_SYMMETRIC = ("HS256", "HS384", "HS512")
_ASYMMETRIC = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
ALGORITHMS = _SYMMETRIC + _ASYMMETRIC
"""Every JWT algorithm the hub can be told to accept; ``none`` is not among them."""

MIN_SECRET_BYTES = 32

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True)
class Rate:
    """At most ``amount`` per ``seconds``; written ``20/second``, ``100/5minute``."""

    amount: int
    seconds: int

    @classmethod
    def parse(cls, text: object) -> Rate:
        """Read ``<amount>/[<n>]second|minute|hour|day``; raises ``ValueError``."""
        if isinstance(text, Rate):
            return text
        match = re.fullmatch(
            r"(\d{1,9})\s*/\s*(\d{1,6})?\s*(second|minute|hour|day)s?", str(text).strip()
        )
        amount, seconds = 0, 0
        if match:
            amount, seconds = int(match[1]), int(match[2] or 1) * _UNITS[match[3]]
        if not amount or not seconds:
            raise ValueError(f"{text!r} is not a rate such as 20/second or 60/minute")
        return cls(amount, seconds)

    def __str__(self) -> str:
        for name, size in reversed(_UNITS.items()):
            if self.seconds % size == 0:
                count = self.seconds // size
                return f"{self.amount}/{count if count > 1 else ''}{name}"
        raise AssertionError(self.seconds)


def mask_url(url: str) -> str:
    """``url`` with its password (and any ``password=`` parameter) replaced by ``***``."""
    url = re.sub(r"(?<=://)(.*)@", _mask_credentials, url)  # also where it holds / ? # unescaped
    return re.sub(r"(?i)([?&](?:\w*password|token|secret)=)[^&#]*", r"\1***", url)


def _mask_credentials(match: re.Match[str]) -> str:
    user, colon, _ = match[1].partition(":")
    return f"{user}{colon}***@" if colon else "***@"


def redis_url(value: object) -> object:
    """A Redis URL: standalone, TLS, Sentinel or Cluster (contract section 1)."""
    if value is None:
        return None
    schemes = ("redis", "rediss", "redis+sentinel", "redis+cluster")
    url = _service_url(value, schemes, "redis://127.0.0.1:6379/0")
    if url.lower().startswith("redis+sentinel:") and not re.match(r"[^:]+://[^/]+/[^/?#]", url):
        raise ValueError("needs the service's name: redis+sentinel://host:26379/service")
    return url


def mongo_url(value: object) -> object:
    """A MongoDB connection string."""
    if value is None:
        return None
    return _service_url(value, ("mongodb", "mongodb+srv"), "mongodb://127.0.0.1:27017/")


def http_url(value: object) -> object:
    """An ``http`` or ``https`` URL."""
    if value is None:
        return None
    return _service_url(value, ("https", "http"), "https://issuer.example/jwks.json")


def _service_url(value: object, schemes: tuple[str, ...], example: str) -> str:
    text = str(value).strip()
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in schemes:
        raise ValueError(f"is not a URL that begins with {'://, '.join(schemes)}:// ({example})")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    for host in authority.split(","):
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", host)
        if not match or not 0 < int(match[2] or 1) < 65_536:
            raise ValueError(f"has no usable host and port: {mask_url(text)} (like {example})")
    return text


def jwt_secret(value: object) -> object:
    """The HS256 secret, at least 32 bytes (RFC 7518 section 3.2)."""
    if isinstance(value, str) and len(value.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"is {len(value.encode())} bytes long, needs at least {MIN_SECRET_BYTES}")
    return value


def public_key(value: object) -> object:
    r"""PEM public keys; ``\n`` written out is accepted, as environment files need it."""
    if value is None:
        return None
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = str(value).replace("\\n", "\n").strip() + "\n"
    try:
        for each in pem_keys(pem) or [pem]:
            load_pem_public_key(each.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("is not a public key in PEM form") from error
    return pem


def pem_keys(text: str) -> list[str]:
    """The public keys that stand one after the other in a text."""
    pattern = r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----"
    return [found[0] + "\n" for found in re.finditer(pattern, text, re.DOTALL)]


def split_names(value: object) -> object:
    """A comma-separated list as a tuple; sequences stay what they are."""
    if isinstance(value, str):
        return tuple(name for name in (part.strip() for part in value.split(",")) if name)
    return tuple(value) if isinstance(value, (list, tuple)) else value


def algorithms(value: object) -> object:
    """JWT algorithms out of :data:`ALGORITHMS`."""
    chosen = split_names(value)
    if isinstance(chosen, tuple):
        unknown = [name for name in chosen if name not in ALGORITHMS]
        if unknown:
            raise ValueError(f"does not know {', '.join(unknown)}; one of {', '.join(ALGORITHMS)}")
    return chosen


def key_fields(algorithm: str) -> tuple[str, ...]:
    """The settings that hold the key of ``algorithm``; no algorithm takes another's key."""
    return ("jwt_secret",) if algorithm in _SYMMETRIC else ("jwt_jwks_url", "jwt_public_key")


def default_algorithms(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The algorithms to accept when none are named: those whose key is set."""
    symmetric = ("HS256",) if given.get("jwt_secret") else ()
    has_public = given.get("jwt_jwks_url") or given.get("jwt_public_key")
    return symmetric + (("RS256", "ES256") if has_public else ())


def origins(value: object) -> object:
    """CORS origins: ``scheme://host[:port]`` or ``*``."""
    chosen = split_names(value)
    for origin in chosen if isinstance(chosen, tuple) else ():
        parts = urlsplit(origin)
        bare = f"{parts.scheme}://{parts.netloc}"
        if origin != "*" and (not parts.scheme or not parts.hostname or origin != bare):
            raise ValueError(f"{origin!r} is not an origin such as https://app.example")
    return chosen


def wire_names(value: object) -> object:
    """Users and connections: ``user:<userId>`` or ``sid:<sid>``."""
    chosen = split_names(value)
    for name in chosen if isinstance(chosen, tuple) else ():
        if not re.fullmatch(r"(user|sid):[A-Za-z0-9._:@|+=-]{1,128}", str(name)):
            raise ValueError(f"{name!r} is neither user:<userId> nor sid:<sid>")
    return chosen


def networks(value: object) -> object:
    """Addresses, and networks as ``10.0.0.0/8``."""
    chosen = split_names(value)
    for each in chosen if isinstance(chosen, tuple) else ():
        try:
            ip_network(each)
        except ValueError:
            raise ValueError(f"{each!r} is no network such as 10.0.0.0/8 or fd00::/8") from None
    return chosen


def upper(value: object) -> object:
    """Upper case, for names that are matched without regard to case."""
    return value.upper() if isinstance(value, str) else value


def lower(value: object) -> object:
    """Lower case, for names that are matched without regard to case."""
    return value.lower() if isinstance(value, str) else value


def password_hash(value: object) -> object:
    """A hash as ``python -m hub hash-password`` prints it."""
    if isinstance(value, str) and not scrypt.is_hash(value):
        raise ValueError("is no hash: python -m hub hash-password makes one")
    return value
