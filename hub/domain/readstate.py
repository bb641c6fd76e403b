"""What a user has done with a notification, and how marks from several devices come together.

A mark is what one command asks for one notification, with the server's time at which it was asked.
Marks are merged so that the order in which they are applied does not matter, nor how often:

* *seen* stays seen; the earliest time counts. Reading is seeing.
* *read* and *unread* are one question, *dismissed* and *restored* another. Of each, the latest mark
  answers (last writer by server time; at the same millisecond the greater id of the command).

So reading and dismissing at once on two devices is both, and restoring brings a notification back
as it was. A command makes marks only where it changes something: asking again makes none.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from hub.domain import times


class As(StrEnum):
    """What a notification can be marked as (contract section 4)."""

    SEEN = "SEEN"
    READ = "READ"
    UNREAD = "UNREAD"
    DISMISSED = "DISMISSED"
    RESTORED = "RESTORED"


READING: Final = frozenset({As.READ, As.UNREAD})
"""The answers to whether it was read."""

KEEPING: Final = frozenset({As.DISMISSED, As.RESTORED})
"""The answers to whether it was dismissed."""


class Mark(Struct, frozen=True):
    """One thing asked at one time. ``id``: of the command."""

    as_: As
    at: datetime
    id: str

    @property
    def stamp(self) -> str:
        """Orders marks: the text of a later one is greater."""
        return f"{times.to_ms(self.at):015d}/{self.id}"


class State(Struct, frozen=True):
    """What became of a notification. The stamps are those of the marks that decided."""

    seen_at: datetime | None = None
    read_at: datetime | None = None
    dismissed_at: datetime | None = None
    read_stamp: str = ""
    dismiss_stamp: str = ""

    @property
    def unread(self) -> bool:
        """Whether it counts as unread, unless it is expired."""
        return self.read_at is None and self.dismissed_at is None


def differs(state: State, as_: As) -> bool:
    """Whether marking it so changes what the user sees of it."""
    match as_:
        case As.SEEN:
            return state.seen_at is None
        case As.READ:
            return state.read_at is None
        case As.UNREAD:
            return state.read_at is not None
        case As.DISMISSED:
            return state.dismissed_at is None
        case As.RESTORED:
            return state.dismissed_at is not None


def merged(state: State, mark: Mark) -> State:
    """The state with ``mark`` in it; what is in it already changes nothing."""
    seen, read, dismissed = state.seen_at, state.read_at, state.dismissed_at
    read_stamp, dismiss_stamp = state.read_stamp, state.dismiss_stamp
    if mark.as_ in (As.SEEN, As.READ):
        seen = mark.at if seen is None else min(seen, mark.at)
    if mark.as_ in READING and mark.stamp > read_stamp:
        read, read_stamp = (mark.at if mark.as_ is As.READ else None), mark.stamp
    if mark.as_ in KEEPING and mark.stamp > dismiss_stamp:
        dismissed, dismiss_stamp = (mark.at if mark.as_ is As.DISMISSED else None), mark.stamp
    return State(seen, read, dismissed, read_stamp, dismiss_stamp)
