"""The published keys of an identity provider: JWKS (RFC 7517), read over HTTP."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import jwt
import msgspec
from jwt import PyJWK
from msgspec import Struct

from config.logs import get_logger
from config.trouble import Trouble

LIFETIME: Final = 300.0
"""Seconds after which the keys are fetched again: so long one is known that was taken back."""

BETWEEN: Final = 5.0
"""Seconds between fetches for the sake of a name that is not among the keys: by inventing names
nobody makes the hub ask more often."""

BETWEEN_FAILURES: Final = 1.0
_TIMEOUT: Final = 1.5
_AT_MOST: Final = 512 * 1024
_NAME_AT_MOST: Final = 256
_FAILURES: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError, msgspec.MsgspecError)
_log = get_logger(__name__)


class Unreachable(Exception):
    """There are no keys, and none can be fetched."""


class _KeySet(Struct):
    keys: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key, and what it is for. ``algorithm`` None: any of its kind, which only RSA keys are."""

    key: Any
    algorithm: str | None

    @classmethod
    def of(cls, document: dict[str, Any]) -> "PublishedKey":
        """The key of a JWK. Raises PyJWT's errors, or ``ValueError``."""
        made = PyJWK(document)
        any_of_its_kind = made.key_type == "RSA" and "alg" not in document
        return cls(made.key, None if any_of_its_kind else made.algorithm_name)

    def takes(self, algorithm: str) -> bool:
        """Whether it is for tokens signed so. That it fits is for the algorithm to say."""
        return self.algorithm in (None, algorithm)


class PublishedKeys:
    """The keys at ``url`` by their names, as long as they may be used for signatures.

    Promises: many who ask at once cost one fetch; while the provider is away, or answers nonsense,
    the keys that it published last stay. Secrets are never taken from there.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: Mapping[str, PublishedKey] | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._trouble = Trouble(_log, "jwks.unreachable", "jwks.reachable")

    async def get(self, name: str) -> PublishedKey | None:
        """The key of that name, None when there is none. Waits only for a name that is not known,
        or when there are no keys at all; raises ``Unreachable`` then."""
        if len(name) > _NAME_AT_MOST:
            return None
        now = self._clock()
        if self._keys is None:
            await self._fetch(now - self._tried_at >= BETWEEN_FAILURES)
            if self._keys is None:
                raise Unreachable
        elif name not in self._keys:
            await self._fetch(now - self._tried_at >= BETWEEN)
        elif now - self._fetched_at >= LIFETIME and now - self._tried_at >= BETWEEN:
            self._begin()  # whoever asks need not wait
        return self._keys.get(name)

    async def close(self) -> None:
        """Ends a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _fetch(self, may_begin: bool) -> None:
        """Waits for the fetch that is under way, or for a new one."""
        if self._fetching is None and may_begin:
            self._begin()
        if self._fetching is not None:
            await asyncio.shield(self._fetching)

    def _begin(self) -> None:
        if self._fetching is None:
            self._tried_at = self._clock()
            self._fetching = asyncio.get_running_loop().create_task(
                self._replace(), context=Context()
            )  # for everybody, so its lines are about nobody

    async def _replace(self) -> None:
        try:
            self._keys = _usable(await self._read())
        except _FAILURES as error:
            self._trouble.failed(error)
        else:
            self._fetched_at = self._clock()
            self._trouble.worked()
        finally:
            self._fetching = None

    async def _read(self) -> bytes:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(self._url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise ValueError(f"answered {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > _AT_MOST:
                    raise ValueError("is too large")
            return bytes(body)


def _usable(body: bytes) -> dict[str, PublishedKey]:
    """The keys that sign; one that is of no use does not spoil the others. Raises ``ValueError``
    when there is none, as a provider that is about to be set up may have it."""
    found: dict[str, PublishedKey] = {}
    for each in msgspec.json.decode(body, type=_KeySet).keys:
        name = each.get("kid")
        secret = each.get("kty") == "oct" or "d" in each
        if not isinstance(name, str) or each.get("use", "sig") != "sig" or secret:
            continue
        try:
            found[name] = PublishedKey.of(each)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            _log.warning("jwks.unusable_key", kid=name[:64])
    if not found:
        raise ValueError("has no usable key")
    return found
