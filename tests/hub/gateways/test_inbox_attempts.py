"""What somebody may try on another's inbox, and gets nothing by: whichever id, cursor, filter,
field or path, over Socket.IO and HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from config.settings import Settings
from hub.domain.ids import derived_id
from tests.hub.gateways.inboxes import House, running_house

STATES = ("SEEN", "READ", "UNREAD", "DISMISSED", "RESTORED")
NOTHING = "NOTHING"  # ok, and nothing was changed or listed


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with running_house(settings) as running:
        yield running


def forged(own: str, at: str = "99999999999999") -> str:
    """A cursor of one's own making, for a place that is not one's own."""
    return f"{at}.{own}"


def marks(mine: str, closed: str, copied: str) -> list[tuple[Any, str]]:
    """Bodies of a mark, and what each comes to."""
    theirs = [mine, closed, copied]
    rows: list[tuple[Any, str]] = [({"ids": theirs, "as": as_}, NOTHING) for as_ in STATES]
    rows += [({"ids": "all", "as": as_}, NOTHING) for as_ in STATES]
    rows += [({"ids": "all", "as": "READ", "upTo": each}, "INVALID_REQUEST") for each in theirs]
    rows += [
        ({"ids": [f"victim/{mine}"], "as": "READ"}, "INVALID_REQUEST"),
        ({"ids": [mine.upper()], "as": "READ"}, "INVALID_REQUEST"),
        ({"ids": [{"$ne": ""}], "as": "READ"}, "INVALID_REQUEST"),
        ({"ids": {"$exists": True}, "as": "READ"}, "INVALID_REQUEST"),
        ({"ids": [mine], "as": {"$ne": ""}}, "INVALID_REQUEST"),
        ({"ids": "all", "as": "READ", "upTo": {"$gt": ""}}, "INVALID_REQUEST"),
        ({"ids": "all", "as": "READ", "userId": "victim"}, "INVALID_REQUEST"),
        ({"ids": [mine], "as": "READ", "recipient": "victim"}, "INVALID_REQUEST"),
        ({"ids": [mine], "as": "READ", "sub": "victim"}, "INVALID_REQUEST"),
        ({"ids": [mine], "as": "READ", "everything": {}}, "INVALID_REQUEST"),
        ({"ids": [mine], "as": "READ", "$where": "1"}, "INVALID_REQUEST"),
    ]
    return rows


def lists(cursor: str, mine: str) -> list[tuple[dict[str, Any], str]]:
    """Payloads of a list, and what each comes to."""
    rows: list[tuple[dict[str, Any], str]] = []
    for filter_ in ("UNREAD", "ALL", "DISMISSED"):
        rows += [
            ({"filter": filter_}, NOTHING),
            ({"filter": filter_, "type": "secret"}, NOTHING),
            ({"filter": filter_, "cursor": cursor}, NOTHING),
            ({"filter": filter_, "cursor": forged(mine)}, NOTHING),
        ]
    rows += [
        ({"cursor": forged("victim")}, "INVALID_REQUEST"),
        ({"cursor": forged(f"victim/{mine}")}, "INVALID_REQUEST"),
        ({"cursor": forged(mine, "1e9")}, "INVALID_REQUEST"),
        ({"cursor": cursor[:-2]}, "INVALID_REQUEST"),
        ({"cursor": cursor + "=="}, "INVALID_REQUEST"),
        ({"cursor": "victim"}, "INVALID_REQUEST"),
        ({"filter": "$all"}, "INVALID_REQUEST"),
        ({"type": "$ne"}, "INVALID_REQUEST"),
        ({"userId": "victim"}, "INVALID_REQUEST"),
        ({"recipient": "victim"}, "INVALID_REQUEST"),
        ({"scope": "USER"}, "INVALID_REQUEST"),
    ]
    return rows


COMMANDS_ONLY: list[dict[str, Any]] = [
    {"filter": {"$ne": "x"}},
    {"type": {"$gt": ""}},
    {"cursor": {"$gt": ""}},
    {"limit": {"$gt": 0}},
    {"user": {"$exists": True}},
]

REQUESTS: list[tuple[str, str, Any, tuple[int, ...]]] = [
    ("GET", "/v1/notifications/unread-count?userId=victim", None, (400,)),
    ("GET", "/v1/notifications?filter[$ne]=x", None, (400,)),
    ("GET", "/v1/notifications?type[$ne]=x", None, (400,)),
    ("GET", "/v1/preferences?userId=victim", None, (400,)),
    ("PUT", "/v1/preferences", {"mutedTypes": ["secret"], "userId": "victim"}, (400,)),
    ("PUT", "/v1/preferences", {"mutedTypes": {"$set": []}}, (400,)),
    ("PUT", "/v1/topics/closed/subscribers/victim", None, (403,)),
    ("DELETE", "/v1/topics/closed/subscribers/victim", None, (403,)),
    ("DELETE", "/v1/topics/closed/subscribers/%7B%22$ne%22:1%7D", None, (404,)),
    ("DELETE", "/v1/topics/closed/subscribers/thief%2F..%2Fvictim", None, (400, 404)),
    ("POST", "/v1/publish", {"items": []}, (403,)),
]


async def test_nobody_gets_at_the_inbox_of_another(house: House) -> None:
    victim, thief = await house.device("victim"), await house.device("thief", at=1)
    assert (await house.ask("PUT", "/v1/topics/closed/subscribers/victim", user="victim"))[0] == 204
    first = await house.tell("someone", "victim", type="secret", title="copy")
    mine = await house.tell("victim", type="secret", title="own")
    closed = await house.tell(topic="closed", type="secret", title="closed")
    await victim.until(lambda: len(victim.of("NOTIFICATION_CREATED")) == 3)
    copied = derived_id(first, "user:victim")
    before = (await house.ask("GET", "/v1/notifications", user="victim"))[1]
    assert {each["id"] for each in before["items"]} == {copied, mine, closed}
    cursor = (await house.ask("GET", "/v1/notifications?limit=1", user="victim"))[1]["nextCursor"]

    for body, outcome in marks(mine, closed, copied):
        answer = await thief.line.command("notifications:mark", body)
        status, document = await house.ask(
            "POST", "/v1/notifications/mark", body, user="thief", at=1
        )
        if outcome == NOTHING:
            assert answer["ok"], (body, answer)
            assert status == 200
            for each in (answer["data"], document):
                assert (each["changed"], each["unread"]["count"]) == (0, 0), body
        else:
            assert answer["error"]["code"] == document["errorCode"] == outcome, (body, answer)

    for wanted, outcome in lists(cursor, mine):
        answer = await thief.line.command("notifications:list", wanted)
        query = "&".join(f"{name}={value}" for name, value in wanted.items())
        status, document = await house.ask("GET", f"/v1/notifications?{query}", user="thief")
        if outcome == NOTHING:
            for each in (answer["data"], document):
                assert (each["items"], each["nextCursor"]) == ([], None), wanted
                assert each["unread"]["count"] == 0
        else:
            assert answer["error"]["code"] == document["errorCode"] == outcome, (wanted, document)
    for payload in COMMANDS_ONLY:
        answer = await thief.line.command("notifications:list", payload)
        assert answer["error"]["code"] == "INVALID_REQUEST", payload
    for method, path, body, statuses in REQUESTS:
        status, document = await house.ask(method, path, body, user="thief")
        assert status in statuses, (path, status, document)
    refused = await thief.line.command("subscribe", {"channel": "user:victim", "offset": 0})
    assert refused["error"]["code"] == "INSUFFICIENT_PERMISSIONS"

    assert (await house.ask("GET", "/v1/notifications", user="victim"))[1] == before
    assert thief.of("NOTIFICATION_CREATED") == thief.of("NOTIFICATIONS_CHANGED") == []
    assert "secret" not in json.dumps([each for each in thief.line.log if each[0] != "ack"])
    assert [each["state"] for each in victim.of("NOTIFICATIONS_CHANGED")] == ["SUBSCRIPTIONS"]
