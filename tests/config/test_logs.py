"""Logging: everything on stderr, one JSON object a line, no secret in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest

from config.logs import get_logger, setup_logging


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_ours_and_the_librarys_records_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("INFO", "json")
    get_logger("hub.test").info("subscribed", channel="job:1", token="eyJ…")
    logging.getLogger("aiohttp.access").warning("slow %s", "request")
    get_logger("hub.test").debug("not written")
    captured = capsys.readouterr()
    assert captured.out == ""
    ours, theirs = (json.loads(line) for line in captured.err.splitlines())
    assert ours["event"] == "subscribed"
    assert (ours["level"], ours["logger"]) == ("info", "hub.test")
    assert (ours["channel"], ours["token"]) == ("job:1", "***")
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["logger"]) == ("slow request", "aiohttp.access")


def test_an_exception_is_one_line_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("INFO", "json")
    try:
        raise ValueError("broken")
    except ValueError:
        get_logger("hub.test").exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["exception"][0]["exc_value"] == "broken"


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_a_traceback_does_not_show_what_variables_held(
    fmt: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    setup_logging("INFO", fmt)
    payload = {"auth": "eyJhbGciOi"}
    try:
        raise ValueError(len(payload))
    except ValueError:
        get_logger("hub.test").exception("failed")
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "eyJhbGciOi" not in said


def test_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("WARNING", "console")
    get_logger("hub.test").warning("died", service="redis")
    assert "service=redis" in capsys.readouterr().err
    with pytest.raises(ValueError, match="LOUD"):
        setup_logging("LOUD")
