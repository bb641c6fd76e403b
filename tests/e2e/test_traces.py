"""Where is my message: traces and tails, asked by an administrator on another node."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from config.settings import Settings
from hub.broker.keys import TAILS, Keys
from hub.domain import ids
from hub.embedded import MongoServer, RedisServer
from hub.services.admin.tails import AT_MOST
from tests.support.duo import Duo, duo
from tests.support.outages import Way, away
from tests.support.sioline import line
from tests.support.system import running_system
from tests.support.wait import eventually
from workers import Publisher

SOCKET = {"sid", "userId", "door", "writtenAt"}


@pytest.fixture
async def pair(
    settings: Settings, redis_server: RedisServer, mongo_server: MongoServer, share: str
) -> AsyncIterator[Duo]:
    env = {"HUB_TRACE_SAMPLE": share}
    async with (
        running_system(settings, redis_server, mongo_server, **env) as system,
        duo(system, **env) as running,
    ):
        yield running


async def traced(pair: Duo, event_id: str, true: Any) -> Any:
    """The trace, once ``true`` of it."""
    found: dict[str, Any] = {}

    async def complete() -> bool:
        found.clear()
        found.update(await pair.do("trace", {"eventId": event_id}))
        return bool(true(found))

    await eventually(complete)
    return found


@pytest.mark.parametrize("share", ["1"])
async def test_a_notification_is_followed_from_the_journal_to_the_eye(pair: Duo) -> None:
    async with (
        Publisher(pair.system.settings.redis_url or "") as hub,
        line(pair.url, pair.token()) as here,
        line(pair.other_url, pair.token()) as there,
    ):
        await hub.notify(users=["u1"], type="t", title="Hello", body="you")
        await here.until(lambda: here.named("event"))
        event = here.named("event")[0]
        found = await traced(pair, event["id"], lambda t: t["storedAt"] and len(t["writes"]) == 2)
        assert found["state"] == "STORED"
        assert found["channel"] == "user:u1"
        assert len(found["nodes"]) == 2
        assert {each["sid"] for each in found["writes"]} == {here.sid, there.sid}
        assert all(set(each) == SOCKET for each in found["writes"])
        assert {(each["userId"], each["door"]) for each in found["writes"]} == {("u1", "SOCKETIO")}
        path = [
            *(found["acceptedAt"], found["storedAt"]),
            min(each["routedAt"] for each in found["nodes"]),
            min(each["writtenAt"] for each in found["writes"]),
        ]
        assert path == sorted(path)
        assert found["seenAt"] is None
        note = event["data"]["id"]
        await there.command("notifications:mark", {"ids": [note], "as": "SEEN"})
        by_note = await pair.do("trace", {"notificationId": note})
        assert by_note["seenAt"] is not None
        assert by_note["readAt"] is None
        await here.command("notifications:mark", {"ids": [note], "as": "READ"})
        assert (await pair.do("trace", {"notificationId": note}))["readAt"] is not None


@pytest.mark.parametrize("share", ["0"])
async def test_a_tail_shows_a_user_only_while_it_lasts(pair: Duo) -> None:
    async with (
        Publisher(pair.system.settings.redis_url or "") as hub,
        line(pair.url, pair.token()) as watched,
        line(pair.url, pair.token("u2")) as other,
    ):

        async def notify(title: str) -> Any:
            before = len(watched.named("event"))
            await hub.notify(users=["u1", "u2"], type="t", title=title, body="b")
            await watched.until(lambda: len(watched.named("event")) > before)
            return watched.named("event")[-1]

        unseen = await notify("before")
        assert await pair.do("tail", {"userId": "u1"}) == {"channel": "user:u1"}
        seen = await notify("watched")

        def steps() -> set[str]:
            return {each["step"] for each in pair.admin.named("tail")}

        await pair.admin.until(lambda: steps() >= {"ROUTED", "WRITTEN"})
        for each in pair.admin.named("tail"):
            assert (each["id"], each["channel"]) == (seen["id"], "user:u1")
            assert each["type"] == "NOTIFICATION_CREATED"
        writes = [each for each in pair.admin.named("tail") if each["step"] == "WRITTEN"]
        assert [each["sid"] for each in writes] == [watched.sid]
        assert (await pair.do("trace", {"eventId": seen["id"]}))["writes"]
        nothing = await pair.do("trace", {"eventId": unseen["id"]})
        assert (nothing["state"], nothing["writes"]) == ("STORED", [])
        (of_other,) = [e for e in other.named("event") if e["data"]["title"] == "watched"]
        assert (await pair.do("trace", {"eventId": of_other["id"]}))["writes"] == []
        await pair.do("untail", {"userId": "u1"})
        count = len(pair.admin.named("tail"))
        await notify("after")
        await pair.do("stats")
        assert len(pair.admin.named("tail")) == count
        for payload in ({}, {"userId": "u1", "jobId": "j"}, {"userId": ""}):
            assert await pair.refused("tail", payload) == "INVALID_REQUEST"


@pytest.mark.parametrize("share", ["0"])
async def test_who_goes_while_a_tail_begins_has_none(pair: Duo) -> None:
    tokens = [pair.token(f"root{number}", roles=["admin"]) for number in range(AT_MOST + 3)]
    async with AsyncExitStack() as stack:
        gone = [
            await stack.enter_async_context(line(pair.other_url, token, namespace="/admin"))
            for token in tokens
        ]
        for each in gone:
            await each.command("untail", {"userId": "nobody"})  # nothing waits before the next
        async with away(pair.system.redis, Way.HUNG):
            for number, each in enumerate(gone):
                await each.send("tail", {"userId": f"u{number}"})
                await each.say("x" * (pair.system.settings.max_message + 1))  # ends it at once
                await each.until(lambda each=each: each.closed)

    async def all_begun() -> bool:
        return int(await redis.hlen(TAILS)) >= AT_MOST

    async def room_for_another() -> bool:
        return bool((await pair.admin.command("tail", {"userId": "another"}))["ok"])

    async with Redis.from_url(pair.system.settings.redis_url or "") as redis:
        await eventually(all_begun)
    await eventually(room_for_another)


@pytest.mark.parametrize("share", ["0"])
async def test_what_is_not_stored_is_found_where_it_waits_or_why_it_is_dead(pair: Duo) -> None:
    keys = Keys(pair.system.settings.partitions)
    dead, waiting = ids.uuid7(), ids.uuid7()
    async with Redis.from_url(pair.system.settings.redis_url or "") as redis:
        lost = {"kind": "NOTIFICATION", "id": dead.upper(), "to": {"users": []}}
        await redis.xadd(keys.journal(5), {"p": str(lost).replace("'", '"')})
        found = await traced(pair, dead, lambda t: t["state"] == "DEAD")
        assert found["dead"]["partition"] == 5
        assert "INVALID_REQUEST" in found["dead"]["reason"]
        other = {"kind": "ACTIVITY", "id": ids.uuid7(), "jobId": (job := ids.uuid7()), "x": 1}
        await redis.xadd(keys.journal(5), {"p": json.dumps(other)})
        await traced(pair, str(other["id"]), lambda t: t["state"] == "DEAD")
        assert await pair.refused("trace", {"eventId": job}) == "NOT_FOUND", "it is only named"
        await pair.system.ingest.stop()
        await redis.xadd(keys.journal(7), {"p": f'{{"id":"{waiting.upper()}"}}'})
        found = await pair.do("trace", {"eventId": waiting})
        assert (found["state"], found["partition"]) == ("WAITING", 7)
    assert await pair.refused("trace", {"eventId": ids.uuid7()}) == "NOT_FOUND"
    for payload in ({}, {"eventId": "x"}, {"eventId": dead, "notificationId": dead}):
        assert await pair.refused("trace", payload) == "INVALID_REQUEST"
