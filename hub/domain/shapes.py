"""Checking a value that came from outside against a shape, and saying where it does not fit."""

import re
from typing import Any, Final, TypeVar

import msgspec

from hub.domain import codes

Shape = TypeVar("Shape")

_PATH: Final = re.compile(r" - at `(?P<path>[^`]*)`")
_FIELD: Final = re.compile(r"(?:unknown field|required field) `(?P<field>[^`]+)`")


def parse(shape: type[Shape], raw: Any, *, strict: bool = True) -> Shape:
    """``raw`` as a ``shape``; not ``strict``: numbers may come as text, as in a query string.

    Raises ``HubError`` INVALID_REQUEST that names the field.
    """
    try:
        return msgspec.convert(raw, shape, strict=strict)
    except msgspec.ValidationError as error:
        raise explain(error) from None
    except UnicodeError:  # JSON can escape half of a surrogate pair, which is no character
        raise codes.invalid("payload", "holds what is no Unicode text") from None


def explain(error: msgspec.ValidationError) -> codes.HubError:
    """INVALID_REQUEST for a value that does not fit its shape, naming the field by its path."""
    text = str(error)
    at = _PATH.search(text)
    path = at["path"].removeprefix("$").removeprefix(".") if at else ""
    message = _PATH.sub("", text)
    if named := _FIELD.search(message):
        path = f"{path}.{named['field']}" if path else named["field"]
    return codes.invalid(path or "payload", message)
