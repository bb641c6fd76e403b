"""Marks of several devices come together, in whatever order they arrive and however often."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.readstate import As, Mark, State, differs, merged
from tests.hub.domain import samples

marks = st.builds(
    Mark,
    st.sampled_from(As),
    st.integers(0, 5).map(samples.after),
    st.sampled_from(["a", "b", "c", "d"]),
)
histories = st.lists(marks, max_size=12, unique_by=lambda mark: mark.stamp)


def after(history: list[Mark], state: State = State()) -> State:  # noqa: B008 - immutable
    for mark in history:
        state = merged(state, mark)
    return state


@given(histories, st.randoms())
def test_the_order_of_arrival_does_not_matter(history: list[Mark], dice: object) -> None:
    shuffled = list(history)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert after(shuffled) == after(history)


@given(histories)
def test_arriving_again_changes_nothing(history: list[Mark]) -> None:
    assert after(history + history) == after(history)


@given(histories, marks)
def test_the_latest_mark_is_what_the_user_sees(history: list[Mark], mark: Mark) -> None:
    last = Mark(mark.as_, samples.after(6), mark.id)
    state = after([*history, last])
    assert not differs(state, last.as_)


@given(histories)
def test_read_and_dismissed_are_two_questions(history: list[Mark]) -> None:
    reading = [mark for mark in history if mark.as_ in (As.READ, As.UNREAD)]
    keeping = [mark for mark in history if mark.as_ in (As.DISMISSED, As.RESTORED)]
    assert after(history).read_at == after(reading).read_at
    assert after(history).dismissed_at == after(keeping).dismissed_at


def test_restored_is_as_it_was() -> None:
    read = Mark(As.READ, samples.after(1), "a")
    dismissed = Mark(As.DISMISSED, samples.after(2), "b")
    restored = Mark(As.RESTORED, samples.after(3), "c")
    state = after([read, dismissed, restored])
    assert (state.read_at, state.dismissed_at) == (samples.after(1), None)
    assert state.seen_at == samples.after(1), "reading is seeing"


def test_the_later_of_two_devices_wins_whoever_arrives_first() -> None:
    read = Mark(As.READ, samples.after(1), "a")
    unread = Mark(As.UNREAD, samples.after(1) + timedelta(milliseconds=1), "b")
    assert after([unread, read]).unread
    assert after([read, unread]).unread
    same_time = Mark(As.UNREAD, samples.after(1), "0")
    assert not after([read, same_time]).unread


@pytest.mark.parametrize(
    ("history", "unread"),
    [
        ([], True),
        ([As.SEEN], True),
        ([As.READ], False),
        ([As.READ, As.UNREAD], True),
        ([As.DISMISSED], False),
        ([As.DISMISSED, As.UNREAD], False),
        ([As.DISMISSED, As.RESTORED], True),
        ([As.READ, As.DISMISSED, As.RESTORED], False),
    ],
)
def test_what_counts_as_unread(history: list[As], unread: bool) -> None:
    made = [Mark(as_, samples.after(n), "a") for n, as_ in enumerate(history)]
    assert after(made).unread is unread


def test_seen_once_is_seen() -> None:
    seen = [Mark(As.SEEN, samples.after(n), "a") for n in (3, 1, 2)]
    assert after(seen).seen_at == samples.after(1)
    assert not differs(after(seen), As.SEEN)
