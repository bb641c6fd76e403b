"""The namespace ``/admin``: an administrator on another node than the clients."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from hub.broker.connect import open_redis
from hub.broker.control import Control
from hub.broker.keys import Keys
from hub.services.admin.orders import STEER, Steer
from tests.support.backend import backend
from tests.support.doors import Refused, address, raw, source
from tests.support.duo import Duo, duo
from tests.support.jsclient import js_client
from tests.support.nodes import signed
from tests.support.outages import Way, away
from tests.support.process import Program
from tests.support.sioline import line
from tests.support.system import System
from tests.support.wait import eventually
from workers import Publisher

JOB = "550e8400-e29b-41d4-a716-446655440000"
CHANNEL = f"job:{JOB}"
SOON = 1.0  # seconds that a kick may take (contract 9)


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


@pytest.fixture
async def pair(system: System) -> AsyncIterator[Duo]:
    async with duo(system) as running:
        yield running


@pytest.fixture
async def publisher(system: System) -> AsyncIterator[Publisher]:
    async with Publisher(system.settings.redis_url or "") as hub:
        yield hub


async def begun(pair: Duo, hub: Publisher, job_id: str = JOB) -> Any:
    """A job that the hub knows."""
    job = hub.job(job_id, project_id="p1", owner_id="u1")
    await job.start(total_scenarios=2)

    async def known() -> bool:
        items = (await pair.do("jobs"))["items"]
        return job_id in [each["jobId"] for each in items]

    await eventually(known)
    return job


async def audited(pair: Duo, count: int) -> list[tuple[str, str, str, str]]:
    """The newest entries of the audit log, oldest first, without the look at it."""
    items = (await pair.do("audit"))["items"][:count]
    assert all(each["at"].endswith("Z") for each in items)
    found = [tuple(each[key] for key in ("actor", "action", "target", "outcome")) for each in items]
    return found[::-1]


async def test_nobody_but_administrators_may_connect(pair: Duo) -> None:
    for roles in (["user"], ["service"], ["user", "service"], []):
        async with line(pair.url, pair.token(roles=roles), namespace="/admin") as other:
            assert other.refusal is not None
            assert other.refusal["code"] == "INSUFFICIENT_PERMISSIONS"
            assert other.refusal["retry"] is False
    async with line(pair.url, "nonsense", namespace="/admin") as nobody:
        assert nobody.refusal is not None
        assert nobody.refusal["code"] == "UNAUTHENTICATED"
    here = "address:127.0.0.1"
    assert await audited(pair, 5) == [
        *[("u1", "connect", here, "INSUFFICIENT_PERMISSIONS")] * 4,
        ("?", "connect", here, "UNAUTHENTICATED"),
    ]


async def test_an_administrator_goes_on_with_another_token(pair: Duo) -> None:
    expiring, lasting = (signed("root", ttl=ttl, roles=["admin"]) for ttl in (61, 3600))
    async with line(pair.url, expiring, namespace="/admin") as admin:
        await admin.until(lambda: admin.named("token-expiring"))
        for token, code in (
            (signed("u2", roles=["admin"]), "INSUFFICIENT_PERMISSIONS"),
            (signed("root"), "INSUFFICIENT_PERMISSIONS"),
            ("nonsense", "UNAUTHENTICATED"),
            (7, "INVALID_REQUEST"),
        ):
            answer = await admin.command("auth:refresh", {"token": token})
            assert answer["error"]["code"] == code
        before = admin.named("token-expiring")[0]["expiresAt"]
        answer = await admin.command("auth:refresh", {"token": lasting})
        assert answer["data"]["expiresAt"] > before
        assert (await admin.command("stats", {}))["ok"]
    items = (await pair.do("audit"))["items"]
    assert not any(lasting in str(each) or "nonsense" in str(each) for each in items)


@pytest.mark.timeout(90)
async def test_administrators_get_in_and_act_while_mongodb_is_away(pair: Duo) -> None:
    async with line(pair.url, pair.token()) as victim:
        async with away(pair.system.mongo, Way.HUNG):

            async def known() -> bool:
                """Whether users are refused at once: a node that finds out itself takes longer."""
                began = time.monotonic()
                async with line(pair.other_url, pair.token("u2")) as other:
                    return other.refusal is not None and time.monotonic() - began < SOON

            await eventually(known)
            admin = pair.token("boss", roles=["admin"])
            async with line(pair.other_url, admin, namespace="/admin") as boss:
                assert boss.refusal is None
                kicked = await boss.command("kick", {"userId": "u1"})
                assert kicked["data"] == {"connections": 1, "users": ["u1"]}
                await victim.until(lambda: victim.closed)

        async def recorded() -> bool:
            items = (await pair.do("audit"))["items"]
            return {("boss", "connect"), ("boss", "kick")} <= {
                (each["actor"], each["action"]) for each in items
            }

        await eventually(recorded, limit=30)


async def test_bad_commands_are_refused_and_recorded(pair: Duo) -> None:
    bad: list[tuple[str, Any]] = [
        ("kick", {}),
        ("kick", {"userId": "u1", "sid": "x"}),
        ("kick", {"userId": "u1", "banSeconds": 0}),
        ("kick", "u1"),
        ("connections", {"cursor": 7}),
        ("dead", {"cursor": "zzz"}),
        ("dead:replay", {"ids": ["99"]}),
        ("dead:replay", {"ids": []}),
        ("jobs", {"cursor": "x"}),
        ("audit", {"cursor": "x"}),
        ("broadcast", {"title": "t", "body": "b", "to": {"users": []}, "persist": True}),
        ("broadcast", {"title": "t", "body": "b", "to": {}, "persist": True}),
        ("broadcast", {"title": "t", "body": "b", "to": "all"}),
        ("stats", {"unknown": 1}),
    ]
    for name, payload in bad:
        assert await pair.refused(name, payload) == "INVALID_REQUEST", (name, payload)
    assert await pair.refused("nonsense", {}) == "UNKNOWN_COMMAND"
    assert await pair.refused("disconnect", {}) == "INVALID_REQUEST"
    *entries, unknown, reserved = await audited(pair, len(bad) + 2)
    assert [entry[1] for entry in entries] == [name for name, _ in bad]
    assert {(entry[0], entry[3]) for entry in entries} == {("root", "INVALID_REQUEST")}
    assert (unknown[1], unknown[3]) == ("nonsense", "UNKNOWN_COMMAND")
    assert (reserved[1], reserved[3]) == ("disconnect", "INVALID_REQUEST")
    asked = [
        each["details"]["asked"]
        for each in (await pair.do("audit"))["items"]
        if each["action"] == "kick"
    ]
    assert asked == ["", "userId=u1 banSeconds=0", "userId=u1 sid=x", ""]


async def test_what_is_no_text_is_refused_and_recorded(pair: Duo) -> None:
    half = "\ud800"  # of a surrogate pair, which JSON can escape
    bad: list[tuple[str, Any]] = [
        ("kick", {"sid": half}),
        ("kick", {"userId": "u1", "message": half}),
        ("connections", {"cursor": half}),
        ("revoke", {"jti": half}),
        ("tail", {"sid": half}),
        ("untail", {"sid": half}),
    ]
    for name, payload in bad:
        assert await pair.refused(name, payload) == "INVALID_REQUEST", (name, payload)
    entries = await audited(pair, len(bad))
    assert [(entry[1], entry[3]) for entry in entries] == [
        (name, "INVALID_REQUEST") for name, _ in bad
    ]


@pytest.mark.timeout(90)
async def test_a_kick_ends_every_connection_of_its_target_on_every_door(
    pair: Duo, publisher: Publisher, http: ClientSession
) -> None:
    await begun(pair, publisher)
    url, token = address(pair.url, JOB), pair.token()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        js = await enter(js_client(pair.url, token))
        await js.until(lambda c: c.named("hello"))
        here = await enter(line(pair.url, token))
        there = await enter(line(pair.other_url, token))
        socket = await enter(raw(http, url, token))
        stream = await enter(source(http, url, token))
        spared = await enter(line(pair.url, pair.token("u2")))
        began = time.monotonic()
        kicked = await pair.do("kick", {"userId": "u1", "message": "go home"})
        assert kicked == {"connections": 5, "users": ["u1"]}
        await asyncio.gather(
            here.until(lambda: here.closed),
            there.until(lambda: there.closed),
            js.until(lambda c: c.named("disconnect")),
        )
        assert await socket.to_the_end() == 4506
        assert socket.reason == "KICKED: go home"
        assert await stream.to_the_end() == ["closing"]
        took = time.monotonic() - began
        print(f"kick: all doors closed after {1000 * took:.0f} ms")
        assert took < SOON
        closing = {"code": "KICKED", "message": "go home", "reconnect": False}
        assert here.named("closing") == there.named("closing") == [closing]
        assert stream.events[0].data == closing
        assert js.named("closing")[0][0] == closing
        assert js.named("disconnect")[0][0] == "io server disconnect"
        assert not spared.closed

        viewer = await enter(line(pair.url, pair.token("u3")))
        assert (await viewer.command("subscribe", {"channel": CHANNEL}))["ok"]
        assert (await pair.do("kick", {"sid": spared.sid}))["users"] == ["u2"]
        await spared.until(lambda: spared.closed)
        assert (await pair.do("kick", {"jobId": JOB}))["users"] == ["u3"]
        await viewer.until(lambda: viewer.closed)
        assert (await pair.do("kick", {"userId": "nobody"}))["connections"] == 0
    assert await audited(pair, 4) == [
        ("root", "kick", "user:u1", "OK"),
        ("root", "kick", f"sid:{spared.sid}", "OK"),
        ("root", "kick", CHANNEL, "OK"),
        ("root", "kick", "user:nobody", "OK"),
    ]


async def test_who_is_banned_stays_out_and_who_is_unbanned_comes_back(
    pair: Duo, publisher: Publisher, http: ClientSession
) -> None:
    await begun(pair, publisher)
    token = pair.token()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        banned = await enter(line(pair.url, token))
        stream = await enter(source(http, address(pair.url, JOB), token))
        socket = await enter(raw(http, address(pair.url, JOB), token))
        payload = {"userId": "u1", "banSeconds": 60, "message": "not now"}
        assert (await pair.do("kick", payload))["connections"] == 3
        await banned.until(lambda: banned.closed)
        assert await socket.to_the_end() == 4507
        assert socket.reason == "BANNED retryAfter=60: not now"
        assert await stream.to_the_end() == ["closing"]
        for closing in (banned.named("closing")[0], stream.events[0].data):
            assert (closing["code"], closing["message"]) == ("BANNED", "not now")
            assert closing["reconnect"] is False
            assert 0 < closing["retryAfter"] <= 60
        for url in (pair.url, pair.other_url):
            back = await enter(line(url, token))
            assert back.refusal is not None
            assert back.refusal["code"] == "BANNED"
        with pytest.raises(Refused) as refused:
            await enter(source(http, address(pair.other_url, JOB), token))
        assert refused.value.problem["errorCode"] == "BANNED"
        await pair.do("unban", {"userId": "u1"})

        async def lets_in() -> bool:
            again = await enter(line(pair.url, token))
            return again.refusal is None

        await eventually(lets_in)

        viewer = await enter(line(pair.url, pair.token("u3")))
        assert (await viewer.command("subscribe", {"channel": CHANNEL}))["ok"]
        assert (await pair.do("kick", {"jobId": JOB, "banSeconds": 60}))["users"] == ["u3"]
        await viewer.until(lambda: viewer.closed)
        assert (await enter(line(pair.url, pair.token("u3")))).refusal is not None
    assert [entry[1:] for entry in await audited(pair, 3)] == [
        ("kick", "user:u1", "OK"),
        ("unban", "user:u1", "OK"),
        ("kick", CHANNEL, "OK"),
    ]


async def test_a_revoked_token_is_good_nowhere(pair: Duo) -> None:
    token = pair.token("u5")
    async with line(pair.url, token) as one, line(pair.other_url, token) as two:
        await pair.do("revoke", {"userId": "u5"})
        for client in (one, two):
            await client.until(lambda client=client: client.closed)
            assert client.named("closing")[0]["code"] == "UNAUTHENTICATED"
    async with line(pair.url, token) as back:
        assert back.refusal is not None
        assert back.refusal["code"] == "UNAUTHENTICATED"
    assert await pair.refused("revoke", {}) == "INVALID_REQUEST"
    assert await pair.refused("revoke", {"userId": "u", "jti": "j"}) == "INVALID_REQUEST"
    assert await pair.do("revoke", {"jti": "some-token"}) == {}
    assert await pair.do("unban", {"userId": "nobody"}) == {}


async def test_connections_of_the_whole_cluster_are_listed_page_by_page(
    pair: Duo, publisher: Publisher, http: ClientSession
) -> None:
    await begun(pair, publisher)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        url, token = address(pair.url, JOB), pair.token("viewer")
        await enter(raw(http, url, token))
        await enter(source(http, url, token))
        lines = [
            await enter(line((pair.url, pair.other_url)[n % 2], pair.token(f"u{n}")))
            for n in range(60)
        ]
        first = await pair.do("connections")
        second = await pair.do("connections", {"cursor": first["nextCursor"]})
        items = [*first["items"], *second["items"]]
        assert second["nextCursor"] is None
        sids = [each["sid"] for each in items]
        assert sids == sorted(sids)
        assert {each.sid for each in lines} | {pair.admin.sid} < set(sids)
        assert len(sids) == len(set(sids)) == 63
        assert len({each["node"] for each in items}) == 2
        of_job = (await pair.do("connections", {"jobId": JOB}))["items"]
        assert sorted(each["door"] for each in of_job) == ["SSE", "WEBSOCKET"]
        assert {each["userId"] for each in of_job} == {"viewer"}
        (one,) = (await pair.do("connections", {"userId": "u7"}))["items"]
        assert one["sid"] == lines[7].sid
        assert one["channels"] == ["user:u7", "all"]
        assert one["address"] == "127.0.0.1"
        assert one["door"] == "SOCKETIO"
        assert one["outboxBytes"] == 0
        assert set(one) == {
            *("sid", "node", "door", "userId", "address"),
            *("channels", "connectedAt", "outboxBytes"),
        }


async def test_the_figures_come_by_themselves_and_are_of_all_nodes(
    pair: Duo, publisher: Publisher, http: ClientSession
) -> None:
    job = await begun(pair, publisher)
    async with (
        line(pair.url, pair.token()) as one,
        line(pair.other_url, pair.token("u2")) as two,
        raw(http, address(pair.url, JOB), pair.token()) as follower,
    ):
        for client in (one, two):
            assert (await client.command("subscribe", {"channel": CHANNEL}))["ok"]
        await job.status("GENERATING")
        await follower.upto(1)

        def whole(stats: dict[str, Any]) -> bool:
            doors = stats["cluster"]["connections"]
            return bool(
                doors == {"socketio": 3, "websocket": 1, "sse": 0} and stats["jobsLive"] == 1
            )

        await pair.admin.until(lambda: any(map(whole, pair.admin.named("stats"))))
        delivered = [
            each["cluster"]
            for each in pair.admin.named("stats")
            if each["cluster"]["deliveriesPerSecond"] > 0
        ]
        assert delivered
        assert delivered[0]["latencyMs"]["p99"] > 0
        stats = pair.admin.named("stats")[-1]
        assert len(stats["nodes"]) == 2
        keys = {
            *("connections", "users", "channels", "publicationsPerSecond", "deliveriesPerSecond"),
            *("latencyMs", "outboxBytes", "slowConsumers", "dropped", "memoryBytes"),
            *("cpuPercent", "startedAt", "draining"),
        }
        for node in stats["nodes"]:
            assert set(node) == {"id", *keys}
            assert node["memoryBytes"] > 10_000_000
        assert set(stats["cluster"]) == keys
        assert stats["cluster"]["users"] == sum(node["users"] for node in stats["nodes"])
        asked = await pair.do("stats", {"history": True})
        assert set(asked) == {"at", "nodes", "cluster", "jobsLive", "journalLag", "history"}
        times = [each["at"] for each in asked["history"]]
        assert len(times) > 1
        assert times == sorted(set(times))
        assert set(asked["history"][-1]["cluster"]) == keys


async def test_a_broadcast_reaches_whom_it_is_for(
    pair: Duo, publisher: Publisher, http: ClientSession
) -> None:
    await begun(pair, publisher)
    words = {"title": "Maintenance", "body": "in an hour", "severity": "WARNING"}

    def live(client: Any) -> list[Any]:
        return [each for each in client.named("event") if each["type"] == "BROADCAST"]

    async def say(to: Any, *, persist: bool = False) -> Any:
        return await pair.do("broadcast", {**words, "to": to, "persist": persist})

    async with (
        line(pair.url, pair.token()) as u1,
        line(pair.other_url, pair.token("u2")) as u2,
        source(http, address(pair.url, JOB), pair.token("u3")) as stream,
    ):
        assert (await u2.command("subscribe", {"channel": CHANNEL}))["ok"]
        assert (await u1.command("subscribe", {"channel": "topic:ops"}))["ok"]
        said = await say("all")
        assert said["connections"] == 3
        for client in (u1, u2):
            await client.until(lambda client=client: live(client))
            (event,) = live(client)
            assert event["id"] == said["id"]
            assert event["data"] == words
            assert event["channel"] == "all"
            assert "offset" not in event
        heard = await stream.next()
        assert heard is not None
        assert (heard.name, heard.data["data"], heard.id) == ("BROADCAST", words, "")
        assert (await say({"users": ["u2", "gone"]}))["connections"] == 1
        await u2.until(lambda: len(live(u2)) == 2)
        assert live(u2)[1]["channel"] == "user:u2"
        assert (await say({"topic": "ops"}))["connections"] == 1
        await u1.until(lambda: len(live(u1)) == 2)
        assert (await say({"jobId": JOB}))["connections"] == 2
        await u2.until(lambda: len(live(u2)) == 3)
        assert len(live(u1)) == 2

        def stored(client: Any) -> list[Any]:
            created = [e for e in client.named("event") if e["type"] == "NOTIFICATION_CREATED"]
            return [each["data"]["scope"] for each in created]

        await say("all", persist=True)
        await say({"users": ["u1"]}, persist=True)
        assert (await say({"jobId": JOB}, persist=True))["users"] == 2
        await u1.until(lambda: len(stored(u1)) == 2)
        await u2.until(lambda: len(stored(u2)) == 2)
        assert sorted(stored(u1)) == sorted(stored(u2)) == ["ALL", "USER"]
        listed = await u2.command("notifications:list", {})
        assert {each["title"] for each in listed["data"]["items"]} == {"Maintenance"}
        assert (await say({"jobId": "nobody-watches"}, persist=True))["users"] == 0
    targets = [entry[2] for entry in await audited(pair, 8)]
    assert targets == [
        *("all", "users:u2,gone", "topic:ops", CHANNEL),
        *("all", "users:u1", CHANNEL, "job:nobody-watches"),
    ]


async def test_jobs_are_listed_by_status_latest_first(pair: Duo, publisher: Publisher) -> None:
    for number in range(3):
        job = await begun(pair, publisher, f"j{number}")
    await job.complete(passed=1, failed=0)

    async def done() -> bool:
        return bool((await pair.do("jobs", {"status": "COMPLETED"}))["items"])

    await eventually(done)
    ids = [each["jobId"] for each in (await pair.do("jobs"))["items"]]
    assert ids == ["j2", "j1", "j0"]
    (ended,) = (await pair.do("jobs", {"status": "COMPLETED"}))["items"]
    assert (ended["jobId"], ended["projectId"], ended["ownerId"]) == ("j2", "p1", "u1")
    assert ended["endedAt"] is not None
    cursor = f"{_ms(ended['startedAt'])}:j2"
    rest = (await pair.do("jobs", {"cursor": cursor}))["items"]
    assert [each["jobId"] for each in rest] == ["j1", "j0"]


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


async def test_dead_letters_are_listed_replayed_and_dropped(
    pair: Duo, publisher: Publisher
) -> None:
    keys = Keys(pair.system.settings.partitions)
    async with Redis.from_url(pair.system.settings.redis_url or "") as redis:
        await redis.xadd(keys.journal(3), {"p": b"not json"})
        late = publisher.job("late", project_id="p1", owner_id="u1")
        await late.complete(passed=1, failed=0)  # of a job that never began

        async def buried() -> bool:
            return len((await pair.do("dead"))["items"]) == 2

        await eventually(buried)
        items = (await pair.do("dead"))["items"]
        assert [set(each) for each in items] == [
            {"id", "partition", "reason", "publication", "at"}
        ] * 2
        by_partition = {each["partition"]: each for each in items}
        assert by_partition[3]["publication"] == "not json"
        assert by_partition[3]["reason"]
        orphan = by_partition[keys.partition("job:late")]
        assert orphan["publication"]["jobId"] == "late"
        await late.start(total_scenarios=1)
        await begun(pair, publisher, "after")
        answer = await pair.do("dead:replay", {"ids": [orphan["id"], "00:1-1"]})
        assert answer == {"replayed": 1, "missing": ["00:1-1"]}

        async def completed() -> bool:
            found = (await pair.do("jobs", {"status": "COMPLETED"}))["items"]
            return [each["jobId"] for each in found] == ["late"]

        await eventually(completed)
        assert (await pair.do("dead:replay", {"ids": [orphan["id"]]}))["replayed"] == 0
        assert (await pair.do("dead:drop", {"ids": [by_partition[3]["id"]]}))["dropped"] == 1
        huge = f'{{"data":"{100_000 * "x"}"}}'
        await redis.xadd(keys.dead(3), {"p": huge, "reason": "r", "entry": "1-0"})
        (letter,) = (await pair.do("dead"))["items"]
        assert letter["publication"] == huge[:4096]
        assert (await pair.do("dead:drop", {"ids": [letter["id"]]}))["dropped"] == 1
        assert (await pair.do("dead"))["items"] == []
        large = {f'{{"data":"{number}{60_000 * "x"}"}}' for number in range(6)}
        for each in large:
            await redis.xadd(keys.dead(3), {"p": each, "reason": "r", "entry": "1-0"})
        first = await pair.do("dead")
        assert len(first["items"]) == 4, "as many as have 256 KiB together"
        rest = await pair.do("dead", {"cursor": first["nextCursor"]})
        assert rest["nextCursor"] is None
        letters = [*first["items"], *rest["items"]]
        assert {
            str(each["publication"]).replace("'", '"').replace(": ", ":") for each in letters
        } == large
        await pair.do("dead:drop", {"ids": [each["id"] for each in letters]})
        used = {3, keys.partition("job:late")}
        fresh = [number for number in range(keys.partitions) if number not in used]
        await redis.xadd(keys.dead(fresh[0]), {"p": b"x", "reason": "r", "entry": "5-0"}, id="5-0")
        for number in range(60):
            fields: dict[Any, Any] = {"p": b"x", "reason": str(number), "entry": f"9-{number}"}
            await redis.xadd(keys.dead(fresh[number % 4]), fields, id=f"9-{number}")
        first = await pair.do("dead")
        second = await pair.do("dead", {"cursor": first["nextCursor"]})
        reasons = [each["reason"] for each in [*first["items"], *second["items"]]]
        assert reasons == [*map(str, reversed(range(60))), "r"]
        assert second["nextCursor"] is None


async def test_too_many_commands_are_not_carried_out(pair: Duo) -> None:
    numbers = [await pair.admin.send("stats", {}) for _ in range(40)]
    await pair.admin.until(lambda: all(pair.admin.answer(number) for number in numbers))
    answers = [pair.admin.answer(number) for number in numbers]
    refused = [each["error"] for each in answers if not each["ok"]]
    assert {each["code"] for each in refused} == {"RATE_LIMITED"}
    assert all(each["retryAfter"] > 0 for each in refused)
    assert sum(each["ok"] for each in answers) >= 20
    async with line(pair.url, signed("root", roles=["admin"]), namespace="/admin") as other:
        items = (await other.command("audit", {}))["data"]["items"]
    limited = [each for each in items if each["outcome"] == "RATE_LIMITED"]
    assert 1 <= len(limited) < len(refused), "the first of each series"


def _ms(wire: str) -> int:
    from hub.domain import times

    at = times.parse_instant(wire)
    assert at is not None
    return times.to_ms(at)


@contextmanager
def paused(process: Program) -> Iterator[None]:
    """A node that does nothing, and has its connections."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


