"""Which messages of python-socketio's managers are taken."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from hub.domain.emissions import CHANNELS_AT_MOST, OWN_EVENTS, NotTaken, parse_emission

LIMIT = 1000


def message(**changes: Any) -> bytes:
    """As ``AsyncRedisManager.emit("moved", {"n": 1}, room="job:j1")`` publishes it."""
    fields: dict[str, Any] = {
        "method": "emit",
        "event": "moved",
        "data": [{"n": 1}],
        "binary": False,
        "namespace": "/",
        "room": "job:j1",
        "skip_sid": None,
        "callback": None,
        "host_id": "a",
    }
    return json.dumps(fields | changes).encode()


TAKEN: list[tuple[dict[str, Any], list[str], bytes]] = [
    ({}, ["job:j1"], b',{"n":1}'),
    ({"room": "user:u1"}, ["user:u1"], b',{"n":1}'),
    ({"room": "topic:news", "namespace": None}, ["topic:news"], b',{"n":1}'),
    ({"room": "all", "data": ["a", "b"]}, ["all"], b',"a","b"'),
    ({"room": ["job:j1", "all", "job:j1"]}, ["job:j1", "all"], b',{"n":1}'),
    ({"data": [None]}, ["job:j1"], b""),
    ({"data": []}, ["job:j1"], b""),
    ({"data": [None, None]}, ["job:j1"], b",null,null"),
    ({"data": [{"_placeholder": True, "num": 0}]}, ["job:j1"], b',{"_placeholder":true,"num":0}'),
]


@pytest.mark.parametrize(("changes", "channels", "arguments"), TAKEN)
def test_an_emit_to_a_channel_is_taken(
    changes: dict[str, Any], channels: list[str], arguments: bytes
) -> None:
    found = parse_emission(message(**changes), at_most=LIMIT)
    assert list(found.channels) == channels
    assert found.name == b'"moved"'
    assert found.arguments == arguments
    assert not found.skipped


@pytest.mark.parametrize(("given", "skipped"), [("s1", ["s1"]), (["s1", "s2"], ["s1", "s2"])])
def test_connections_may_be_skipped(given: object, skipped: list[str]) -> None:
    assert list(parse_emission(message(skip_sid=given), at_most=LIMIT).skipped) == skipped


FORGED: list[tuple[bytes, str]] = [
    *((message(event=name), "name") for name in sorted(OWN_EVENTS)),
    *(
        (message(event=n), "name")
        for n in ("connect", "disconnect", "connect_error", "", "x" * 200)
    ),
    *(
        (message(method=m), "control")
        for m in ("disconnect", "enter_room", "leave_room", "close_room", "callback", "", "emit ")
    ),
    *(
        (message(room=room), "room")
        for room in (None, "", [], "lobby", "job:", "job:ü", "sid123", ["all", "lobby"])
    ),
    (message(room=[f"job:{n}" for n in range(CHANNELS_AT_MOST + 1)]), "room"),
    (message(namespace="/admin"), "namespace"),
    (message(callback=["job:j1", "/", 1]), "callback"),
    (message(binary=True), "binary"),
    (message(data=["x" * LIMIT]), "oversize"),
    (message(data={"n": 1}), "malformed"),
    (message(event=1), "malformed"),
    (message(room=1), "malformed"),
    (message(data=[float("nan")]), "malformed"),
    (message(data=["\ud800"]), "malformed"),
    (message().replace(b"moved", b"\xff"), "malformed"),
    (b'{"method":"emit","event":"x","room":"all","data":' + b"[" * 400, "malformed"),
    (b"", "malformed"),
    (b"[]", "malformed"),
    (b"null", "malformed"),
    (pickle.dumps({"method": "emit", "event": "x", "data": [1], "room": "all"}), "pickle"),
    (pickle.dumps({"method": "emit"}, protocol=0), "malformed"),
]


@pytest.mark.parametrize(("raw", "reason"), FORGED)
def test_anything_else_is_not(raw: bytes, reason: str) -> None:
    with pytest.raises(NotTaken) as caught:
        parse_emission(raw, at_most=LIMIT)
    assert caught.value.reason == reason


def test_nesting_without_end_is_malformed() -> None:
    raw = b'{"method":"emit","event":"x","room":"all","data":' + b"[" * 9000 + b"]" * 9000 + b"}"
    with pytest.raises(NotTaken, match="malformed"):
        parse_emission(raw, at_most=1 << 20)
