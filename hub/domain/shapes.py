"""Checking a value that came from outside against a shape, and saying where it does not fit."""

import json
import re
from typing import Any, Final, TypeVar

import msgspec

from hub.domain import codes

Shape = TypeVar("Shape")

DEEPEST: Final = 40
"""Levels of any JSON that comes: free-form ``data`` may have 32 of its own."""

_PATH: Final = re.compile(r" - at `(?P<path>[^`]*)`")
_PATTERN: Final = re.compile(r"(?<=matching regex )'.*'")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_FIELD: Final = re.compile(r"(?:unknown field|required field) `(?P<field>[^`]+)`")


def parse(shape: type[Shape], raw: Any, *, strict: bool = True) -> Shape:
    """``raw`` as a ``shape``; not ``strict``: numbers may come as text, as in a query string.

    Raises ``HubError`` INVALID_REQUEST that names the field.
    """
    try:
        return msgspec.convert(raw, shape, strict=strict)
    except msgspec.ValidationError as error:
        raise explain(error) from None
    except UnicodeError:
        raise _no_text() from None


def require_text(document: Any) -> None:
    """Raises INVALID_REQUEST for JSON that holds half of a surrogate pair, which it can escape but
    which is no character: no store takes it, and no client could be told it."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeError:
        raise _no_text() from None


def require_shallow(document: Any, field: str) -> None:
    """Raises INVALID_REQUEST for JSON that is nested deeper than ``DEEPEST``."""
    level = [document]
    for _ in range(DEEPEST):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    if any(isinstance(each, dict | list) for each in level):
        raise codes.invalid(field, f"is nested deeper than {DEEPEST} levels")


def explain(error: msgspec.ValidationError) -> codes.HubError:
    """INVALID_REQUEST for a value that does not fit its shape, naming the field by its path."""
    text = _PATTERN.sub(_as_documented, str(error))
    at = _PATH.search(text)
    path = at["path"].removeprefix("$").removeprefix(".") if at else ""
    message = _PATH.sub("", text)
    if named := _FIELD.search(message):
        path = f"{path}.{named['field']}" if path else named["field"]
    return codes.invalid(path or "payload", message)


def _as_documented(pattern: re.Match[str]) -> str:
    r"""The pattern of which the message has Python's ``repr``, as JSON Schema has it: ``$`` for
    ``\Z``."""
    return pattern[0].replace("\\\\", "\\").replace(r"\Z", "$")


def not_json(field: str, raw: bytes, error: Exception) -> codes.HubError:
    """INVALID_REQUEST for what could not be decoded, with the reason. ``error``: the decoder's; of
    half a surrogate pair it says that the input ends too early."""
    if _SURROGATE.search(raw):
        try:
            require_text(json.loads(raw))
        except codes.HubError:
            return _no_text(field)
        except (ValueError, RecursionError):
            pass
    return codes.invalid(field, f"not JSON: {error}")


def _no_text(field: str = "payload") -> codes.HubError:
    return codes.invalid(field, "holds half of a surrogate pair, which is no Unicode text")
