"""What a log must not show, found by the name it stands under and by what it looks like.

Everything that is logged passes :func:`redact_event`, last of all, when exceptions are text:
there is no other way out for a secret. Long values are shortened after that, never before, because
half a token would not be recognised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

HIDDEN: Final = "***"

LONGEST: Final = 2000
"""Characters of one value that are logged; of a traceback ``_LONGEST_TRACEBACK``."""

_LONGEST_TRACEBACK: Final = 20_000
_DEEPEST: Final = 12

_NAMES: Final = (
    r"token|secret|passw(?:or)?d|passphrase|authorization|ticket|cookie|credential|jwt"
    r"|api[_-]?key|private[_-]?key"
)
_NAME: Final = re.compile(_NAMES, re.IGNORECASE)
_NAMED: Final = rf"[\w.:-]{{0,40}}(?:{_NAMES})[\w.-]{{0,40}}"  # bounded: no text takes long
_PATTERNS: Final = (
    # a JWT, also one that was cut off: base64url of ``{"``
    (re.compile(r"eyJ[\w-]{4,}(?:\.[\w-]*){0,4}"), HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)(\s+|%20)[\w.~+/=-]+"), rf"\1\2{HIDDEN}"),
    # ``scheme://user:password@host``, the password as it is, however wrongly escaped
    (re.compile(r"(?<=://)([^\s/?#\"'@:]{0,128}):[^\s\"'<>]{0,512}@"), rf"\1:{HIDDEN}@"),
    # ``"token": "…"`` and ``'token': b'…'``, also inside of quoted JSON
    (
        re.compile(
            rf"(?is)(?P<head>(?P<q>\\*[\"']){_NAMED}(?P=q)\s*[:,=]\s*b?)"
            r"(?:(?P<v>\\*[\"'])(?:\\.|[^\\])*?(?:(?P=v)|\Z)|[^\s\"'\\,{}\[\]()]+)"
        ),
        rf"\g<head>\g<v>{HIDDEN}\g<v>",
    ),
    # ``?ticket=…``, ``token=…``
    (re.compile(rf"(?i)({_NAMED}(?:=|%3D))[^&#\s\"'\\,;<>()]+"), rf"\1{HIDDEN}"),
    # ``Authorization: …``, ``Cookie: …``
    (
        re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(\s*:\s*)[^\r\n\"']+"),
        rf"\1\2{HIDDEN}",
    ),
)


def redact(text: str) -> str:
    """``text`` without what looks like a token, a password or another secret."""
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    return text


def shorten(text: str, longest: int = LONGEST) -> str:
    """At most so many characters of ``text``, and how many more there are."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}…(+{len(text) - longest})"


def redact_event(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A processor of structlog: the whole event redacted, whatever it holds."""
    del logger, method
    return {
        redact(key): _clean(
            key, value, _LONGEST_TRACEBACK if key in ("exception", "stack") else LONGEST, 0
        )
        for key, value in event.items()
    }


def _clean(name: object, value: Any, longest: int, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(name, str) and _NAME.search(name):
        return HIDDEN
    if isinstance(value, int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        value = bytes(value).decode(errors="backslashreplace")
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {
                redact(str(key)): _clean(key, each, longest, depth + 1)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [_clean(None, each, longest, depth + 1) for each in value]
    text = value if isinstance(value, str) else repr(value)
    return shorten(redact(text), longest)
