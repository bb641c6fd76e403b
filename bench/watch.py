"""What one call asks of the database: commands, round trips, documents and bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import bson
from msgspec import Struct
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

_OF_THE_DRIVER: Final = frozenset({"hello", "ping", "endSessions"})


class Asked(Struct):
    """A command, from when to when it was under way, and what came back."""

    command: Mapping[str, Any]
    began: float
    ended: float = 0.0
    documents: int = 0
    size: int = 0


class Watch(CommandListener):
    """Listens to a client. ``asked``: its commands since ``clear``. Replies are measured in bytes
    only while ``weighs`` is set, as that takes time."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.weighs = False
        self._open: dict[int, Asked] = {}

    def clear(self) -> None:
        """Begins anew."""
        self.asked = []

    def taken(self) -> Watch:
        """What was asked since ``clear``, as a listener of its own that hears nothing more."""
        taken = Watch()
        taken.asked = self.asked
        return taken

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name not in _OF_THE_DRIVER:
            asked = self._open[event.request_id] = Asked(event.command, time.monotonic())
            self.asked.append(asked)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        asked = self._open.pop(event.request_id, None)
        if asked is None:
            return
        asked.ended = time.monotonic()
        cursor = event.reply.get("cursor", {})
        asked.documents = sum(len(cursor.get(name, ())) for name in ("firstBatch", "nextBatch"))
        if self.weighs:
            asked.size = len(bson.encode(event.reply))

    def failed(self, event: CommandFailedEvent) -> None:
        self._open.pop(event.request_id, None)

    @property
    def documents(self) -> int:
        """How many came back."""
        return sum(each.documents for each in self.asked)

    @property
    def size(self) -> int:
        """How many bytes came back."""
        return sum(each.size for each in self.asked)

    @property
    def trips(self) -> int:
        """How many commands had to wait for another: those under way at once are one trip."""
        count, end = 0, 0.0
        for each in sorted(self.asked, key=lambda one: one.ended):
            if each.began >= end:
                count, end = count + 1, each.ended
        return count
