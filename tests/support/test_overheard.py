"""What other processes say of their clients is read as the packets that they were."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from hub.gateways.contract import examples
from tests.support import protocol
from tests.support.overheard import Overheard, entries, read

EVENT = examples.EVENTS["JOB_STATUS_CHANGED"]
OK = {"ok": True, "data": {}}
UNSUBSCRIBE = ["unsubscribe", {"channel": "all"}]


def heard(*packets: tuple[bool, str, Any]) -> list[str]:
    """What did not fit, of packets of one line."""
    overheard = Overheard()
    for sent, head, data in packets:
        overheard.take(1, sent, head + json.dumps(data))
    return protocol.take()


@pytest.mark.parametrize(
    "packets",
    [
        [(True, "0", {"token": "t"}), (False, "0", examples.CONNECTED)],
        [(False, "4", examples.CONNECT_ERRORS[0])],
        [(False, "2", ["event", EVENT, ""])],
        [(False, "2/admin,", ["tail", examples.TAIL])],
        [(True, "213", UNSUBSCRIBE), (False, "313", [OK])],
        [(True, "2/admin,3", ["untail"]), (False, "3/admin,3", [OK])],
        [(True, "2", ["sing"]), (False, "33", [OK])],  # nobody asked for an answer
        [(False, "51-", ["event", {"_placeholder": True}])],
    ],
)
def test_what_fits(packets: list[tuple[bool, str, Any]]) -> None:
    assert heard(*packets) == []


@pytest.mark.parametrize(
    "packets",
    [
        [(False, "0", {})],
        [(True, "0", {"channels": 1}), (False, "0", examples.CONNECTED)],
        [(False, "4", {"message": "NO"})],
        [(False, "2", ["event", EVENT | {"more": 1}, ""])],
        [(False, "2", ["event", EVENT])],
        [(False, "2/admin,", ["event", EVENT])],
        [(True, "213", UNSUBSCRIBE), (False, "313", [{"ok": True}])],
        [(True, "213", ["unsubscribe", {"chanel": 1}]), (False, "313", [OK])],
    ],
)
def test_what_does_not(packets: list[tuple[bool, str, Any]]) -> None:
    assert len(heard(*packets)) == 1


async def test_what_is_no_packet_is_given_on_and_a_cut_line_is_nothing() -> None:
    said = asyncio.StreamReader()
    said.feed_data(b'["packet",1,false,"0{}"]\n["hello",1]\n["packet",1,fal')
    said.feed_eof()
    assert [entry async for entry in entries(said)] == [["hello", 1]]
    assert len(protocol.take()) == 1


MARK = {"ids": "all", "as": "READ"}
MARKED = {"changed": 0, "unread": {"count": 0, "version": 1}}
JSON = "application/json; charset=utf-8"


def answered(asked: Any, status: int, said: Any) -> str:
    """A line about an answer to a mark."""
    url = "http://a/v1/notifications/mark"
    return json.dumps(["http", "POST", url, json.dumps(asked), status, JSON, json.dumps(said)])


@pytest.mark.parametrize(
    ("line", "misfits"),
    [
        (answered(MARK, 200, MARKED), 0),
        (answered(MARK | {"more": 1}, 200, MARKED), 1),
        (answered(MARK, 200, MARKED | {"more": 1}), 1),
        (answered(MARK, 418, {}), 1),
        (json.dumps(["raw", json.dumps(EVENT)]), 0),
        (json.dumps(["raw", json.dumps(EVENT | {"more": 1})]), 1),
    ],
)
def test_http_and_raw_websockets_are_held_against_the_documents(line: str, misfits: int) -> None:
    read([line])
    assert len(protocol.take()) == misfits
