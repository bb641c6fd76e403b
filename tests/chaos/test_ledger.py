"""The ledger sees what was acknowledged and is not stored once, in order, in its own log."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.checker import Event
from tests.chaos.ledger import Head, Ledger, Publication, Stored, judge_store

JOB, USER = "job:j1", "user:u1"
EVENTS = [
    *(Event(JOB, "a", offset, f"j{offset}") for offset in (1, 2, 3)),
    *(Event(USER, "b", offset, f"u{offset}") for offset in (1, 2)),
]
RIGHT = Stored(
    EVENTS,
    {JOB: Head("a", 3), USER: Head("b", 2)},
    {JOB: "a", USER: "b"},
    [(USER, "u1"), (USER, "u2")],
)
PUBLISHED = [
    Publication([]),  # the start of the job
    Publication([(JOB, "j1")]),
    Publication([(USER, "u1")]),
    Publication([(JOB, "j2")]),
    Publication([(JOB, "j3"), (USER, "u2")]),
]


def counts(ledger: Ledger) -> dict[str, int]:
    """What is wrong, by name."""
    names = ("missing", "doubled", "unexplained", "misordered", "broken", "dead")
    return {name: count for name in names if (count := getattr(ledger, name))}


def test_all_is_stored_once() -> None:
    ledger = judge_store(PUBLISHED, RIGHT)
    assert (ledger.wrong, ledger.acknowledged, ledger.stored) == (0, 5, 5)


def test_acknowledged_and_not_stored() -> None:
    ledger = judge_store([*PUBLISHED, Publication([(JOB, "j4")])], RIGHT)
    assert counts(ledger) == {"missing": 1}
    assert "j4" in ledger.examples[0]
    assert (ledger.acknowledged, ledger.stored) == (6, 5)


def test_a_copy_of_a_publication_is_not_stored() -> None:
    ledger = judge_store([*PUBLISHED, Publication([(JOB, "j3"), (USER, "u9")])], RIGHT)
    assert counts(ledger) == {"missing": 1}


def test_what_was_not_acknowledged_may_be_stored_or_not() -> None:
    given_up = [Publication([(JOB, name)], acknowledged=False) for name in ("j1", "j9")]
    ledger = judge_store([given_up[0], *PUBLISHED[2:], given_up[1]], RIGHT)
    assert (ledger.wrong, ledger.unacknowledged) == (0, 2)


def test_stored_twice() -> None:
    events = [*EVENTS, Event(JOB, "a", 4, "j1")]
    ledger = judge_store(
        PUBLISHED, replace(RIGHT, events=events, heads={**RIGHT.heads, JOB: Head("a", 4)})
    )
    assert counts(ledger)["doubled"] == 1


def test_stored_and_never_published() -> None:
    ledger = judge_store([each for each in PUBLISHED if each != PUBLISHED[3]], RIGHT)
    assert counts(ledger) == {"unexplained": 1}


def test_stored_in_another_order() -> None:
    swapped = [PUBLISHED[0], PUBLISHED[3], PUBLISHED[1], *PUBLISHED[2:3], PUBLISHED[4]]
    assert counts(judge_store(swapped, RIGHT)) == {"misordered": 1}


def test_copies_may_come_in_any_order() -> None:
    published = [*PUBLISHED[:2], PUBLISHED[3], PUBLISHED[4], PUBLISHED[2]]
    assert judge_store(published, RIGHT).wrong == 0


@pytest.mark.parametrize(
    ("heads", "epochs"),
    [
        ({JOB: Head("z", 3)}, {}),  # the head speaks of another log
        ({JOB: Head("a", 4)}, {}),  # or of more than there is
        ({}, {JOB: "z"}),  # it was another one at the start
        ({}, {"topic:gone": "a"}),  # there was one
    ],
)
def test_a_log_that_is_not_the_one_it_was(heads: dict[str, Head], epochs: dict[str, str]) -> None:
    stored = replace(RIGHT, heads={**RIGHT.heads, **heads}, epochs={**RIGHT.epochs, **epochs})
    assert counts(judge_store(PUBLISHED, stored)) == {"broken": 1}


def test_a_log_with_a_hole() -> None:
    events = [each for each in EVENTS if each.id != "j2"]
    ledger = judge_store(
        [each for each in PUBLISHED if each != PUBLISHED[3]], replace(RIGHT, events=events)
    )
    assert counts(ledger) == {"broken": 1}
    assert "1, 3" in ledger.examples[0]


@pytest.mark.parametrize("inbox", [[(USER, "u1")], [*RIGHT.inbox, (USER, "u3")]])
def test_the_list_of_notifications_is_not_the_log(inbox: list[tuple[str, str]]) -> None:
    assert counts(judge_store(PUBLISHED, replace(RIGHT, inbox=inbox))) == {"missing": 1}


def test_dead_letters() -> None:
    assert counts(judge_store(PUBLISHED, replace(RIGHT, dead=2))) == {"dead": 2}


def test_an_event_that_tells_of_a_mark_is_no_publication_and_in_no_list() -> None:
    changed = Event(USER, "b", 3, "m1")
    heads = {**RIGHT.heads, USER: Head("b", 3)}
    marked = replace(RIGHT, events=[*EVENTS, changed], heads=heads)
    assert counts(judge_store(PUBLISHED, marked)) == {"missing": 1, "unexplained": 1}
    assert judge_store(PUBLISHED, replace(marked, changes={(USER, "m1")})).wrong == 0