async def node_of(pair: Duo, user: str) -> str:
    """The id of the node that a user is on."""
    (found,) = (await pair.do("connections", {"userId": user}))["items"]
    return str(found["node"])


@pytest.mark.parametrize("by", ["sid", "jobId", "userId"])
async def test_who_is_kicked_by_a_node_that_is_late_is_banned_all_the_same(
    pair: Duo, publisher: Publisher, by: str
) -> None:
    await begun(pair, publisher)
    async with line(pair.url, pair.token()) as victim:
        assert (await victim.command("subscribe", {"channel": CHANNEL}))["ok"]
        target = {"sid": victim.sid, "jobId": JOB, "userId": "u1"}[by]
        late = await node_of(pair, "u1")
        with paused(pair.system.node):
            answer = await pair.do("kick", {by: target, "banSeconds": 60, "message": "no"})
            assert answer["connections"] == 0
            assert answer["missing"] == [late]
        await victim.until(lambda: victim.closed)
        assert victim.named("closing")[0]["code"] == "BANNED"

        async def banned() -> bool:
            async with line(pair.other_url, pair.token()) as back:
                return (back.refusal or {}).get("code") == "BANNED"

        await eventually(banned, limit=2)
        (entry,) = [e for e in (await pair.do("audit"))["items"] if e["action"] == "kick"]
        assert entry["details"]["missing"] == [late]


