"""The wheel does what a sorted list of due times would do, a grain late at most."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.services.wheel import Wheel

Step = tuple[str, int, float]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["set", "drop", "turn"]), st.integers(0, 4), st.floats(0, 50, width=32)
    ),
    max_size=40,
)


@given(STEPS)
def test_what_is_due_is_handed_over_once_and_nothing_else(steps: list[Step]) -> None:
    wheel: Wheel[int] = Wheel(0.0, 1.0)
    model: dict[int, float] = {}
    now = 0.0
    for what, item, number in steps:
        if what == "set":
            wheel.set(item, number)
            model[item] = max(number, now)  # what is past is due now
        elif what == "drop":
            wheel.drop(item)
            model.pop(item, None)
        else:
            now += number
            due: list[int] = []
            wheel.turn(now, due.append)
            assert len(due) == len(set(due))
            for each in due:
                assert model.pop(each) <= now
            assert all(at > now - 1 for at in model.values())
        assert len(wheel) == len(model)


def test_what_is_set_again_in_its_turn_waits_for_the_next_one() -> None:
    wheel: Wheel[str] = Wheel(0.0, 1.0)
    wheel.set("a", 0.5)
    turns: list[str] = []

    def due(item: str) -> None:
        turns.append(item)
        wheel.set(item, 0.0)

    wheel.turn(2.0, due)
    assert turns == ["a"]
    wheel.turn(3.0, due)
    assert turns == ["a", "a"]


def test_who_is_dropped_in_a_turn_is_not_handed_over_in_it() -> None:
    wheel: Wheel[str] = Wheel(0.0, 1.0)
    for item in ("a", "b"):
        wheel.set(item, 0.5)
    turns: list[str] = []

    def due(item: str) -> None:
        turns.append(item)
        wheel.drop("a" if item == "b" else "b")

    wheel.turn(1.0, due)
    assert turns == ["a"]
    assert len(wheel) == 0
