"""What is right: the marks that clients made, compared with what is stored (contract section 4: the
later mark wins, by the server's time). Pure, as ``checker``.

Clients know when they asked and when they were answered, the server's time lies in between. So of
two marks one is later for certain only if it was asked after the other was answered; a mark that
was never answered may have been carried out at any time, or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_EXAMPLES: Final = 20
_ANSWERS: Final = {
    "READ": ("read", True),
    "UNREAD": ("read", False),
    "DISMISSED": ("dismissed", True),
    "RESTORED": ("dismissed", False),
    "SEEN": ("seen", True),
}
"""What each mark says, and of what."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that a device asked for. ``ids``: for ``everything`` those that it had been given,
    which are owed; it may have reached others as well, of which another device knows.
    ``asked``, ``answered``: on one clock; ``answered`` is None where the outcome is not known.
    ``changed``: how many it changed, by the answer."""

    user: str
    ids: Sequence[str]
    as_: str
    asked: float
    answered: float | None
    changed: int = 0
    everything: bool = False

    def surely_before(self, other: Mark) -> bool:
        """Whether it was carried out before the other one was asked for."""
        return self.answered is not None and self.answered < other.asked


@dataclass(frozen=True, slots=True)
class Kept:
    """The state of a notification in a user's inbox, as stored; of an announcement that nobody
    touched there is none."""

    seen: bool = False
    read: bool = False
    dismissed: bool = False


@dataclass(slots=True)
class Marks:
    """What became of the marks. ``lost``: of an acknowledged mark and a notification, where the
    stored state is another one and no other mark explains it. ``overridden``: where one does.
    ``untold``: changes too few or too many that the logs of the users tell of."""

    acknowledged: int = 0
    unacknowledged: int = 0
    kept: int = 0
    overridden: int = 0
    lost: int = 0
    untold: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """How many promises were broken."""
        return self.lost + self.untold

    def note(self, example: str) -> None:
        """Keeps an example of what is wrong."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)


def judge_marks(
    marks: Sequence[Mark], states: Mapping[tuple[str, str], Kept], told: Mapping[str, int]
) -> Marks:
    """Compares marks with the states by user and id, and with ``told``: how many changes the log of
    each user's channel tells of."""
    found = Marks()
    on: dict[tuple[str, str], list[Mark]] = {}
    wide: dict[str, list[Mark]] = {}
    for mark in marks:
        found.acknowledged += mark.answered is not None
        found.unacknowledged += mark.answered is None
        if mark.everything:
            wide.setdefault(mark.user, []).append(mark)
        for id_ in mark.ids:
            on.setdefault((mark.user, id_), []).append(mark)
    for (user, id_), several in on.items():
        state = states.get((user, id_), Kept())
        for mark in several:
            if mark.answered is not None:
                _judge(found, mark, id_, state, [*several, *wide.get(user, ())])
    _judge_told(found, marks, told)
    return found


def _judge(found: Marks, mark: Mark, id_: str, state: Kept, several: Sequence[Mark]) -> None:
    question, answer = _ANSWERS[mark.as_]
    if getattr(state, question) is answer:
        found.kept += 1
    elif any(_explains(other, mark) for other in several):
        found.overridden += 1
    else:
        found.lost += 1
        found.note(f"{mark.user}: {id_} was marked {mark.as_} and is stored as {state}")


def _explains(other: Mark, mark: Mark) -> bool:
    """Whether because of another mark what this one asked for need not be so."""
    question, answer = _ANSWERS[mark.as_]
    if mark.everything and other.as_ == "DISMISSED" and not mark.surely_before(other):
        return True  # what is dismissed is not among everything
    opposite = _ANSWERS[other.as_] == (question, not answer)
    return opposite and not other.surely_before(mark)


def _judge_told(found: Marks, marks: Sequence[Mark], told: Mapping[str, int]) -> None:
    """Each mark that changed something is one event of its user's channel, and nothing else is."""
    sure = Counter(each.user for each in marks if each.answered is not None and each.changed)
    maybe = Counter(each.user for each in marks if each.answered is None)
    for user in sure.keys() | maybe.keys() | told.keys():
        times, least = told.get(user, 0), sure[user]
        if not least <= times <= least + maybe[user]:
            found.untold += 1
            found.note(
                f"{user}: {times} changes were told of, {least} acknowledged, "
                f"{maybe[user]} not answered"
            )


def marks_of(user: str, reported: Sequence[Mapping[str, object]]) -> Iterator[Mark]:
    """The marks that a client reports of itself."""
    for each in reported:
        known = {name: each[name] for name in ("ids", "asked", "answered", "changed", "everything")}
        yield Mark(user, as_=str(each["as"]), **known)  # type: ignore[arg-type]
