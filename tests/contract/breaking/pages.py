"""Which breaks the pages of new versions name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

HEADING: Final = "## What breaks"
_SECTION: Final = re.compile(rf"^{HEADING}$(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_ITEM: Final = re.compile(r"^- `([^`]+)`", re.MULTILINE)


def named(page: Path) -> list[str]:
    """The breaks that a page lists: the code with which each item of ``What breaks`` begins."""
    if not page.is_file():
        return []
    return [each for part in _SECTION.findall(page.read_text()) for each in _ITEM.findall(part)]


def differences(
    broken: Iterable[str], pages: Path, *, released: int, current: int
) -> tuple[set[str], set[str]]:
    """The breaks that no page of a version since the release names, and what those pages name
    though it is not broken."""
    since = range(released + 1, current + 1)
    told = {each for number in since for each in named(pages / f"{number}.md")}
    return set(broken) - told, told - set(broken)
