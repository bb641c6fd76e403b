"""The outbox: what a connection has not been able to write yet, bounded in bytes."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Packet = TypeVar("Packet", bound=bytes)


class Outbox(Generic[Packet]):
    """A queue of packets that holds at most ``limit`` bytes. Reaching the limit is visible:
    ``offer`` says no and takes nothing."""

    __slots__ = ("_backlog", "_open", "_packets", "bytes", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._packets: deque[Packet] = deque()
        self._open = False
        self._backlog = 0

    @contextmanager
    def backlog(self) -> Iterator[None]:
        """Within it everything fits: what a client asked to be replayed is bounded by whoever
        replays it. Until it was taken it does not count against the limit."""
        self._open = True
        try:
            yield
        finally:
            self._open = False
            self._backlog = self.bytes

    def __bool__(self) -> bool:
        return bool(self._packets)

    def offer(self, packet: Packet) -> bool:
        """Appends ``packet``; False when it does not fit. A packet alone always fits."""
        room = self.limit + self._backlog - self.bytes
        if self._packets and len(packet) > room and not self._open:
            return False
        self.bytes += len(packet)
        self._packets.append(packet)
        return True

    def take(self, at_most: int) -> list[Packet]:
        """Removes packets from the front, up to ``at_most`` bytes but at least one if any."""
        taken: list[Packet] = []
        room = at_most
        while self._packets and (not taken or len(self._packets[0]) <= room):
            packet = self._packets.popleft()
            self.bytes -= len(packet)
            self._backlog = max(0, self._backlog - len(packet))
            room -= len(packet)
            taken.append(packet)
        return taken

    def clear(self) -> None:
        """Drops everything at once."""
        self._packets.clear()
        self.bytes = self._backlog = 0
