"""The checker sees what is lost, doubled and reordered, and excuses only what a client was told."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.checker import Began, Entry, Event, Seen, Tally, Told, judge_client, logs_of

C = "job:j1"
LOG = [Event(C, "e", offset, f"id{offset}") for offset in range(1, 11)]
BEGAN = Began(C, "e", 0)


def judged(*entries: Entry, follows: Sequence[str] = (C,), log: Sequence[Event] = LOG) -> Tally:
    return judge_client(Seen("client 1", "any", follows, entries), logs_of(log))


def counts(tally: Tally) -> tuple[int, int, int, int]:
    return tally.lost, tally.twice, tally.reordered, tally.foreign


def test_everything_once_in_order() -> None:
    tally = judged(BEGAN, *LOG)
    assert (tally.wrong, tally.received, tally.resets, tally.examples) == (0, 10, 0, [])


def test_what_was_before_it_began_is_not_owed() -> None:
    assert judged(Began(C, "e", 6), *LOG[6:]).wrong == 0


def test_lost_in_the_middle() -> None:
    tally = judged(BEGAN, *LOG[:4], *LOG[6:])
    assert counts(tally) == (2, 0, 0, 0)
    assert "5-6 of 10" in tally.examples[0]


def test_lost_at_the_end() -> None:
    assert counts(judged(BEGAN, *LOG[:-1])) == (1, 0, 0, 0)


def test_never_followed() -> None:
    assert counts(judged()) == (10, 0, 0, 0)


def test_not_asked_for_and_not_received() -> None:
    assert judged(BEGAN, *LOG, follows=["topic:a", C]).wrong == 0
    assert judged(follows=["topic:a"]).wrong == 0


def test_twice() -> None:
    assert counts(judged(BEGAN, *LOG[:5], LOG[4], *LOG[5:])) == (0, 1, 0, 0)


def test_reordered() -> None:
    tally = judged(BEGAN, LOG[0], LOG[2], LOG[1], *LOG[3:])
    assert counts(tally) == (0, 0, 1, 0)


def test_before_it_began() -> None:
    assert counts(judged(Began(C, "e", 3), *LOG[2:])) == (0, 0, 1, 0)


def test_beginning_anew_excuses_nothing() -> None:
    assert counts(judged(BEGAN, *LOG[:4], Began(C, "e", 7), *LOG[7:])) == (3, 0, 0, 0)


def test_another_event_than_the_stored_one() -> None:
    tally = judged(BEGAN, *LOG[:4], Event(C, "e", 5, "forged"), *LOG[5:])
    assert counts(tally) == (1, 0, 0, 1)


def test_received_and_never_stored() -> None:
    assert counts(judged(BEGAN, *LOG, Event(C, "e", 11, "id11"))) == (0, 0, 0, 1)


def test_another_epoch() -> None:
    assert counts(judged(BEGAN, *LOG[:-1], Event(C, "f", 10, "id10"))) == (1, 0, 0, 1)


def test_a_reset_excuses_what_it_covers() -> None:
    tally = judged(BEGAN, *LOG[:3], Told(C, "e", 6), *LOG[6:])
    assert (tally.wrong, tally.resets) == (0, 1)


def test_a_reset_excuses_no_more() -> None:
    assert counts(judged(BEGAN, *LOG[:3], Told(C, "e", 6), *LOG[7:])) == (1, 0, 0, 0)


def test_what_a_reset_covers_may_not_come_after_it() -> None:
    assert counts(judged(BEGAN, *LOG[:3], Told(C, "e", 6), *LOG[4:])) == (0, 0, 2, 0)


def test_a_reset_that_goes_back() -> None:
    assert counts(judged(BEGAN, *LOG[:6], Told(C, "e", 3), *LOG[6:])) == (0, 0, 1, 0)


def test_sums() -> None:
    total = Tally()
    total.add(judged(BEGAN, *LOG))
    total.add(judged(BEGAN, *LOG[:-1]))
    assert (total.clients, total.received, total.lost) == (2, 19, 1)


offsets = st.integers(min_value=1, max_value=len(LOG))


@given(start=st.integers(min_value=0, max_value=10), told=st.lists(offsets, max_size=3))
def test_whoever_goes_on_from_where_it_is_told_is_right(start: int, told: list[int]) -> None:
    entries: list[Entry] = [Began(C, "e", start)]
    at = start
    for reset in sorted(told):
        if reset > at:
            entries.append(Told(C, "e", reset))
            at = reset
        if at < len(LOG):
            entries.append(LOG[at])
            at += 1
    assert judged(*entries, *LOG[at:]).wrong == 0


@given(missing=st.sets(offsets))
def test_it_counts_what_is_lost(missing: set[int]) -> None:
    tally = judged(BEGAN, *(event for event in LOG if event.offset not in missing))
    assert counts(tally) == (len(missing), 0, 0, 0)


@given(shuffled=st.permutations(LOG))
def test_every_disorder_is_seen(shuffled: list[Event]) -> None:
    tally = judged(BEGAN, *shuffled)
    assert (tally.lost, tally.twice) == (0, 0)
    assert bool(tally.reordered) == (shuffled != LOG)


@given(doubled=st.lists(offsets, max_size=5), seed=st.randoms())
def test_it_counts_what_came_twice(doubled: list[int], seed: object) -> None:
    entries = [*LOG, *(LOG[offset - 1] for offset in doubled)]
    entries.sort(key=lambda event: event.offset)
    assert counts(judged(BEGAN, *entries)) == (0, len(doubled), 0, 0)
