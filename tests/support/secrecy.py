"""No log of the whole test run may hold a token, a ticket or a secret that the run used.

What is used is remembered here: each token when it is signed, tickets when they are taken to a
door. The logs are what pytest captured on stderr (the nodes in this process, and the programs that
inherit it) and the ``*.log`` files of a test. ``tests/conftest.py`` looks at them when a test is
over, and fails the test in which one leaked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jwt

_WORD = re.compile(r"[A-Za-z0-9_-]{16,}")
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")
_used: set[str] = set()
_looked_at: dict[Path, int] = {}


def remember(*secrets: str) -> None:
    """None of these may be found in a log from now on, nor a part of a token that tells it."""
    for secret in secrets:
        header, _, rest = secret.partition(".")
        _used.update(part for part in (rest or header).split(".") if _WORD.fullmatch(part))


def remember_signed() -> None:
    """Remembers every token that is signed in this process from now on."""
    sign = jwt.encode

    def encode(*args: Any, **options: Any) -> str:
        token = sign(*args, **options)
        remember(token)
        return token

    jwt.encode = encode


def leaks(text: str) -> list[str]:
    """What is in ``text`` and must not be, with a little of what stands before it."""
    found = [word for word in _WORD.finditer(text) if word[0] in _used]
    found += _TOKEN.finditer(text)  # also those that a program signed itself
    return [text[max(0, each.start() - 60) : each.start() + 12] + "…" for each in found]


def leaks_of(folder: Path) -> list[str]:
    """The same for the logs in a folder, from where they were looked at last."""
    found: list[str] = []
    for path in _logs(folder):
        start = _looked_at.get(path, 0)
        with path.open("rb") as log:
            log.seek(start)
            text = log.read()
        _looked_at[path] = start + len(text)
        found += (f"{path.name}: {leak}" for leak in leaks(text.decode(errors="replace")))
    return found


def _logs(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*.log") if path.is_file()) if folder.is_dir() else ()
