"""What is right: what clients received, compared with what is stored.

Pure: everything comes in as plain values. The contract that it holds the hub to is section 3: the
offsets of a channel rise by 1, every client sees them in that order, once; what it was not given
it was told of. ``ledger`` does the same for what was published.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

_EXAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Event:
    """An event, as stored or as received."""

    channel: str
    epoch: str
    offset: int
    id: str


@dataclass(frozen=True, slots=True)
class Began:
    """A client was told that it follows a channel, and from where: it has nothing of what lies at
    or before ``offset`` and is owed all that comes after."""

    channel: str
    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class Told:
    """A ``reset``: not everything up to ``offset`` was given to the client."""

    channel: str
    epoch: str
    offset: int


Entry: TypeAlias = Began | Event | Told


@dataclass(frozen=True, slots=True)
class Seen:
    """What one client went through, in order. ``follows``: the channels that it had to follow."""

    client: str
    kind: str
    follows: Collection[str]
    entries: Sequence[Entry]


@dataclass(slots=True)
class Tally:
    """What became of the events of one client, or of several. ``foreign``: received, but stored
    otherwise or not at all. ``examples``: some of what is wrong, for people to read."""

    clients: int = 0
    received: int = 0
    lost: int = 0
    twice: int = 0
    reordered: int = 0
    foreign: int = 0
    resets: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """How many events were not delivered as promised."""
        return self.lost + self.twice + self.reordered + self.foreign

    def add(self, other: Tally) -> None:
        """Adds what became of somebody else's events."""
        self.clients += other.clients
        self.received += other.received
        self.lost += other.lost
        self.twice += other.twice
        self.reordered += other.reordered
        self.foreign += other.foreign
        self.resets += other.resets
        self.examples = (self.examples + other.examples)[:_EXAMPLES]

    def note(self, example: str) -> None:
        """Keeps an example of what is wrong."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)


def logs_of(events: Sequence[Event]) -> dict[str, dict[int, Event]]:
    """The stored events by channel and offset."""
    logs: dict[str, dict[int, Event]] = {}
    for event in events:
        logs.setdefault(event.channel, {})[event.offset] = event
    return logs


def judge_client(seen: Seen, logs: Mapping[str, Mapping[int, Event]]) -> Tally:
    """Compares what a client received with the logs of the channels that it followed."""
    tally = Tally(clients=1)
    by_channel: dict[str, list[Entry]] = {channel: [] for channel in seen.follows}
    for entry in seen.entries:
        by_channel.setdefault(entry.channel, []).append(entry)
    for channel, entries in by_channel.items():
        _Reader(f"{seen.client}, {channel}", logs.get(channel, {}), tally).read(
            entries, required=channel in seen.follows
        )
    return tally


class _Reader:
    """Follows one client through one channel."""

    def __init__(self, who: str, log: Mapping[int, Event], tally: Tally) -> None:
        self._who = who
        self._log = log
        self._tally = tally
        self._began: int | None = None
        self._has: set[int] = set()
        self._highest = 0
        self._covered = 0

    def read(self, entries: Sequence[Entry], *, required: bool) -> None:
        for entry in entries:
            match entry:
                case Event():
                    self._receive(entry)
                case Told():
                    self._tell(entry)
                case Began():
                    self._begin(entry)
        self._sum_up(required=required)

    def _begin(self, entry: Began) -> None:
        """Only the first beginning counts: who begins anew elsewhere is not excused from what lies
        in between."""
        if self._began is None:
            self._began = entry.offset
            self._covered = entry.offset

    def _receive(self, event: Event) -> None:
        self._tally.received += 1
        if self._log.get(event.offset) != event:
            self._tally.foreign += 1
            self._note(f"received {event}, stored is {self._log.get(event.offset)}")
        elif event.offset in self._has:
            self._tally.twice += 1
            self._note(f"offset {event.offset} twice")
        else:
            self._has.add(event.offset)
            if event.offset < self._highest or event.offset <= self._covered:
                self._tally.reordered += 1
                self._note(f"offset {event.offset} after {max(self._highest, self._covered)}")
        self._highest = max(self._highest, event.offset)

    def _tell(self, reset: Told) -> None:
        """Excuses what is missing up to there, and promises that the rest comes above it."""
        self._tally.resets += 1
        if reset.offset < self._highest:
            self._tally.reordered += 1
            self._note(f"reset to {reset.offset} after {self._highest}")
        self._covered = max(self._covered, reset.offset)

    def _sum_up(self, *, required: bool) -> None:
        if self._began is None:
            if not required and not self._has:
                return
            self._began = 0
        first = max(self._began, self._covered)
        missing = [n for n in sorted(self._log) if n > first and n not in self._has]
        self._tally.lost += len(missing)
        if missing:
            self._note(f"{len(missing)} lost: {ranges(missing)} of {max(self._log)}")

    def _note(self, what: str) -> None:
        self._tally.note(f"{self._who}: {what}")


def ranges(offsets: Sequence[int]) -> str:
    """``1-3, 7`` for 1, 2, 3, 7."""
    parts: list[list[int]] = []
    for offset in offsets:
        if parts and offset == parts[-1][1] + 1:
            parts[-1][1] = offset
        else:
            parts.append([offset, offset])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in parts[:10]]
    return ", ".join(shown) + (", …" if len(parts) > 10 else "")
