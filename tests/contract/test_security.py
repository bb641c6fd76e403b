"""``docs/security.md`` names tests that exist, and at least one for each promise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
DOCUMENT = TESTS.parent / "docs" / "security.md"
NAMED = re.compile(r"`([\w/]+\.py)::([\w:]+)`")


def promises() -> Iterator[tuple[str, str]]:
    """Each promise, and what is said of its tests."""
    inside = False
    for line in DOCUMENT.read_text().splitlines():
        inside = line.startswith("| promise |") or (inside and line.startswith("|"))
        if inside and not line.startswith(("| promise |", "| --- |")):
            cells = line.strip("| ").split(" | ")
            assert len(cells) == 3, line
            yield cells[0], cells[2]


def names_in(path: Path) -> set[str]:
    """The tests of a file by name, those of a class as ``Class::test``."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{name}" for name in functions(node)}
    return found | set(functions(ast.parse(path.read_text())))


def functions(within: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in within.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:5] == "test_":
            yield node.name


@pytest.mark.parametrize(("promise", "said"), list(promises()))
def test_each_promise_has_its_tests(promise: str, said: str) -> None:
    named = NAMED.findall(said)
    assert named, promise
    for file, name in named:
        assert name in names_in(TESTS / file), f"{file}::{name}"


def test_there_are_promises() -> None:
    assert len(list(promises())) > 20