async def test_what_is_not_known_of_a_node_is_said(pair: Duo, publisher: Publisher) -> None:
    await begun(pair, publisher)
    words = {"title": "t", "body": "b", "to": {"jobId": JOB}}

    def got(client: Any) -> list[str]:
        return [each["type"] for each in client.named("event")]

    async with line(pair.url, pair.token()) as viewer:
        assert (await viewer.command("subscribe", {"channel": CHANNEL}))["ok"]
        late = await node_of(pair, "u1")
        with paused(pair.system.node):
            listed = await pair.do("connections", {"jobId": JOB})
            assert listed == {"items": [], "nextCursor": None, "missing": [late]}
            began = time.monotonic()
            refused = await pair.admin.command("broadcast", {**words, "persist": True})
            assert refused["error"]["code"] == "UNAVAILABLE"
            assert late in refused["error"]["message"]
            said = await pair.do("broadcast", {**words, "persist": False})
            assert (said["connections"], said["missing"]) == (0, [late])
            assert time.monotonic() - began < SOON  # for both: it was waited for once
        await viewer.until(lambda: "BROADCAST" in got(viewer))
        assert (await pair.do("broadcast", {**words, "persist": True}))["users"] == 1
        await viewer.until(lambda: "NOTIFICATION_CREATED" in got(viewer))
        assert got(viewer).count("NOTIFICATION_CREATED") == 1
        assert "missing" not in await pair.do("connections", {"jobId": JOB})


