"""Attacks on the edge, as tables: each is answered with its code, and changes nothing.

What other tests hold already is not repeated: ``ELSEWHERE`` names it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from aiohttp import ClientSession
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from config.settings import Settings
from hub.domain.ids import uuid7
from hub.embedded import MongoServer, RedisServer
from tests.support.process import ROOT
from tests.support.rawhttp import protected, wire
from tests.support.sioline import Line, line
from tests.support.system import System, running_system
from tests.support.wait import eventually
from workers import Publisher

ELSEWHERE = {
    "alg none, key confusion, tricks with kid, wrong and future claims, and a refused client "
    "during a broadcast": (
        "tests/hub/gateways/test_attacks.py",
        "test_no_door_takes_any_of_them_and_a_refused_client_hears_nothing",
    ),
    "names of keys": (
        "tests/hub/services/test_authenticate.py",
        "test_the_name_of_a_key_is_no_more_than_a_name",
    ),
    "oversized tokens": (
        "tests/hub/gateways/test_attacks.py",
        "test_a_token_that_is_too_large_is_not_even_looked_at",
    ),
    "tokens in URLs": (
        "tests/hub/gateways/test_attacks.py",
        "test_a_token_in_a_query_string_is_refused_at_every_door",
    ),
    "tickets used twice": (
        "tests/hub/gateways/test_attacks.py",
        "test_a_ticket_is_its_users_and_for_once",
    ),
    "refresh to another user": (
        "tests/hub/gateways/test_identity.py",
        "test_a_token_that_does_not_do_changes_nothing",
    ),
    "the session of another user": (
        "tests/hub/gateways/test_attacks.py",
        "test_a_session_of_another_user_is_not_recovered",
    ),
    "foreign channels": ("tests/hub/gateways/test_attacks.py", "test_channels_of_others"),
    "the inbox of another": (
        "tests/hub/gateways/test_inbox_attempts.py",
        "test_nobody_gets_at_the_inbox_of_another",
    ),
    "/admin": ("tests/e2e/test_admin.py", "test_nobody_but_administrators_may_connect"),
    "static files": ("tests/e2e/test_demo_page.py", "test_the_page_and_what_is_beside_it"),
    "what is no HTTP": (
        "tests/hub/gateways/test_edge.py",
        "test_what_is_no_http_is_a_problem_and_is_not_repeated",
    ),
}

OPERATORS: tuple[Any, ...] = (
    {"$gt": ""},
    {"$ne": None},
    {"$in": ["a"]},
    {"$regex": ".*"},
    {"$where": "sleep(1000)"},
    [{"$gt": ""}],
)
"""What a query would be if it were put into one."""

EVIL = "https://evil.example"


def test_what_is_held_elsewhere_is_there() -> None:
    for what, (file, name) in ELSEWHERE.items():
        assert f"def {name}(" in (ROOT / file).read_text(), what


async def everything(system: System) -> dict[str, Any]:
    """All that is stored, and what waits to be."""
    found: dict[str, Any] = {}
    async with (
        AsyncMongoClient[dict[str, Any]](
            system.settings.mongo_url, serverMonitoringMode="poll"
        ) as client,
        Redis.from_url(system.settings.redis_url or "") as redis,
    ):
        db = client[system.settings.mongo_db]
        for name in await db.list_collection_names():
            documents = [repr(each) async for each in db[name].find({})]
            found[name] = sorted(documents)
        for pattern in ("hub:*:dead", "hub:*:standing", "hub:*:seen:*", "hub:ticket:*"):
            found[pattern] = sorted([key async for key in redis.scan_iter(pattern)])
        for key in [key async for key in redis.scan_iter("hub:*:journal")]:
            found[str(key)] = await redis.xinfo_stream(key)
            found[str(key)] = found[str(key)]["last-generated-id"]
    return found


@pytest.fixture
async def system(
    settings: Settings, redis_server: RedisServer, mongo_server: MongoServer
) -> AsyncIterator[System]:
    """A running node and ingest worker; there are more attacks than commands in a second."""
    rate = {"HUB_RATE_COMMANDS": "1000/second"}
    async with running_system(settings, redis_server, mongo_server, **rate) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def victim(system: System) -> AsyncIterator[Line]:
    """A user with two unread notifications and a job, who is connected."""
    async with (
        line(system.url, system.token("u1")) as client,
        Publisher(system.settings.redis_url or "") as hub,
    ):
        await hub.job("j1", project_id="p1", owner_id="u1").start()
        await hub.job("foreign", project_id="p2", owner_id="u2").start()
        for user in ("u1", "u1", "u2"):
            await hub.notify(users=[user], type="a.b", title="t", body="b")
        await client.until(lambda: len(client.offsets("user:u1")) == 2)

        async def there() -> bool:
            state = await everything(system)
            return sum("'job:" in each for each in state.get("channels", ())) == 2

        await eventually(there)
        yield client


def requests() -> list[tuple[str, str, Any]]:
    """Method, path and body of requests that say what they should not, wherever one may."""
    found: list[tuple[str, str, Any]] = []
    for each in OPERATORS:
        text = quote(json.dumps(each), safe="")
        found += [
            ("GET", f"/v1/jobs/{text}/progress", None),
            ("GET", f"/v1/generation-jobs/{text}/events", None),
            ("GET", f"/v1/jobs/j1/events?cursor={text}", None),
            ("GET", f"/v1/jobs/j1/events?since={text}", None),
            ("GET", f"/v1/jobs/j1/events?type={text}", None),
            ("GET", f"/v1/jobs?projectId={text}", None),
            ("GET", f"/v1/jobs?status={text}", None),
            ("GET", f"/v1/jobs?cursor={text}", None),
            ("GET", f"/v1/notifications?filter={text}", None),
            ("GET", f"/v1/notifications?cursor={text}", None),
            ("GET", f"/v1/notifications?limit={text}", None),
            ("PUT", f"/v1/topics/{text}/subscribers/u1", None),
            ("PUT", f"/v1/topics/t/subscribers/{text}", None),
            ("DELETE", f"/v1/topics/t/subscribers/{text}", None),
            ("POST", "/v1/notifications/mark", {"ids": each, "as": "READ"}),
            ("POST", "/v1/notifications/mark", {"ids": "all", "as": each}),
            ("POST", "/v1/notifications/mark", {"ids": "all", "as": "READ", "upTo": each}),
            ("PUT", "/v1/preferences", {"mutedTypes": each, "mutedTopics": []}),
            ("PUT", "/v1/preferences", {"mutedTypes": [each], "mutedTopics": []}),
            ("POST", "/v1/publish", {"items": each}),
            *(
                ("POST", "/v1/publish", {"items": [{"id": uuid7(), **NOTICE, name: each}]})
                for name in ("id", "kind", "to", "type", "title", "dedupeKey", "expiresAt")
            ),
            ("POST", "/v1/publish", {"items": [{"id": uuid7(), **JOB, "jobId": each}]}),
            ("POST", "/v1/publish", {"items": [{"id": uuid7(), **JOB, "data": each}]}),
            ("POST", "/v1/publish", {"items": [{"id": uuid7(), **TOPIC, "channel": each}]}),
        ]
    for name in ("$where", "filter[$ne]", "cursor[$gt]", "__proto__", "type[]", "userId", "user"):
        found += [
            ("GET", f"/v1/notifications?{quote(name)}=1", None),
            ("GET", f"/v1/jobs?{quote(name)}=1", None),
            ("POST", "/v1/notifications/mark", {"ids": "all", "as": "READ", name: "u2"}),
            ("PUT", "/v1/preferences", {"mutedTypes": [], "mutedTopics": [], name: "u2"}),
        ]
    return found


NOTICE = {"kind": "NOTIFICATION", "to": {"users": ["u1"]}, "type": "a.b", "title": "t", "body": "b"}
JOB = {"kind": "JOB", "jobId": "j1", "type": "JOB_STATUS_CHANGED", "data": {"currentStatus": "X"}}
TOPIC = {"kind": "EVENT", "channel": "topic:t", "type": "X", "data": {}}


async def test_operators_are_no_values_over_http(
    system: System, victim: Line, http: ClientSession
) -> None:
    before = await everything(system)
    headers = {"Authorization": f"Bearer {system.token(roles=('user', 'service'))}"}
    for method, path, body in requests():
        async with http.request(method, system.url + path, json=body, headers=headers) as answer:
            problem = await answer.json(content_type="application/problem+json")
            nowhere = "{" in unquote(path.partition("?")[0])  # there is no such address
            refusal = (404, "NOT_FOUND") if nowhere else (400, "INVALID_REQUEST")
            assert (answer.status, problem["errorCode"]) == refusal, (path, body)
            assert protected(answer.headers)
    assert await everything(system) == before
    assert victim.hello["unread"]["count"] == 0
    assert len(victim.named("event")) == 2


COMMANDS: list[tuple[list[Any], str]] = [
    *(
        ([name, payload], "INVALID_REQUEST")
        for each in OPERATORS
        for name, payload in (
            ("subscribe", {"channel": each}),
            ("subscribe", {"channel": f"job:{json.dumps(each)}"}),
            ("subscribe", {"channel": "job:j1", "epoch": each, "offset": 1}),
            ("subscribe", {"channel": "job:j1", "offset": each}),
            ("unsubscribe", {"channel": each}),
            ("notifications:list", {"filter": each}),
            ("notifications:list", {"type": each}),
            ("notifications:list", {"cursor": each}),
            ("notifications:list", {"cursor": json.dumps(each)}),
            ("notifications:list", {"limit": each}),
            ("notifications:mark", {"ids": each, "as": "READ"}),
            ("notifications:mark", {"ids": "all", "as": each}),
            ("notifications:mark", {"ids": "all", "as": "READ", "upTo": each}),
            ("auth:refresh", {"token": each}),
        )
    ),
    *((["notifications:mark", {"ids": "all", "as": "READ", name: "u2"}], "INVALID_REQUEST")
      for name in ("userId", "recipient", "$where", "__proto__")),
    *(([name, {}], "INVALID_REQUEST")
      for name in ("connect", "connect_error", "disconnect", "disconnecting")),
    *(([name, {"channel": "all", "code": "KICKED"}], "UNKNOWN_COMMAND")
      for name in ("event", "hello", "reset", "closing", "token-expiring", "message", "kick",
                   "broadcast", "__proto__", "constructor", "newListener", "ping", "error")),
    *((["subscribe", {"channel": name}], "INSUFFICIENT_PERMISSIONS")
      for name in ("user:u2", "job:foreign")),
    *((["subscribe", {"channel": name}], "INVALID_REQUEST")
      for name in ("orders", "socketio", "hub:{nodes}:control", "user:*", "job:j1\r\nX: y",
                   "USER:u1", "topic:", "all ", "user:u1\0", "job:{p01}", "job:../j1")),
]  # fmt: skip


async def test_commands_that_say_what_they_should_not(system: System, victim: Line) -> None:
    async with line(system.url, system.token("u2")) as other:
        before = await everything(system)
        joined = [each["channel"] for each in victim.hello["channels"]]
        for sent, code in COMMANDS:
            answer = await victim.command(*sent)
            assert (answer["ok"], answer["error"]["code"]) == (False, code), sent
        assert await everything(system) == before
        async with Publisher(system.settings.redis_url or "") as hub:
            await hub.notify(everyone=True, type="a.b", title="t", body="b")
        for each in (victim, other):
            await each.until(lambda: each.offsets("all"))  # noqa: B023
        assert {each["channel"] for each in victim.named("event")} == {*joined}
        assert other.named("closing") == other.named("reset") == []


INJECTED = (
    "%0d%0aInjected:%20yes",
    "%0aInjected:%20yes",
    "%0d%0a%0d%0a<script>",
    "%E5%98%8A%E5%98%8D",
)
ECHOED = [
    *(f"GET /v1/jobs/{each}/progress HTTP/1.1\r\n" for each in INJECTED),
    *(f"GET /v1/jobs?status={each} HTTP/1.1\r\n" for each in INJECTED),
    *(f"GET /v1/jobs?{each}=1 HTTP/1.1\r\n" for each in INJECTED),
    *(f"GET /v1/jobs/j1/progress?ticket={each} HTTP/1.1\r\n" for each in INJECTED),
    *(f"GET /{each} HTTP/1.1\r\n" for each in INJECTED),
    *(f"{each} / HTTP/1.1\r\n" for each in INJECTED),
    *(f"GET /socket.io/?EIO=4&transport=polling&sid={each} HTTP/1.1\r\n" for each in INJECTED),
    *(
        f"GET /v1/jobs HTTP/1.1\r\n{name}: {value}\r\n"
        for name in ("X-Request-Id", "Origin", "Idempotency-Key", "If-None-Match", "Last-Event-ID",
                     "X-Forwarded-For", "Accept", "Sec-WebSocket-Key", "X-Forwarded-Host")
        for value in ("a\rInjected: yes", "a\n Injected: yes", "a\r\n Injected: yes", "a\0b",
                      "https://a%0d%0aInjected:%20yes")
    ),
]  # fmt: skip


async def test_nothing_that_is_echoed_becomes_a_header(system: System, victim: Line) -> None:
    before = await everything(system)
    token = system.token()
    for request in ECHOED:
        async with wire(system.url) as raw:
            tail = f"Host: a\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
            await raw.say((request + tail).encode())
            status, headers, body = await raw.answer()
            assert status in (200, 400, 401, 404), request
            assert "injected" not in headers, request
            assert not any("Injected" in each or "<script" in each for each in headers.values())
            assert protected(headers), request
            assert b"<script" not in body or headers["content-type"] != "text/html"
            assert await raw.ends() == b"", request  # nor a second answer
    assert await everything(system) == before


async def test_pages_of_other_origins_get_in_by_no_door(
    system: System, victim: Line, http: ClientSession
) -> None:
    token = system.token()
    host = system.url.partition("://")[2]
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    before = await everything(system)
    progress = "/v1/jobs/j1/progress"
    for origin in (
        EVIL,
        "null",
        f"http://{host}.evil.example",
        f"http://evil.example#{host}",
        f"http://{host}@evil.example",
        f"http://evil{host}",
        "http://127.0.0.1:1",
    ):
        bearer = {"Authorization": f"Bearer {token}", "Origin": origin}
        for path, headers, status in (
            (progress, bearer | upgrade, 403),
            ("/socket.io/?EIO=4&transport=websocket", bearer | upgrade, 403),
            ("/socket.io/?EIO=4&transport=polling", bearer, 403),
            (progress, bearer, 200),
            (progress, bearer | {"Accept": "text/event-stream"}, 200),
        ):
            async with http.get(system.url + path, headers=headers) as answer:
                assert answer.status == status, (origin, path)
                assert "Access-Control-Allow-Origin" not in answer.headers, (origin, path)
                if status == 403 and path == progress:
                    problem = await answer.json(content_type="application/problem+json")
                    assert problem["errorCode"] == "INSUFFICIENT_PERMISSIONS"
        for method, path in (("POST", "/v1/tickets"), ("POST", "/v1/publish")):
            asks = bearer | {"Access-Control-Request-Method": method}
            async with http.options(system.url + path, headers=asks) as answer:
                assert answer.status == 405
                assert "Access-Control-Allow-Methods" not in answer.headers
    assert await everything(system) == before


PATHS = (
    "/../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "//etc/passwd",
    "/v1/../metrics",
    "/v1/%2e%2e/metrics",
    "/v1/jobs/..%2f..%2fmetrics",
    "/assets/../../hub/app.py",
    "/assets/..%5c..%5chub",
    "/console/../../etc/passwd",
    "/static/../config/settings.py",
    "/.env",
    "/.git/config",
    "/socket.io/../v1/publish",
    "/%00",
)


async def test_paths_that_lead_out_lead_nowhere(system: System) -> None:
    for path in PATHS:
        async with wire(system.url) as raw:
            await raw.say(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            status, headers, body = await raw.answer()
            assert status in (400, 404), path
            assert json.loads(body)["errorCode"] in ("NOT_FOUND", "INVALID_REQUEST"), path
            assert protected(headers), path
            assert str(Path.cwd()) not in body.decode()
