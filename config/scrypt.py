"""Hashes of passwords: ``scrypt$N$r$p$SALT$HASH``, salt and hash in base64 without padding."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

_N: Final = 2**14
_R: Final = 8
_P: Final = 1
_SALT: Final = 16
_LENGTH: Final = 32
_MEMORY: Final = 64 * 1024 * 1024
_FORM: Final = re.compile(
    r"scrypt\$(16384|32768)\$(8)\$([1-4])\$([A-Za-z0-9+/]{16,128})\$([A-Za-z0-9+/]{43})"
)


def hashed(password: str) -> str:
    """A new hash of ``password``, with a salt of its own."""
    salt = secrets.token_bytes(_SALT)
    found = _derive(password, salt, _N, _R, _P)
    return f"scrypt${_N}${_R}${_P}${_text(salt)}${_text(found)}"


def matches(password: str, given: str) -> bool:
    """Whether ``given`` is a hash of ``password``. Takes some 50 ms."""
    found = _FORM.fullmatch(given)
    if found is None:
        return False
    n, r, p = (int(each) for each in found.groups()[:3])
    return hmac.compare_digest(_derive(password, _bytes(found[4]), n, r, p), _bytes(found[5]))


def is_hash(text: str) -> bool:
    """Whether ``text`` has the form of what ``hashed`` gives."""
    return _FORM.fullmatch(text) is not None


def _derive(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    given = password.encode(errors="surrogatepass")
    return hashlib.scrypt(given, salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=_LENGTH)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
