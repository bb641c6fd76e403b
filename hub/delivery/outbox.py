"""The outbox: what a connection has not been able to write yet, bounded in bytes."""

from collections import deque
from typing import Generic, TypeVar

Packet = TypeVar("Packet", bound=bytes)


class Outbox(Generic[Packet]):
    """A queue of packets that holds at most ``limit`` bytes. Reaching the limit is visible:
    ``offer`` says no and takes nothing."""

    __slots__ = ("_packets", "bytes", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._packets: deque[Packet] = deque()

    def __bool__(self) -> bool:
        return bool(self._packets)

    def offer(self, packet: Packet) -> bool:
        """Appends ``packet``; False when it does not fit. A packet alone always fits."""
        if self._packets and self.bytes + len(packet) > self.limit:
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
            room -= len(packet)
            taken.append(packet)
        return taken

    def clear(self) -> None:
        """Drops everything at once."""
        self._packets.clear()
        self.bytes = 0
