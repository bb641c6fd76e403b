"""A line when trouble begins and one when it is over."""

from __future__ import annotations

from structlog.testing import capture_logs

from config.logs import get_logger
from config.trouble import Trouble


def test_one_line_per_change() -> None:
    with capture_logs() as log:
        trouble = Trouble(get_logger("t"), "lost", "back")
        trouble.worked()
        for _ in range(3):
            trouble.failed(OSError("gone"), server=1)
        trouble.worked()
        trouble.worked()
        trouble.failed("again")
    assert [(entry["event"], entry.get("error")) for entry in log] == [
        ("lost", "OSError('gone')"),
        ("back", None),
        ("lost", "again"),
    ]
    assert log[0]["server"] == 1


def test_it_is_over_when_the_last_part_works() -> None:
    with capture_logs() as log:
        trouble = Trouble(get_logger("t"), "lost", "back")
        trouble.failed("x", 1)
        trouble.failed("x", 2)
        trouble.worked(1)
        trouble.worked(3)
        assert [entry["event"] for entry in log] == ["lost"]
        trouble.worked(2)
    assert [entry["event"] for entry in log] == ["lost", "back"]
