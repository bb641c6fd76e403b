"""What is made of the two documents and checked in: ``make types``. ``test_generated.py`` fails
when something of it is stale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.contract.generate import decisions, tables
from tests.contract.generate.typescript import types

ROOT = Path(__file__).resolve().parents[3]

FILES: dict[str, Callable[[str], str]] = {
    "web/client/src/contract.generated.ts": types,
    "docs/reference.md": tables.reference,
    "docs/decisions/README.md": decisions.index,
}
"""By path, what makes the text of the one that is there."""


def fresh(path: str) -> str:
    """What the file should be."""
    file = ROOT / path
    return FILES[path](file.read_text() if file.exists() else "")
