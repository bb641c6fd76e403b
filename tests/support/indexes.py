"""What a database was asked; ``bench.plans`` says of it which indexes serve it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)


class Commands(CommandListener):
    """What was asked of a database. ``asked``: the commands; ``documents``: how many came back."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.documents = 0

    def clear(self) -> None:
        """Begins anew."""
        self.asked.clear()
        self.documents = 0

    def started(self, event: CommandStartedEvent) -> None:
        self.asked.append(event.command)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        cursor = event.reply.get("cursor", {})
        self.documents += len(cursor.get("firstBatch", ())) + len(cursor.get("nextBatch", ()))

    def failed(self, event: CommandFailedEvent) -> None:
        raise AssertionError(event.failure)
