"""The chaos run in short: every kind of fault once, and everybody has everything, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import crowd
from tests.chaos.run import Plan, run_hub
from tests.chaos.schedule import KINDS, schedule

SEED, SECONDS, EVERY = 4, 24.0, 1.8


@pytest.mark.alone
@pytest.mark.timeout(240)
async def test_whatever_dies_nobody_misses_anything(tmp_path: Path) -> None:
    faults = schedule(SEED, SECONDS, EVERY)
    plan = Plan(SEED, SECONDS, rate=40, clients=18, faults=faults)
    outcome = await run_hub(plan, tmp_path, print)
    assert outcome.examples == []
    assert outcome.wrong == 0
    assert outcome.ledger is not None
    assert outcome.ledger.stored == outcome.published > 100
    assert outcome.marks is not None
    assert outcome.marks.acknowledged > 10
    assert outcome.marks.kept > 10
    assert outcome.service.recovered > 0
    assert sum(tally.resets for tally in outcome.tallies.values()) == 0
    assert outcome.faults.total() == len(faults) >= KINDS


async def test_clients_that_cannot_start_are_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(crowd, "_SCRIPT", tmp_path / "missing.mjs")
    async with crowd.crowd("http://127.0.0.1:1", [], bare=True) as clients:
        with pytest.raises(RuntimeError, match="has ended"):
            await clients.all_follow()
        with pytest.raises(RuntimeError, match="has ended"):
            await clients.all_follow()
