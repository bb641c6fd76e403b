"""What free-form ``data`` may hold so that MongoDB, JSON and JavaScript all keep it as it is."""

from typing import Any, Final

import msgspec

from hub.domain import codes

DEEPEST: Final = 32
"""Levels, of which the outermost is the first."""

SAID: Final = f"{DEEPEST} levels, integers of 64 bits, and no NUL in a key"
"""What ``check`` allows anyway, for documents: no schema can say it."""

_INT64: Final = 1 << 63


def check(value: dict[str, Any], field: str, *, max_bytes: int | None = None) -> None:
    """Raises INVALID_REQUEST naming the first place that no store could keep: a key with a NUL,
    an integer over 64 bits, more than 32 levels, or more than ``max_bytes`` of JSON."""
    _walk(value, field, 1)
    if max_bytes is not None and (size := len(msgspec.json.encode(value))) > max_bytes:
        raise codes.invalid(field, f"at most {max_bytes} bytes, not {size}")


def _walk(value: object, path: str, depth: int) -> None:
    if depth > DEEPEST:
        raise codes.invalid(path, f"nested deeper than {DEEPEST} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            if "\0" in key:
                raise codes.invalid(path, "a key has a NUL character")
            _walk(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _walk(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise codes.invalid(path, "an integer has at most 64 bits")
