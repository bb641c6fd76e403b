"""How long MongoDB takes, by what it was asked."""

from typing import Final

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from hub import metrics

_NAMED: Final = frozenset({"find", "insert", "update", "delete", "aggregate", "getMore", "ping"})


class Timing(CommandListener):
    """Notes the duration of every command."""

    def started(self, event: CommandStartedEvent) -> None:
        """Nothing is known yet."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._note(event)

    def failed(self, event: CommandFailedEvent) -> None:
        self._note(event)

    @staticmethod
    def _note(event: CommandSucceededEvent | CommandFailedEvent) -> None:
        name = event.command_name if event.command_name in _NAMED else "other"
        metrics.STORES.observe(event.duration_micros / 1e6, "mongo", name)
