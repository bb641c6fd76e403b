"""Records that others wrote."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from hub.broker import records
from hub.broker.records import Records


def test_what_cannot_be_read_is_passed_over_and_logged_once_of_each() -> None:
    found = Records("number", int)
    with capture_logs() as logs:
        for _ in range(3):
            assert found.read(b"x", "a") is None
            assert found.read(b"\xff", "b") is None
            assert found.read(b"[" * 100_000, "c") is None
        assert found.read(b"1", "a") == 1
        assert found.read(b'"1"', "a") is None
    assert [(each["kind"], each["whose"]) for each in logs] == [
        ("number", whose) for whose in ("a", "b", "c", "a")
    ]


def test_whose_it_was_is_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_NOTED_AT_MOST", 2)
    found = Records("number", int)
    with capture_logs() as logs:
        for whose in ("a", "b", "c", "c", "a"):
            found.read(b"", whose)
    assert [each["whose"] for each in logs] == ["a", "b", "c", "a"]
