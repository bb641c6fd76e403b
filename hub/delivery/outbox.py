"""The outbox: what a connection has not been able to write yet, bounded in bytes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Protocol

from hub import metrics


class Pending(Protocol):
    """A packet that is made when its turn comes, because it says what was sent before it.

    ``channel``: whose event it is, if it is one.
    """

    @property
    def channel(self) -> str | None:
        """See above."""

    def __len__(self) -> int:
        """Bytes that it will have, about; always the same."""

    def encode(self) -> bytes:
        """The packet. Called once, when everything before it was taken."""


Entry = bytes | Pending
"""What an outbox holds."""

Told = Callable[[bool], None]
"""Told of an entry, once, whether its peer took it; False when it was dropped."""


class Outbox:
    """A queue of packets that holds at most ``limit`` bytes. Reaching the limit is visible:
    ``offer`` says no and takes nothing."""

    __slots__ = ("_backlog", "_entries", "_open", "_told", "bytes", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._entries: deque[Entry] | None = None  # most connections never need one
        self._open = False
        self._backlog = 0
        self._told: deque[list[Told]] | None = None  # of the entries; mostly nobody asks

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

    def __len__(self) -> int:
        return len(self._entries or ())

    def __bool__(self) -> bool:
        return bool(self._entries)

    def offer(self, entry: Entry) -> bool:
        """Appends ``entry``; False when it does not fit. One alone always fits."""
        room = self.limit + self._backlog - self.bytes
        if self._entries and len(entry) > room and not self._open:
            return False
        if self._entries is None:
            self._entries = deque()
        self.bytes += len(entry)
        self._entries.append(entry)
        if self._told is not None:
            self._told.append([])
        return True

    def tell_of_last(self, told: Told) -> None:
        """Has ``told`` told what becomes of the last entry. There must be one."""
        if self._told is None:
            self._told = deque([] for _ in range(len(self)))
        self._told[-1].append(told)

    def take(self, at_most: int) -> list[bytes]:
        """Removes packets from the front, up to ``at_most`` bytes but at least one if any."""
        taken: list[bytes] = []
        entries, room = self._entries, at_most
        while entries and (not taken or len(entries[0]) <= room):
            entry = entries.popleft()
            size = len(entry)
            self.bytes -= size
            self._backlog = max(0, self._backlog - size)
            room -= size
            taken.append(entry if isinstance(entry, bytes) else entry.encode())
        if self._told is not None:
            self._tell([self._told.popleft() for _ in taken], written=True)
        if not entries:
            self._entries = self._told = None
        return taken

    def last_words(self) -> list[bytes]:
        """Removes all packets, as ``take``, for a connection that ends. Whether its peer will take
        what it did not until now nobody will know: they count as dropped."""
        told, self._told = self._told, None
        words = self.take(self.bytes)
        self._tell(told or (), written=False)
        return words

    def withdraw(self, gives_way: Callable[[str], bool]) -> set[str]:
        """Removes the events of all channels that give way; says which lost any."""
        kept: deque[Entry] = deque()
        channels: set[str] = set()
        waiting, self._told = self._told, None
        asked: deque[list[Told]] = deque()
        dropped: list[list[Told]] = []
        for entry, told in zip(self._entries or (), waiting or repeat([]), strict=False):
            channel = None if isinstance(entry, bytes) else entry.channel
            if channel is not None and gives_way(channel):
                channels.add(channel)
                self.bytes -= len(entry)
                dropped.append(told)
            else:
                kept.append(entry)
                asked.append(told)
        metrics.DROPPED.add(len(self) - len(kept))
        self._entries = kept or None
        self._told = asked if waiting and kept else None
        self._backlog = min(self._backlog, self.bytes)
        self._tell(dropped, written=False)
        return channels

    def clear(self) -> None:
        """Drops everything at once."""
        told, self._told = self._told, None
        self._entries = None
        self.bytes = self._backlog = 0
        self._tell(told or (), written=False)

    @staticmethod
    def _tell(asked: Iterable[list[Told]], *, written: bool) -> None:
        for told in asked:
            for each in told:
                each(written)
