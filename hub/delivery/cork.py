"""The cork: while one read brings several events, each connection's writes leave as one."""

from types import TracebackType
from typing import Final, Protocol

_AT_MOST: Final = 4 * 1024 * 1024  # bytes, of all lines
_OF_A_LINE: Final = 64 * 1024  # bytes; a line must see when its peer does not take them
_PARTS: Final = 8  # after which the size of a line is looked at


class Line(Protocol):
    """A connection that writes through the cork."""

    def send(self, data: bytes) -> None:
        """Writes ``data``; with the cork in, by giving it to ``Cork.hold``."""


class Cork:
    """A context manager around work that does not suspend. ``closed`` while it is in.

    What is held is bounded, for each connection and for all together; beyond that it leaves early.
    """

    __slots__ = ("_bytes", "_held", "closed")

    def __init__(self) -> None:
        self.closed = False
        self._held: dict[Line, list[bytes]] = {}
        self._bytes = 0

    def hold(self, line: Line, data: bytes) -> None:
        """Keeps ``data`` for ``line``, behind what is kept for it already."""
        parts = self._held.setdefault(line, [])
        parts.append(data)
        self._bytes += len(data)
        if self._bytes > _AT_MOST:
            self._release()
            self.closed = True
        elif not len(parts) % _PARTS and sum(map(len, parts)) > _OF_A_LINE:
            self.closed = False
            line.send(self.take(line))
            self.closed = True

    def take(self, line: Line) -> bytes:
        """Gives back what is held for ``line``, for which nothing is held any more."""
        return b"".join(self._held.pop(line, ()))

    def __enter__(self) -> None:
        self.closed = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def _release(self) -> None:
        """Lets everything go, one write per connection, and is open then."""
        self.closed = False
        held, self._held, self._bytes = self._held, {}, 0
        for line, parts in held.items():
            line.send(parts[0] if len(parts) == 1 else b"".join(parts))
