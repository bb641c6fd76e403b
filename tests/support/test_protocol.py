"""The recorder sees what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.gateways.contract import examples
from tests.support import protocol

EVENT = examples.EVENTS["JOB_STATUS_CHANGED"]
OK = {"ok": True, "data": {}}


def refusal(code: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": "m", "retry": False}}


@pytest.mark.parametrize(
    "record",
    [
        lambda: protocol.told("/", "event", [EVENT, "17"]),
        lambda: protocol.told("/", "build-moved", [1, 2, "17"]),
        lambda: protocol.told("/admin", "tail", [examples.TAIL]),
        lambda: protocol.streamed("websocket", EVENT),
        lambda: protocol.streamed("sse", examples.END, "end"),
        lambda: protocol.connected("/", examples.CONNECTED),
        lambda: protocol.refused("/", examples.CONNECT_ERROR),
        lambda: protocol.answered("/", "unsubscribe", {"channel": "all"}, OK),
        lambda: protocol.answered("/", "unsubscribe", {"chanel": 1}, refusal("INVALID_REQUEST")),
        lambda: protocol.answered("/", "sing", None, refusal("UNKNOWN_COMMAND")),
    ],
)
def test_what_fits_is_not_noted(record: Callable[[], None]) -> None:
    record()
    assert protocol.take() == []


@pytest.mark.parametrize(
    "record",
    [
        lambda: protocol.told("/", "event", [EVENT | {"more": 1}, "17"]),
        lambda: protocol.told("/", "event", [EVENT | {"type": "JOB_FAILED"}, "17"]),
        lambda: protocol.told("/", "event", [EVENT]),
        lambda: protocol.told("/", "hello", [examples.HELLO | {"unread": 3}, ""]),
        lambda: protocol.told("/admin", "hello", [examples.HELLO]),
        lambda: protocol.streamed("websocket", examples.END),
        lambda: protocol.streamed("sse", EVENT, "JOB_FAILED"),
        lambda: protocol.connected("/", {}),
        lambda: protocol.refused("/", {"message": "NO", "data": {}}),
        lambda: protocol.answered("/", "unsubscribe", {"channel": "all"}, {"ok": True}),
        lambda: protocol.answered("/", "unsubscribe", {"chanel": 1}, OK),
        lambda: protocol.answered("/", "unsubscribe", {"channel": "all"}, refusal("BANNED")),
        lambda: protocol.answered("/", "sing", None, OK),
    ],
)
def test_what_does_not_fit_is(record: Callable[[], None]) -> None:
    record()
    assert len(protocol.take()) == 1
