"""The list in ``docs/decisions/README.md``: every decision by its title."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).resolve().parents[3] / "docs" / "decisions"
_HEAD: Final = """# Decisions

What a reader of the code would ask about, a page each: the context, the choice, what it costs.
Numbers that are missing are not in use. The list is made by `make types`.

"""


def pages() -> list[Path]:
    """Of all decisions, in their order."""
    return sorted(_FOLDER.glob("[0-9]*.md"))


def index(before: str) -> str:
    """The page."""
    del before
    return _HEAD + "".join(f"- [{_title(page)}]({page.name})\n" for page in pages())


def _title(page: Path) -> str:
    heading, _, _ = page.read_text().partition("\n")
    number, _, words = heading.removeprefix("# ").partition(". ")
    return f"{int(number)}: {words}"
