"""What the whole test run is watched by would notice."""

from __future__ import annotations

from pathlib import Path

from tests.support.nodes import signed
from tests.support.secrecy import leaks, leaks_of, remember


def test_a_token_is_found_whole_and_in_parts(tmp_path: Path) -> None:
    token = signed()
    header, payload, proof = token.split(".")
    for part in (token, payload, proof):
        assert leaks(f"a line {part} of the log")
    assert not leaks(f"a line {header} of the log, which is in every token")
    assert not leaks(f"cut off: {proof[:12]}…")
    ticket = "ticket_of_test_secrecy-0123456789"
    assert not leaks(ticket)
    remember(ticket)
    assert leaks(f"?ticket={ticket}&offset=1")


def test_log_files_are_looked_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "node.log"
    log.write_text(f"one {signed()}\n")
    assert leaks_of(folder)
    assert not leaks_of(folder)
    log.unlink()
