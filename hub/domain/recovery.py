"""What the offset of Socket.IO's connection state recovery says (contract section 4).

A client sends back the string that came last in the newest event it got: ``<leg><version>.`` and
its position in each channel, in the order joined, such as ``x7Qa3.17.203.55``. The **leg** names
the one connection that sent the string. The **version** counts the changes of that connection's
list of channels, so that a string is never read against another list than it was made for: what
changed after it reached the client by an acknowledgement, or not at all.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct

from hub.domain.events import Position

UNBEGUN: Final = "0"
"""In place of the epoch of a log that has no event yet. A position in it with an offset above 0
is one in the log's first epoch. Only logs that never begin anew, those of users, topics and all,
can be found so."""

CHANNELS_AT_MOST: Final = 64
"""Whoever follows more is not recovered: every event carries a number for each of them."""

_LEFT_KEPT: Final = 16  # memberships that ended; strings from before the older ones mean nothing
_MARK: Final = re.compile(
    r"(?P<leg>[A-Za-z0-9_-]{4})(?P<version>[0-9]{1,9})\."
    rf"(?P<offsets>(?:[0-9]{{1,16}}(?:\.[0-9]{{1,16}}){{0,{CHANNELS_AT_MOST - 1}}})?)"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A string of a client, taken apart."""

    leg: str
    version: int
    offsets: Sequence[int]


def parse_mark(text: object) -> Mark | None:
    """The mark that ``text`` is; None for everything else that a client may send."""
    match = _MARK.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    offsets = match["offsets"]
    numbers = tuple(map(int, offsets.split("."))) if offsets else ()
    return Mark(match["leg"], int(match["version"]), numbers)


class Membership(Struct, array_like=True):
    """A channel was followed in the versions from ``since`` to before ``until`` (None: it still
    is), in one epoch of its log.

    ``told``: the offset of the acknowledgement that began it. None: an event did, so whoever has
    a string of an earlier version has not seen it begin.
    """

    channel: str
    epoch: str
    since: int
    told: int | None
    until: int | None = None

    def held(self, version: int) -> bool:
        """Whether strings of ``version`` have a position of it."""
        return self.since <= version and (self.until is None or version < self.until)


class Itinerary(Struct, array_like=True):
    """A connection's channels as they are saved. ``floor``: strings of versions before it mean
    nothing any more."""

    user_id: str
    version: int
    floor: int
    memberships: list[Membership]

    def positions(self, mark: Mark) -> dict[str, Position] | None:
        """Where the client that sent ``mark`` stands in each channel that it follows, in order.

        None when that cannot be known: what the list says was saved too early or too late for
        the mark, or an acknowledgement would have moved the client, and it may have got it or not.
        """
        if not self.floor <= mark.version <= self.version:
            return None
        held = [each for each in self.memberships if each.held(mark.version)]
        if len(held) != len(mark.offsets):
            return None
        found: dict[str, set[Position]] = {}
        for each, offset in zip(held, mark.offsets, strict=True):
            found[each.channel] = {Position(each.epoch, offset)}
        for each in self.memberships:
            if each.since > mark.version and each.told is not None:
                found.setdefault(each.channel, set()).add(Position(each.epoch, each.told))
        current = [each.channel for each in self.memberships if each.until is None]
        known = {channel: found.get(channel, set()) for channel in current}
        if any(len(places) != 1 for places in known.values()):
            return None
        return {channel: places.pop() for channel, places in known.items()}


class Roster:
    """The channels of one connection, and the versions in which it has followed them.

    Its order is that of joining. ``prefix``: what the connection's strings begin with; empty while
    it follows too many channels to be recovered. ``on_change`` is called after every change.
    """

    __slots__ = ("_epochs", "_floor", "_memberships", "leg", "on_change", "prefix", "version")

    def __init__(self) -> None:
        self.leg = secrets.token_urlsafe(3)
        self.version = 0
        self.prefix = b""
        self.on_change: Callable[[], None] | None = None
        self._floor = 0
        self._epochs: dict[str, str] = {}  # of the channels that are followed
        self._memberships: list[Membership] = []

    def epoch(self, channel: str) -> str | None:
        """The epoch in which the channel's offsets count; None when it is not followed."""
        return self._epochs.get(channel)

    def joined(self, channel: str, position: Position) -> None:
        """The client was told by an acknowledgement that it follows ``channel`` from there on."""
        self._begin(channel, position.epoch, position.offset)

    def moved(self, channel: str, epoch: str) -> None:
        """The client is sent an event, or a reset, of another epoch than those before."""
        if self._epochs[channel] != UNBEGUN:
            self._begin(channel, epoch, None)
            return
        self._current(channel).epoch = self._epochs[channel] = epoch  # the list is still the same
        if self.on_change is not None:
            self.on_change()

    def left(self, channel: str) -> None:
        """The client asked to leave; harmless when it does not follow."""
        if channel in self._epochs:
            self._end(channel)
            self._changed()

    def saved(self, user_id: str) -> bytes | None:
        """The itinerary to save; None while the connection cannot be recovered."""
        if not self.prefix:
            return None
        return msgspec.json.encode(Itinerary(user_id, self.version, self._floor, self._memberships))

    def _begin(self, channel: str, epoch: str, told: int | None) -> None:
        at = self._end(channel) + 1 if channel in self._epochs else len(self._memberships)
        begun = Membership(channel, epoch, self.version + 1, told)
        self._memberships.insert(at, begun)  # in the place of the one that it succeeds
        self._epochs[channel] = epoch
        self._changed()

    def _current(self, channel: str) -> Membership:
        return next(m for m in self._memberships if m.channel == channel and m.until is None)

    def _end(self, channel: str) -> int:
        """Ends the channel's membership; says at which index."""
        del self._epochs[channel]
        ended = self._current(channel)
        ended.until = self.version + 1
        return self._memberships.index(ended)

    def _changed(self) -> None:
        self.version += 1
        if len(self._memberships) - len(self._epochs) > _LEFT_KEPT:
            self._forget_oldest()
        few = len(self._epochs) <= CHANNELS_AT_MOST
        self.prefix = b"%b%d." % (self.leg.encode(), self.version) if few else b""
        if self.on_change is not None:
            self.on_change()

    def _forget_oldest(self) -> None:
        """Forgets the membership that ended first; no string from before that means anything."""
        ends = {each.until: each for each in self._memberships if each.until is not None}
        self._floor = min(ends)
        self._memberships.remove(ends[self._floor])


def parse_itinerary(saved: bytes) -> Itinerary | None:
    """What ``Roster.saved`` made; None for anything else."""
    try:
        return msgspec.json.decode(saved, type=Itinerary)
    except msgspec.DecodeError:
        return None
