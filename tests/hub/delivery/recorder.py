"""A subscriber that checks, event by event, that nothing is lost, repeated or out of order."""

from __future__ import annotations

from collections.abc import Sequence

from hub.delivery.feed import START
from hub.delivery.message import Message, Reset
from hub.domain.events import Encoded, Position


def envelope(epoch: str, offset: int) -> bytes:
    """What the event at this place says; every place has its own."""
    return f"{epoch}:{offset}".encode()


def encoded(epoch: str, first: int, last: int) -> list[Encoded]:
    """The events from ``first`` to ``last``."""
    return [Encoded(offset, envelope(epoch, offset)) for offset in range(first, last + 1)]


class Recorder:
    """Starts with ``begin``; from then on every event must be the next one after its position."""

    def __init__(self, name: str = "", position: Position | None = None) -> None:
        self.name = name
        self.position = position
        self.seen: list[tuple[str, int]] = []
        self.resets: list[Reset] = []

    def __repr__(self) -> str:
        return f"<{self.name} at {self.position}>"

    def begin(self, start: Position, missed: list[Encoded]) -> None:
        """Takes what was read for it, which follows on ``start``."""
        self.position = start
        for event in missed:
            self._take(start.epoch, event.offset, event.envelope)

    def stop(self) -> None:
        """Is told of nothing any more."""
        self.position = None

    def deliver(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._take(message.epoch, message.offset, message.envelope)

    def reset(self, notice: Reset) -> None:
        assert self.position is not None, f"{self.name} was reset while it did not follow"
        self.resets.append(notice)
        self.position = Position(notice.epoch, notice.offset)

    def _take(self, epoch: str, offset: int, content: bytes) -> None:
        assert self.position is not None, f"{self.name} got {epoch}:{offset} while not following"
        assert epoch == self.position.epoch or self.position == START
        assert offset == self.position.offset + 1, f"{self.name} got {offset} at {self.position}"
        assert content == envelope(epoch, offset)
        self.position = Position(epoch, offset)
        self.seen.append((epoch, offset))
