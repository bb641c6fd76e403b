"""What is generated and checked in is what would be generated now."""

from __future__ import annotations

import pytest

from tests.contract.generate import FILES, ROOT, fresh


@pytest.mark.parametrize("path", list(FILES))
def test_it_is_fresh(path: str) -> None:
    assert (ROOT / path).read_text() == fresh(path), "run `make types`"
