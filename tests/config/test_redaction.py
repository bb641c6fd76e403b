"""What a log must not show, and that it shows the rest."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, Literal

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.logs import get_logger, setup_logging
from config.redaction import HIDDEN, LONGEST, redact, redact_event
from tests.config.test_logs import _restore  # noqa: F401 - a fixture that every test here needs

TOKEN = jwt.encode({"sub": "u1", "exp": 2_000_000_000}, "k" * 32, "HS256")
OPAQUE = "pR2vK9x_QmZ4tL7wBn31"


@pytest.mark.parametrize(
    "said",
    [
        f"token {TOKEN} refused",
        f"cut off: {TOKEN[:30]}",
        f"Authorization: Bearer {OPAQUE}",
        f"authorization: Basic {OPAQUE}==",
        f"bearer%20{OPAQUE}",
        f"Cookie: session={OPAQUE}; b=c",
        f"Set-Cookie: {OPAQUE}",
        f"redis://:{OPAQUE}@10.0.0.1:6379/0",
        f"mongodb://hub:{OPAQUE}/with@slash@db.example/?replicaSet=rs0",
        f"GET /v1/jobs/j1/progress?epoch=a&ticket={OPAQUE}&offset=1",
        f"/x?access_token={OPAQUE}",
        f"%3Fticket%3D{OPAQUE}",
        f"password={OPAQUE} user=u1",
        '40{"token":"' + OPAQUE + '","channels":{}}',
        '421["auth:refresh",{"token": "' + OPAQUE + '"}]',
        "{'token': b'" + OPAQUE + "', 'a': 1}",
        json.dumps(json.dumps({"ticket": OPAQUE, "a": 1})),
        '{"refreshToken":"with \\" inside ' + OPAQUE + '"}',
        '{"password":"' + OPAQUE,
        '{"api_key":' + OPAQUE + "}",
        f"('Authorization', 'Bearer {OPAQUE}')",
    ],
)
def test_secrets_are_known_by_what_they_look_like(said: str) -> None:
    shown = redact(said)
    assert OPAQUE not in shown
    assert TOKEN[:20] not in shown
    assert HIDDEN in shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "said",
    [
        '42["token-expiring",{"expiresAt":"2026-01-28T10:15:30.123Z"}]',
        '42["event",{"v":1,"id":"0197a5d0-0000-7000-8000-000000000001","channel":"job:j1"},"a0.1"]',
        "redis://127.0.0.1:6379/0 is out of reach",
        "http://127.0.0.1:8800/v1/jobs?limit=5",
        "the ticket is not valid (any more)",
        "17 tokens were revoked",
    ],
)
def test_all_else_is_shown_as_it_is(said: str) -> None:
    assert redact(said) == said


@dataclass
class Holder:
    url: str


def test_secrets_are_known_by_their_name_and_however_deep_they_are() -> None:
    event: dict[str, Any] = {
        "event": "x",
        "jwt_secret": OPAQUE,
        "headers": {"Authorization": OPAQUE, "Accept": "text/plain"},
        "items": [{"ticket": OPAQUE}, {"n": 1}],
        "raw": f"Bearer {OPAQUE}".encode(),
        "holder": Holder(f"redis://u:{OPAQUE}@h"),
        "count": 3,
        "none": None,
    }
    shown = redact_event(None, "info", event)
    assert OPAQUE not in repr(shown)
    assert shown["headers"] == {"Authorization": HIDDEN, "Accept": "text/plain"}
    assert shown["items"] == [{"ticket": HIDDEN}, {"n": 1}]
    assert (shown["count"], shown["none"], shown["event"]) == (3, None, "x")


def test_what_is_long_is_shortened_but_not_before_it_is_known() -> None:
    padding = "x" * (LONGEST - 10)
    shown = redact_event(None, "info", {"event": padding + TOKEN})["event"]
    assert shown == padding + HIDDEN
    shown = redact_event(None, "info", {"event": "y" * (LONGEST + 7)})["event"]
    assert shown == "y" * LONGEST + "…(+7)"


@given(st.text(alphabet=st.sampled_from("ey.J\"'\\:= {}?&tokenbearer@/%\n"), max_size=200))
def test_no_text_breaks_it_and_a_second_look_changes_nothing(said: str) -> None:
    once = redact(said)
    assert redact(once) == once


@pytest.mark.parametrize("unit", ["a", "eyJ", "token", '"token', '\\"', "://a:", "bearer ", "="])
def test_no_text_takes_long(unit: str) -> None:
    said = unit * (200_000 // len(unit))
    assert redact(said)  # what takes quadratic time is ended by the limit of every test


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_nothing_gets_past_it(
    fmt: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    setup_logging("INFO", fmt)
    log = get_logger("hub.test")
    try:
        try:
            raise ValueError(f"cannot read {TOKEN}")
        except ValueError as error:
            error.add_note(f"ticket={OPAQUE}")
            raise RuntimeError(f"redis://:{OPAQUE}@h is away") from error
    except RuntimeError:
        log.exception("failed", detail={"cookie": OPAQUE})
    said = f"Bearer {OPAQUE}"
    log.info(said, **{TOKEN: 1})
    foreign = logging.getLogger("aiohttp.server")
    foreign.warning("bad header %r of %s", {"Authorization": f"Bearer {OPAQUE}"}, TOKEN)
    foreign.warning("%d", TOKEN)  # which cannot be formatted
    out, err = capsys.readouterr()
    assert out == ""
    assert "RuntimeError" in err
    assert "a log record could not be written: aiohttp.server" in err
    for part in (OPAQUE, TOKEN, TOKEN.split(".")[1], TOKEN.split(".")[2]):
        assert part not in err
