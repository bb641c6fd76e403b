"""Decisions are written alike, and listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.generate.decisions import pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_each_has_its_context_its_choice_and_its_costs(page: Path) -> None:
    text = page.read_text()
    places = [text.find(f"\n**{part}.**") for part in ("Context", "Choice", "Costs")]
    assert -1 not in places
    assert places == sorted(places)
    assert text.startswith(f"# {int(page.name[:4])}. ")
