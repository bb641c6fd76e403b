"""Identifiers: what users may bring, what the hub mints, what it derives (contract head, 10)."""

import os
import re
import threading
import time
from typing import Final
from uuid import UUID, uuid5

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._:@|+=\-]{0,127}"
"""Part of a pattern: every id that users bring, 1-128 characters, the first a letter or digit."""

USER_ID: Final = rf"^{NAME}\Z"
"""Pattern of such an id alone."""

UUID_FORM: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"
"""Pattern of a UUID in its canonical lower-case form."""

_user_id = re.compile(USER_ID)
_uuid = re.compile(UUID_FORM)


def is_user_id(value: str) -> bool:
    """Whether ``value`` may name a user, job, project, topic, scenario …"""
    return _user_id.match(value) is not None


def is_uuid(value: str) -> bool:
    """Whether ``value`` is a UUID in its canonical lower-case form."""
    return _uuid.match(value) is not None


class _Uuid7:
    """Mints UUIDv7 that rise within this process, also within one millisecond (RFC 9562, 6.2)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ms = 0
        self._counter = 0

    def __call__(self) -> str:
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._last_ms:
                self._last_ms = now
                self._counter = int.from_bytes(os.urandom(9), "big") >> 1  # room to count up
            else:
                self._counter += 1
            ms, counter = self._last_ms, self._counter & ((1 << 74) - 1)
        high, low = counter >> 62, counter & ((1 << 62) - 1)
        return str(UUID(int=ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))


uuid7: Final = _Uuid7()
"""A new UUIDv7 as a string; sorts by the time it was minted."""


def minted_at(id_: str) -> int:
    """When a UUIDv7 was minted, in milliseconds since 1970; 0 for any other UUID."""
    found = UUID(id_)
    return found.int >> 80 if found.version == 7 else 0


def derived_id(origin: str, channel: str) -> str:
    """The id of what ``origin`` (an event's id) causes on ``channel``: repeatable, so that a
    redelivery derives the same id again and is recognised (contract 10)."""
    return str(uuid5(UUID(origin), channel))
