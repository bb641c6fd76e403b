"""The recorder sees what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from yarl import URL

from hub.gateways.contract import examples
from tests.support import protocol

EVENT = examples.EVENTS["JOB_STATUS_CHANGED"]
OK = {"ok": True, "data": {}}
EVENTS, MARK, UNREAD = (
    "/v1/jobs/j1/events",
    "/v1/notifications/mark",
    "/v1/notifications/unread-count",
)


def refusal(code: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": "m", "retry": False}}


def http(method: str, path: str, status: int = 200) -> Any:
    """An answer of a hub."""
    url = URL(f"http://hub{path}")
    return SimpleNamespace(
        method=method, url=url, status=status, ok=status < 400, content_type="application/json"
    )


@pytest.mark.parametrize(
    "record",
    [
        lambda: protocol.told("/", "event", [EVENT, "17"]),
        lambda: protocol.told("/", "build-moved", [1, 2, "17"]),
        lambda: protocol.told("/admin", "tail", [examples.TAIL]),
        lambda: protocol.streamed("websocket", EVENT),
        lambda: protocol.streamed("sse", examples.END, "end"),
        lambda: protocol.connected("/", {"token": "t"}, examples.CONNECTED),
        lambda: protocol.connected("/admin", {"token": "t"}, examples.CONNECTED),
        lambda: protocol.refused("/", examples.CONNECT_ERRORS[0]),
        lambda: protocol.answered("/", "unsubscribe", {"channel": "all"}, OK),
        lambda: protocol.answered("/", "unsubscribe", {"chanel": 1}, refusal("INVALID_REQUEST")),
        lambda: protocol.answered("/", "sing", None, refusal("UNKNOWN_COMMAND")),
        lambda: protocol.served(http("GET", UNREAD), {"count": 1, "version": 2}),
        lambda: protocol.asked(http("POST", MARK), {"ids": "all", "as": "READ"}),
        lambda: protocol.asked(http("POST", MARK, 400), {"ids": "none"}),
        lambda: protocol.asked(http("GET", f"{EVENTS}?type=JOB_FAILED&type=JOB_COMPLETED"), None),
        lambda: protocol.asked(http("GET", f"{EVENTS}?limit=1000"), None),
        lambda: protocol.asked(http("GET", "/v1/jobs/j1/progress?ticket=t", 101), None),
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
        lambda: protocol.connected("/", None, {}),
        lambda: protocol.connected("/", {"channels": 1}, examples.CONNECTED),
        lambda: protocol.refused("/", {"message": "NO", "data": {}}),
        lambda: protocol.answered("/", "unsubscribe", {"channel": "all"}, {"ok": True}),
        lambda: protocol.answered("/", "unsubscribe", {"chanel": 1}, OK),
        lambda: protocol.answered("/", "unsubscribe", {"channel": "all"}, refusal("BANNED")),
        lambda: protocol.answered("/", "sing", None, OK),
        lambda: protocol.served(http("GET", UNREAD), {"count": 1}),
        lambda: protocol.served(http("GET", UNREAD, 418), {}),
        lambda: protocol.asked(http("POST", MARK), {"ids": "none", "as": "READ"}),
        lambda: protocol.asked(http("POST", MARK), None),
        lambda: protocol.asked(http("GET", UNREAD), {}),
        lambda: protocol.asked(http("GET", f"{EVENTS}?limit=1001"), None),
        lambda: protocol.asked(http("GET", f"{EVENTS}?limit=1&limit=1"), None),
        lambda: protocol.asked(http("GET", f"{EVENTS}?ticket=t"), None),
    ],
)
def test_what_does_not_fit_is(record: Callable[[], None]) -> None:
    record()
    assert len(protocol.take()) == 1
