"""The inbox as its users see it: several devices, two nodes, Socket.IO and HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.settings import Settings
from hub.domain.ids import uuid7
from tests.hub.gateways.inboxes import House, running_house
from tests.support import protocol


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with running_house(settings) as running:
        yield running


async def test_all_devices_know_the_same(house: House) -> None:
    phone, desk = await house.device(), await house.device(at=1)
    assert phone.line.hello["unread"] == {"count": 0, "version": phone.unread["version"]}
    sent = [await house.tell("u1", title=str(number)) for number in range(4)]
    for device in (phone, desk):
        await device.until(lambda: len(device.of("NOTIFICATION_CREATED")) == 4)  # noqa: B023
        told = [each["unread"] for each in device.of("NOTIFICATION_CREATED")]
        assert [each["count"] for each in told] == [1, 2, 3, 4]
        versions = [each["version"] for each in told]
        assert versions == sorted(set(versions))

    marked = await phone.mark(sent[:2], "READ")
    assert (marked["changed"], marked["unread"]["count"]) == (2, 2)
    await desk.until(lambda: desk.of("NOTIFICATIONS_CHANGED"))
    assert desk.of("NOTIFICATIONS_CHANGED") == [
        {"ids": sent[:2], "state": "READ", "unread": marked["unread"]}
    ]
    again = await desk.mark(sent[:2], "READ")
    assert again == {"changed": 0, "unread": marked["unread"]}

    await desk.mark([sent[3]], "DISMISSED")
    assert (await phone.list(filter="DISMISSED"))["items"][0]["id"] == sent[3]
    await phone.mark("all", "SEEN")
    listed = await desk.list()
    assert [each["id"] for each in listed["items"]] == sent[2::-1]
    assert all(each["seenAt"] for each in listed["items"])
    assert [each["id"] for each in (await desk.list(filter="UNREAD"))["items"]] == [sent[2]]
    await phone.mark([sent[3]], "RESTORED")
    await phone.mark([sent[0]], "UNREAD")
    for device in (phone, desk):
        await device.counts(3)
    await desk.mark("all", "READ", upTo=sent[1])
    for device in (phone, desk):
        await device.counts(2)
    await phone.mark("all", "READ")
    for device in (phone, desk):
        await device.counts(0)
    await phone.until(lambda: len(phone.of("NOTIFICATIONS_CHANGED")) == 7)
    assert phone.of("NOTIFICATIONS_CHANGED")[-2:] == [
        {"all": True, "upTo": sent[1], "state": "READ", "unread": desk.acks[-1]["unread"]},
        {"all": True, "state": "READ", "unread": phone.acks[-1]["unread"]},
    ]
    assert desk.unread == phone.unread
    assert (await house.ask("GET", "/v1/notifications/unread-count"))[1] == phone.unread


async def test_what_is_marked_last_thing_before_leaving_is_marked(house: House) -> None:
    phone, desk = await house.device(), await house.device(at=1)
    sent = [await house.tell("u1", title=str(number)) for number in range(6)]
    for device in (phone, desk):
        await device.until(lambda: len(device.of("NOTIFICATION_CREATED")) == 6)  # noqa: B023
    for each in sent[:5]:
        await phone.line.send("notifications:mark", {"ids": [each], "as": "READ"})
    phone.line.hang_up()
    await desk.counts(1)
    listed = await desk.list(filter="UNREAD")
    assert [each["id"] for each in listed["items"]] == [sent[5]]


async def test_devices_that_act_at_once_converge(house: House) -> None:
    devices = [await house.device(at=number % 2) for number in range(4)]
    sent = [await house.tell("u1", title=str(number)) for number in range(6)]
    await devices[0].until(lambda: len(devices[0].of("NOTIFICATION_CREATED")) == 6)
    asked = []
    for number, device in enumerate(devices):
        several = ("READ", "UNREAD", "DISMISSED", "RESTORED", "SEEN", "READ")
        asked += [device.mark(sent[number % 3 :: 2], as_) for as_ in several]
        asked.append(device.mark("all", "READ" if number % 2 else "SEEN"))
    await asyncio.gather(*asked)
    await house.tell("u1", title="last")  # is processed behind all of these
    for device in devices:
        await device.until(lambda: device.of("NOTIFICATION_CREATED")[-1]["title"] == "last")  # noqa: B023
    _, unread = await house.ask("GET", "/v1/notifications/unread-count", at=1)
    assert [device.unread for device in devices] == [unread] * 4
    _, listed = await house.ask("GET", "/v1/notifications?filter=UNREAD")
    assert len(listed["items"]) == unread["count"]
    assert listed["unread"] == unread


async def test_announcements_are_for_those_who_were_there(house: House) -> None:
    before = await house.tell(everyone=True, title="before")
    witness = await house.device("w")
    while not (await witness.line.command("subscribe", {"channel": "all", "offset": 0}))["data"][
        "events"
    ]:
        pass
    old = await house.device("old")
    assert (await house.ask("PUT", "/v1/topics/news/subscribers/old", user="old"))[0] == 204
    await old.until(lambda: old.of("NOTIFICATIONS_CHANGED"))
    again = await house.device("old", at=1)
    assert [each["channel"] for each in again.line.hello["channels"]] == [
        "user:old",
        "all",
        "topic:news",
    ]
    to_all = await house.tell(everyone=True, title="to all")
    to_news = await house.tell(topic="news", title="news", type="press.release")
    own = await house.tell("old", title="own")
    await again.until(lambda: len(again.of("NOTIFICATION_CREATED")) == 3)
    scopes = {each["id"]: each["scope"] for each in again.of("NOTIFICATION_CREATED")}
    assert scopes == {to_all: "ALL", to_news: "TOPIC", own: "USER"}
    assert [each["id"] for each in again.of("NOTIFICATION_CREATED") if "unread" in each] == [own]

    listed = await old.list()
    assert {each["id"] for each in listed["items"]} == {to_all, to_news, own}
    assert listed["unread"]["count"] == 3
    assert before not in {each["id"] for each in listed["items"]}
    assert [each["id"] for each in (await old.list(type="press.release"))["items"]] == [to_news]
    assert (await old.mark([to_all], "READ"))["unread"]["count"] == 2
    assert (await old.mark([before], "READ"))["changed"] == 0
    await again.counts(2)
    assert (await old.mark("all", "READ"))["changed"] == 2
    await again.counts(0)
    newcomer = await house.device("newcomer")
    assert newcomer.unread["count"] == 0
    assert (await newcomer.list())["items"] == []
    assert (await house.ask("DELETE", "/v1/topics/news/subscribers/old", user="old"))[0] == 204
    assert len((await old.list())["items"]) == 3, "what was touched stays"


async def test_what_came_while_away_follows_hello(house: House) -> None:
    phone = await house.device()
    first = await house.tell("u1", title="first")
    await phone.until(lambda: phone.of("NOTIFICATION_CREATED"))
    event = phone.events[0]
    position = {"epoch": event["epoch"], "offset": event["offset"]}
    phone.line.cut()
    desk = await house.device(at=1)
    second = await house.tell("u1", title="second")
    await desk.until(lambda: desk.of("NOTIFICATION_CREATED"))
    await desk.mark([first], "READ")

    back = await house.device(at=1, channels={"user:u1": position})
    await back.until(lambda: back.of("NOTIFICATIONS_CHANGED"))
    assert [each["type"] for each in back.events] == [
        "NOTIFICATION_CREATED",
        "NOTIFICATIONS_CHANGED",
    ]
    assert back.unread == desk.unread
    assert back.unread["count"] == 1

    lost = await house.device(channels={"user:u1": {"epoch": "unknown", "offset": 1}})
    await lost.until(lambda: lost.line.named("reset"))
    snapshot = lost.line.named("reset")[0]["snapshot"]
    assert [each["id"] for each in snapshot["items"]] == [second, first]
    assert snapshot["unread"] == lost.line.hello["unread"] == back.unread


async def test_ids_are_taken_however_they_are_spelled(house: House) -> None:
    phone = await house.device()
    first, second = await house.tell("u1"), await house.tell("u1")
    await phone.counts(2)
    assert (await phone.mark([first.upper(), first], "READ"))["changed"] == 1
    assert (await phone.mark("all", "READ", upTo=second.upper()))["changed"] == 1
    await phone.until(lambda: len(phone.of("NOTIFICATIONS_CHANGED")) == 2)
    one, all_ = phone.of("NOTIFICATIONS_CHANGED")
    assert (one["ids"], all_["upTo"]) == ([first], second)
    protocol.take()  # the documents have the canonical form alone


async def test_pages_stay_as_they_are_while_new_ones_come(house: House) -> None:
    await house.device()
    sent = [
        await (house.tell(everyone=True) if number % 3 == 0 else house.tell("u1"))
        for number in range(12)
    ]
    await settled(house, 12)
    seen: list[str] = []
    more = ""
    while True:
        path = f"/v1/notifications?limit=5{more}"
        status, page = await house.ask("GET", path, at=len(seen) % 2)
        assert status == 200
        seen += [each["id"] for each in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
        more = f"&cursor={cursor}"
        await house.tell("u1", title="new")
        await house.ask("POST", "/v1/notifications/mark", {"ids": seen[-1:], "as": "READ"})
    assert sorted(seen) == sorted(sent)
    stamps = {each["id"]: each["createdAt"] for each in (await everything(house))}
    assert [stamps[each] for each in seen] == sorted((stamps[each] for each in seen), reverse=True)


async def settled(house: House, count: int, user: str = "u1") -> None:
    """Returns once this many are unread."""
    path = "/v1/notifications/unread-count"
    while (await house.ask("GET", path, user=user))[1]["count"] != count:
        pass


async def everything(house: House) -> list[dict[str, Any]]:
    _, page = await house.ask("GET", "/v1/notifications?limit=100")
    items: list[dict[str, Any]] = page["items"]
    return items


async def test_a_repeat_with_the_same_key_updates_the_unread_one(house: House) -> None:
    phone = await house.device()
    first = await house.tell("u1", title="1 comment", dedupe_key="comments")
    await phone.until(lambda: len(phone.of("NOTIFICATION_CREATED")) == 1)
    second = await house.tell("u1", title="2 comments", dedupe_key="comments")
    await phone.until(lambda: len(phone.of("NOTIFICATION_CREATED")) == 2)
    one, two = phone.of("NOTIFICATION_CREATED")
    assert (one["id"], two["id"], two["title"]) == (first, first, "2 comments")
    assert (one.get("updated"), two["updated"]) == (None, True)
    assert (one["unread"]["count"], two["unread"]["count"]) == (1, 1)
    assert [each["title"] for each in (await phone.list())["items"]] == ["2 comments"]
    await phone.mark([first], "READ")
    third = await house.tell("u1", title="3 comments", dedupe_key="comments")
    await phone.until(lambda: len(phone.of("NOTIFICATION_CREATED")) == 3)
    assert phone.of("NOTIFICATION_CREATED")[2]["id"] == third
    assert phone.unread["count"] == 1
    assert second not in {each["id"] for each in (await phone.list())["items"]}


async def test_what_has_expired_is_not_unread(house: House) -> None:
    phone = await house.device()
    kept = await house.tell("u1", title="kept")
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    await house.tell("u1", title="own", expires_at=soon)
    await house.tell(everyone=True, title="to all", expires_at=soon)
    await phone.until(lambda: len(phone.of("NOTIFICATION_CREATED")) == 3)
    versions = [phone.unread["version"]]
    await settled(house, 1)
    _, unread = await house.ask("GET", "/v1/notifications/unread-count")
    assert unread["version"] > versions[0]
    assert [each["id"] for each in await everything(house)] == [kept]
    created = {each["title"]: each for each in phone.of("NOTIFICATION_CREATED")}
    assert "expiresAt" in created["own"]
    assert "expiresAt" not in created["kept"]


async def test_muted_ones_are_nothing_to_read(house: House) -> None:
    phone, desk = await house.device(), await house.device(at=1)
    wanted = {"mutedTypes": ["chatter"], "mutedTopics": ["noise"]}
    assert (await house.ask("GET", "/v1/preferences"))[1] == {"mutedTypes": [], "mutedTopics": []}
    assert await house.ask("PUT", "/v1/preferences", wanted) == (200, wanted)
    assert (await house.ask("GET", "/v1/preferences", at=1))[1] == wanted
    for topic in ("noise", "news"):
        await house.ask("PUT", f"/v1/topics/{topic}/subscribers/u1")
    await desk.until(lambda: len(desk.of("NOTIFICATIONS_CHANGED")) == 3)
    states = [each["state"] for each in desk.of("NOTIFICATIONS_CHANGED")]
    assert states == ["PREFERENCES", "SUBSCRIPTIONS", "SUBSCRIPTIONS"]

    await house.tell("u1", type="chatter", severity="ERROR")
    await house.tell(everyone=True, type="chatter")
    hidden = await house.tell(topic="noise")
    shown = await house.tell(topic="news")
    by_admin = {
        "id": uuid7(),
        "kind": "NOTIFICATION",
        "to": {"users": ["u1"]},
        "type": "chatter",
        "title": "t",
        "body": "b",
        "severity": "ERROR",
    }
    roles = ("service", "admin")
    assert (await house.ask("POST", "/v1/publish", {"items": [by_admin]}, roles=roles))[0] == 202
    to_all = {**by_admin, "id": uuid7(), "to": "all"}
    assert (await house.ask("POST", "/v1/publish", {"items": [to_all]}, roles=roles))[0] == 202
    await settled(house, 3)
    assert {each["id"] for each in await everything(house)} == {
        shown,
        by_admin["id"],
        to_all["id"],
    }

    def own() -> list[str]:
        told = phone.of("NOTIFICATION_CREATED")
        return [each["id"] for each in told if each["scope"] == "USER"]

    await phone.until(own)  # it is stored before it is told; the muted one would have come first
    assert own() == [by_admin["id"]]
    await house.ask("PUT", "/v1/preferences", {})
    await settled(house, 5)
    assert hidden in {each["id"] for each in await everything(house)}
    await phone.counts(5)


async def test_nobody_reads_or_marks_what_is_not_theirs(house: House) -> None:
    phone, other = await house.device(), await house.device("u2", at=1)
    mine = await house.tell("u1", title="mine")
    await house.ask("PUT", "/v1/topics/closed/subscribers/u1")
    closed = await house.tell(topic="closed", title="closed")
    await settled(house, 2)
    for as_ in ("READ", "SEEN", "DISMISSED", "UNREAD", "RESTORED"):
        assert (await other.mark([mine, closed], as_))["changed"] == 0
        assert (await other.mark("all", as_))["changed"] == 0
        body = {"ids": [mine, closed], "as": as_}
        assert (await house.ask("POST", "/v1/notifications/mark", body, user="u2"))[1][
            "changed"
        ] == 0
    answer = await other.line.command(
        "notifications:mark", {"ids": "all", "as": "READ", "upTo": mine}
    )
    assert answer["error"]["code"] == "INVALID_REQUEST"
    _, page = await house.ask("GET", "/v1/notifications?limit=1")
    cursor = page["nextCursor"]
    for filter_ in ("UNREAD", "ALL", "DISMISSED"):
        assert (await other.list(filter=filter_))["items"] == []
        assert (await other.list(filter=filter_, cursor=cursor))["items"] == []
    for method in ("PUT", "DELETE"):
        path = "/v1/topics/closed/subscribers/u1"
        status, problem = await house.ask(method, path, user="u2")
        assert (status, problem["errorCode"]) == (403, "INSUFFICIENT_PERMISSIONS")
        for role in ("service", "admin"):
            assert (await house.ask(method, path, user="u2", roles=(role,)))[0] == 204
    assert other.of("NOTIFICATION_CREATED") == []
    assert all(each["state"] not in ("READ", "SEEN") for each in phone.of("NOTIFICATIONS_CHANGED"))


BAD_COMMANDS: list[tuple[str, Any]] = [
    ("notifications:list", {"filter": "NEW"}),
    ("notifications:list", {"filter": "unread"}),
    ("notifications:list", {"limit": 0}),
    ("notifications:list", {"limit": 101}),
    ("notifications:list", {"limit": "5"}),
    ("notifications:list", {"type": ""}),
    ("notifications:list", {"type": 7}),
    ("notifications:list", {"cursor": "nope"}),
    ("notifications:list", {"cursor": "x" * 500}),
    ("notifications:list", {"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5L2E"}),
    ("notifications:list", {"userId": "u2"}),
    ("notifications:list", []),
    ("notifications:mark", {}),
    ("notifications:mark", None),
    ("notifications:mark", {"ids": "all"}),
    ("notifications:mark", {"ids": "some", "as": "READ"}),
    ("notifications:mark", {"ids": ["x"], "as": "READ"}),
    ("notifications:mark", {"ids": [7], "as": "READ"}),
    ("notifications:mark", {"ids": [uuid7() for _ in range(501)], "as": "READ"}),
    ("notifications:mark", {"ids": [], "as": "GONE"}),
    ("notifications:mark", {"ids": [], "as": "READ", "more": 1}),
    ("notifications:mark", {"ids": [uuid7()], "as": "READ", "upTo": uuid7()}),
    ("notifications:mark", {"ids": "all", "as": "READ", "upTo": uuid7()}),
    ("notifications:mark", {"ids": "all", "as": "READ", "upTo": "x"}),
]

BAD_REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "/v1/notifications?limit=0", None),
    ("GET", "/v1/notifications?limit=ten", None),
    ("GET", "/v1/notifications?limit=1.0", None),
    ("GET", "/v1/notifications?limit=1e1", None),
    ("GET", "/v1/notifications?limit=%2B1", None),
    ("GET", "/v1/notifications?filter=NEW", None),
    ("GET", "/v1/notifications?cursor=nope", None),
    ("GET", "/v1/notifications?more=1", None),
    ("GET", "/v1/notifications?limit=1&limit=2", None),
    ("GET", "/v1/notifications/unread-count?user=u2", None),
    ("POST", "/v1/notifications/mark", {"ids": "all"}),
    ("POST", "/v1/notifications/mark", []),
    ("PUT", "/v1/preferences", {"mutedTypes": "all"}),
    ("PUT", "/v1/preferences", {"mutedTypes": ["a b"]}),
    ("PUT", "/v1/preferences", {"muted": []}),
    ("PUT", "/v1/preferences", {"mutedTopics": [str(number) for number in range(201)]}),
    ("PUT", "/v1/topics/a%20b/subscribers/u1", None),
    ("PUT", "/v1/topics/a/subscribers/u1?x=1", None),
    (
        "POST",
        "/v1/publish",
        {"items": [{"id": uuid7(), "kind": "INBOX", "userId": "u1", "state": "READ",
                    "at": "2026-01-01T00:00:00Z"}]},
    ),
    (
        "POST",
        "/v1/publish",
        {"items": [{"id": uuid7(), "kind": "NOTIFICATION", "to": "all", "type": "a", "title": "t",
                    "body": "b", "sender": "ADMIN"}]},
    ),
]  # fmt: skip


async def test_bad_input_changes_nothing(house: House) -> None:
    phone = await house.device()
    sent = await house.tell("u1")
    await phone.counts(1)
    for name, payload in BAD_COMMANDS:
        answer = await phone.line.command(name, payload)
        assert answer["ok"] is False, (name, payload)
        assert answer["error"]["code"] == "INVALID_REQUEST", (name, payload, answer)
        assert answer["error"]["details"][0]["field"]
    for method, path, body in BAD_REQUESTS:
        status, problem = await house.ask(method, path, body, roles=("user", "service"))
        assert (status, problem["errorCode"]) == (400, "INVALID_REQUEST"), (path, body, problem)
    _, listed = await house.ask("GET", "/v1/notifications")
    assert [(each["id"], each["seenAt"], each["readAt"]) for each in listed["items"]] == [
        (sent, None, None)
    ]
    assert listed["unread"] == phone.unread
