"""The schedule of faults is drawn from its seed, whole, before anything runs."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.cast import CLIENTS, INGESTS, MONGO, NODES, PROXY, REDIS
from tests.chaos.schedule import CALM, KINDS, SETTLED, Kind, schedule

SEEDS = st.integers(min_value=0, max_value=1 << 32)
SECONDS = st.floats(min_value=0, max_value=600)
EVERY = st.floats(min_value=0.5, max_value=20)


@given(seed=SEEDS, seconds=SECONDS, every=EVERY)
def test_a_seed_gives_the_same_schedule_again(seed: int, seconds: float, every: float) -> None:
    assert schedule(seed, seconds, every) == schedule(seed, seconds, every)


def test_seeds_differ() -> None:
    assert len({str(schedule(seed, 120, 4)) for seed in range(50)}) == 50


@given(seed=SEEDS, seconds=SECONDS, every=EVERY)
def test_faults_come_in_order_with_room_at_both_ends(
    seed: int, seconds: float, every: float
) -> None:
    times = [fault.at for fault in schedule(seed, seconds, every)]
    assert times == sorted(times)
    assert all(SETTLED <= at <= seconds - CALM + 0.01 for at in times)


@given(seed=SEEDS, every=EVERY)
def test_every_kind_comes_before_any_comes_again(seed: int, every: float) -> None:
    faults = schedule(seed, 600, every)
    for first in range(0, len(faults) - KINDS, KINDS):
        some = faults[first : first + KINDS]
        assert len({(fault.kind, _role(fault.target)) for fault in some}) == KINDS


@given(seed=SEEDS)
def test_two_minutes_have_everything(seed: int) -> None:
    count = Counter((fault.kind, _role(fault.target)) for fault in schedule(seed, 120, 4))
    killed = {target for kind, target in count if kind is Kind.KILL}
    assert killed == {"node", "ingest", REDIS, MONGO, PROXY}
    assert min(count.values()) >= 2
    assert {kind for kind, _ in count} == set(Kind)


@given(seed=SEEDS)
def test_what_is_done_is_possible(seed: int) -> None:
    for fault in schedule(seed, 120, 4):
        assert fault.target in {*NODES, *INGESTS, REDIS, MONGO, PROXY, CLIENTS}
        assert 0 < fault.amount <= (1 if fault.kind is Kind.CUT else 5)
        assert fault.target == REDIS or fault.kind is not Kind.HANG


def _role(target: str) -> str:
    return target.partition(" ")[0]
