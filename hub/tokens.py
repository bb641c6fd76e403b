"""Minting the tokens of contract section 2, for ``python -m hub token`` and the tests.

Production tokens come from the operator's identity provider; the hub only checks them.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Sequence

import jwt

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_ttl(text: str) -> int:
    """Seconds of ``90s``, ``15m``, ``1h`` or ``7d``; raises ``ValueError``."""
    match = re.fullmatch(r"([1-9]\d{0,8})([smhd])", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time such as 90s, 15m, 1h or 7d")
    return int(match[1]) * _UNITS[match[2]]


def mint(
    secret: str,
    sub: str,
    *,
    roles: Sequence[str] = ("user",),
    projects: Sequence[str] = (),
    ttl: float = 3600,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """An HS256 token of user ``sub`` that expires in ``ttl`` seconds.

    A ``*`` among ``projects`` lets the user read all of them.
    """
    now = time.time()
    claims: dict[str, object] = {
        "sub": sub,
        "iat": int(now),
        "exp": int(now + ttl),
        "jti": str(uuid.uuid4()),
        "roles": list(roles),
        "projects": "*" if "*" in projects else list(projects),
    }
    if issuer:
        claims["iss"] = issuer
    if audience:
        claims["aud"] = audience
    return jwt.encode(claims, secret, algorithm="HS256")