async def test_the_figures_of_a_node_that_died_are_gone_within_seconds(pair: Duo) -> None:
    async def nodes(count: int) -> bool:
        return len((await pair.do("stats"))["nodes"]) == count

    await eventually(lambda: nodes(2))
    ids = [each["id"] for each in (await pair.do("stats"))["nodes"]]
    died = time.time()
    await pair.system.node.kill()
    await eventually(lambda: nodes(1), limit=8)
    (left,) = (await pair.do("stats"))["nodes"]
    assert left["id"] in ids

    async def goes_on() -> bool:
        history = (await pair.do("stats", {"history": True}))["history"]
        return bool(history) and _ms(history[-1]["at"]) > 1000 * (died + 7)

    await eventually(goes_on, limit=12)
    history = (await pair.do("stats", {"history": True}))["history"]
    times = [_ms(each["at"]) for each in history if _ms(each["at"]) > 1000 * (died - 4)]
    assert max(b - a for a, b in itertools.pairwise(times)) < 9000


async def test_a_kick_does_not_wait_for_what_others_are_asked(
    system: System, publisher: Publisher
) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        asked = await enter(backend())
        pair = await enter(duo(system, HUB_AUTHORIZE_URL=asked.url))
        await begun(pair, publisher)
        redis = await enter(open_redis(system.settings.redis_url or ""))
        others = [await enter(line(pair.other_url, pair.token(f"o{n}"))) for n in range(6)]
        victim = await enter(line(pair.other_url, pair.token()))
        asked.gate.clear()
        teller = Control(redis, redis, "of a test")
        for other in others:
            await teller.tell(STEER, Steer("/", "join", other.sid, CHANNEL))
        await asked.arrived.wait()
        began = time.monotonic()
        kicked = await pair.do("kick", {"userId": "u1"})
        assert kicked == {"connections": 1, "users": ["u1"]}
        await victim.until(lambda: victim.closed)
        assert time.monotonic() - began < SOON
