"""Where a request carries its token, and where it must not (contract section 2)."""

from collections.abc import Container
from typing import Final

_IN_QUERY: Final = ("token", "access_token")


def token_of(authorization: str) -> str | None:
    """The token of an ``Authorization`` header; None when it has none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def misplaced(query: Container[str]) -> str | None:
    """The parameter of a query string that is a token, which would end up in logs; None when there
    is none."""
    return next((name for name in _IN_QUERY if name in query), None)
