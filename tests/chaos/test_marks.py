"""The checker of marks sees what is lost or untold, and excuses what another mark explains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.marks import Kept, Mark, Marks, judge_marks, marks_of

READ = Kept(seen=True, read=True)


def mark(as_: str, asked: float, answered: float | None, **more: object) -> Mark:
    given = {"user": "u1", "ids": ["a"], "changed": 1} | more
    return Mark(as_=as_, asked=asked, answered=answered, **given)  # type: ignore[arg-type]


def judged(*marks: Mark, kept: Kept | None = None, told: int | None = None) -> Marks:
    states = {} if kept is None else {("u1", "a"): kept}
    sure = sum(each.answered is not None for each in marks)
    return judge_marks(marks, states, {"u1": sure if told is None else told})


def counts(found: Marks) -> tuple[int, int, int, int]:
    return found.kept, found.overridden, found.lost, found.untold


@pytest.mark.parametrize(
    ("as_", "kept"),
    [
        ("READ", READ),
        ("UNREAD", Kept(seen=True)),
        ("SEEN", Kept(seen=True)),
        ("DISMISSED", Kept(dismissed=True)),
        ("RESTORED", Kept()),
    ],
)
def test_what_is_stored_as_it_was_asked(as_: str, kept: Kept) -> None:
    assert counts(judged(mark(as_, 1, 2), kept=kept)) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("as_", "kept"),
    [
        ("READ", Kept(seen=True)),
        ("UNREAD", READ),
        ("SEEN", Kept()),
        ("DISMISSED", READ),
        ("RESTORED", Kept(dismissed=True)),
    ],
)
def test_what_is_stored_otherwise(as_: str, kept: Kept) -> None:
    found = judged(mark(as_, 1, 2), kept=kept)
    assert counts(found) == (0, 0, 1, 0)
    assert f"a was marked {as_}" in found.examples[0]
    assert found.wrong == 1


def test_what_is_not_stored_at_all_was_not_touched() -> None:
    assert counts(judged(mark("READ", 1, 2))) == (0, 0, 1, 0)
    assert counts(judged(mark("UNREAD", 1, 2))) == (1, 0, 0, 0)


def test_a_later_mark_wins() -> None:
    first, second = mark("READ", 1, 2), mark("UNREAD", 3, 4)
    assert counts(judged(first, second, kept=Kept(seen=True))) == (1, 1, 0, 0)


def test_an_earlier_mark_does_not() -> None:
    first, second = mark("READ", 1, 2), mark("UNREAD", 3, 4)
    assert counts(judged(first, second, kept=READ)) == (1, 0, 1, 0)


def test_of_two_at_once_either_wins_and_not_both_lose() -> None:
    first, second = mark("READ", 1, 4), mark("UNREAD", 2, 3)
    for kept in (READ, Kept(seen=True)):
        assert counts(judged(first, second, kept=kept)) == (1, 1, 0, 0)


def test_a_mark_on_another_question_explains_nothing() -> None:
    found = judged(mark("READ", 1, 2), mark("DISMISSED", 3, 4), kept=Kept(dismissed=True))
    assert counts(found) == (1, 0, 1, 0)


def test_the_same_answer_explains_nothing() -> None:
    assert counts(judged(mark("READ", 1, 2), mark("READ", 1, 2), kept=Kept())) == (0, 0, 2, 0)


def test_a_mark_of_another_user_explains_nothing() -> None:
    found = judge_marks(
        [mark("READ", 1, 2), mark("UNREAD", 3, 4, user="u2")],
        {("u1", "a"): Kept(), ("u2", "a"): Kept()},
        {"u1": 1, "u2": 1},
    )
    assert counts(found) == (1, 0, 1, 0)


def test_one_without_an_answer_owes_nothing_and_may_win_at_any_time() -> None:
    assert counts(judged(mark("READ", 1, None), kept=Kept())) == (0, 0, 0, 0)
    found = judged(mark("UNREAD", 1, None), mark("READ", 3, 4), kept=Kept(seen=True))
    assert counts(found) == (0, 1, 0, 0)


def test_everything_leaves_out_what_was_dismissed() -> None:
    everything = mark("READ", 5, 6, everything=True)
    dismissed = Kept(dismissed=True)
    assert counts(judged(mark("DISMISSED", 1, 2), everything, kept=dismissed)) == (1, 1, 0, 0)
    assert counts(judged(mark("DISMISSED", 5.5, 7), everything, kept=dismissed)) == (1, 1, 0, 0)


def test_everything_may_reach_what_its_device_was_not_given() -> None:
    dismissed = mark("DISMISSED", 1, 2, ids=[], everything=True)
    everything = mark("READ", 3, 4, everything=True)
    assert counts(judged(dismissed, everything, kept=Kept(dismissed=True))) == (0, 1, 0, 0)
    restored = mark("RESTORED", 1, 2)
    dismissed = mark("DISMISSED", 3, 4, ids=[], everything=True)
    assert counts(judged(restored, dismissed, kept=Kept(dismissed=True))) == (0, 1, 0, 0)
    later = mark("RESTORED", 5, 6)
    assert counts(judged(later, dismissed, kept=Kept(dismissed=True))) == (0, 0, 1, 0)
    other = mark("DISMISSED", 3, 4, ids=[], everything=True, user="u2")
    found = judge_marks([restored, other], {("u1", "a"): Kept(dismissed=True)}, {"u1": 1, "u2": 1})
    assert counts(found) == (0, 0, 1, 0)


def test_everything_was_there_before_it_was_dismissed() -> None:
    found = judged(
        mark("READ", 1, 2, everything=True), mark("DISMISSED", 3, 4), kept=Kept(dismissed=True)
    )
    assert counts(found) == (1, 0, 1, 0)


def test_each_change_is_told_of_once() -> None:
    assert judged(mark("READ", 1, 2), kept=READ, told=1).untold == 0
    for told in (0, 2):
        found = judged(mark("READ", 1, 2), kept=READ, told=told)
        assert counts(found) == (1, 0, 0, 1)
        assert f"{told} changes were told of" in found.examples[0]


def test_what_changed_nothing_is_not_told_of() -> None:
    assert judged(mark("READ", 1, 2, changed=0), kept=READ, told=0).untold == 0
    assert judged(mark("READ", 1, 2, changed=0), kept=READ, told=1).untold == 1


def test_what_was_not_answered_may_be_told_of() -> None:
    for told, untold in ((0, 0), (1, 0), (2, 1)):
        assert judged(mark("READ", 1, None), told=told).untold == untold


def test_changes_of_somebody_who_marked_nothing() -> None:
    assert judge_marks([], {}, {"u1": 1}).untold == 1


def test_a_client_reports_its_marks() -> None:
    said = {"ids": ["a"], "as": "READ", "asked": 1.5, "answered": None, "changed": 0}
    (found,) = marks_of("u1", [said | {"everything": True}])
    assert found == Mark("u1", ["a"], "READ", 1.5, None, 0, everything=True)


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_one_after_the_other_the_last_is_what_is_stored(reads: list[bool]) -> None:
    marks = [mark("READ" if read else "UNREAD", 2 * n, 2 * n + 1) for n, read in enumerate(reads)]
    assert judged(*marks, kept=Kept(read=reads[-1])).lost == 0
    assert judged(*marks, kept=Kept(read=not reads[-1])).lost >= 1
