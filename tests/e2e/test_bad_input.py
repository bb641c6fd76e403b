"""Bad input gets its catalogue code on its transport, stores nothing, and the process goes on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from hub import tokens
from hub.domain.ids import uuid7
from tests.conftest import JWT_SECRET
from tests.support.jsclient import JsClient, js_client
from tests.support.system import System
from workers import Publisher

LONG = "x" * 129
JOB = "j1"


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def client(system: System) -> AsyncIterator[JsClient]:
    async with js_client(system.url, system.token()) as connected:
        await connected.until(lambda c: c.named("hello"))
        yield connected


def item(**fields: Any) -> dict[str, Any]:
    return {"id": uuid7(), **fields}


SCENARIO = {
    "scenarioId": "s1",
    "featureId": "f1",
    "featureName": "F",
    "title": "T",
    "stepsCount": 1,
}
NOTICE = {"kind": "NOTIFICATION", "to": {"users": ["u1"]}, "type": "a.b", "title": "t", "body": "b"}

BAD_ITEMS = [
    ({"kind": "JOB"}, "jobId"),
    ([], "payload"),
    ("text", "payload"),
    (None, "payload"),
    (item(), "kind"),
    (item(kind="NOPE"), "kind"),
    (item(kind="JOB", jobId=JOB, type="NOPE", data={}), "type"),
    (item(kind="JOB", jobId=JOB, type=7, data={}), "type"),
    (item(kind="JOB", type="JOB_COMPLETED", data={}), "jobId"),
    (item(kind="JOB", jobId=LONG, type="JOB_COMPLETED", data={}), "jobId"),
    (item(kind="JOB", jobId="-a", type="JOB_COMPLETED", data={}), "jobId"),
    (item(kind="JOB", jobId="a\n", type="JOB_COMPLETED", data={}), "jobId"),
    (item(kind="JOB", jobId=JOB, type="SCENARIO_COMPLETED", data={}), "data.scenarioId"),
    (
        item(kind="JOB", jobId=JOB, type="SCENARIO_COMPLETED", data={**SCENARIO, "stepsCount": -1}),
        "data.stepsCount",
    ),
    (
        item(
            kind="JOB", jobId=JOB, type="SCENARIO_COMPLETED", data={**SCENARIO, "scenarioId": LONG}
        ),
        "data.scenarioId",
    ),
    (item(kind="JOB", jobId=JOB, type="JOB_STARTED", projectId="p1"), "ownerId"),
    (
        item(kind="JOB", jobId=JOB, type="PROGRESS_UPDATED", data={"percentage": 101}),
        "data.percentage",
    ),
    (
        item(kind="JOB", jobId=JOB, type="JOB_STATUS_CHANGED", data={"currentStatus": "COMPLETED"}),
        "data.currentStatus",
    ),
    (item(kind="JOB", jobId=JOB, type="JOB_COMPLETED", data={}, extra=1), "extra"),
    (item(**{**NOTICE, "to": {}}), "to"),
    (item(**{**NOTICE, "to": {"users": []}}), "to.users"),
    (item(**{**NOTICE, "to": {"users": [LONG]}}), "to.users[0]"),
    (item(**{**NOTICE, "severity": "LOUD"}), "severity"),
    (item(**{**NOTICE, "data": {"a\0b": 1}}), "data"),
    (item(**{**NOTICE, "data": {"big": "x" * 17_000}}), "data"),
    (item(**{**NOTICE, "data": {"n": 2**70}}), "data.n"),
    (item(kind="EVENT", channel="user:u1", type="X", data={}), "channel"),
    (item(kind="EVENT", channel="topic:t", type="RESET", data={}), "type"),
    (item(kind="ACTIVITY", jobId=JOB, activity="x"), "activity"),
]


async def stored(system: System) -> tuple[int, int]:
    """How many documents and journal entries there are."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        system.settings.mongo_url, serverMonitoringMode="poll"
    )
    async with client, Redis.from_url(system.settings.redis_url or "") as redis:
        db = client[system.settings.mongo_db]
        documents = 0
        for name in ("events", "channels", "notifications"):
            documents += await db[name].count_documents({})
        return documents, len([key async for key in redis.scan_iter("hub:*:seen:*")])


async def test_publish_refuses_every_bad_item_and_takes_none_beside_it(
    system: System, http: ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {system.token(roles=('service',))}"}
    for bad, field in BAD_ITEMS:
        good = item(**NOTICE)
        async with http.post(
            f"{system.url}/v1/publish", json={"items": [good, bad]}, headers=headers
        ) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["errorCode"]) == (400, "INVALID_REQUEST"), bad
            assert problem["details"][0]["field"] == f"items[1].{field}", bad
            assert problem["details"][0]["index"] == 1
            assert problem["requestId"]
    assert await stored(system) == (0, 0)
    async with http.post(
        f"{system.url}/v1/publish", json={"items": [item(**NOTICE)]}, headers=headers
    ) as answer:
        assert answer.status == 202
        assert (await answer.json())["accepted"] == 1


BAD_REQUESTS: list[tuple[str, str, bytes | str, int, str]] = [
    ("POST", "/v1/publish", b"{", 400, "INVALID_REQUEST"),
    ("POST", "/v1/publish", b"\xff", 400, "INVALID_REQUEST"),
    ("POST", "/v1/publish", b"[" * 100_000, 400, "INVALID_REQUEST"),
    ("POST", "/v1/publish", b"[]", 400, "INVALID_REQUEST"),
    ("POST", "/v1/publish", b'{"items":[]}', 400, "INVALID_REQUEST"),
    ("POST", "/v1/publish", b'{"items":[{}],"more":1}', 400, "INVALID_REQUEST"),
    ("POST", "/v1/publish", b'"' + b"x" * (1 << 21) + b'"', 413, "PAYLOAD_TOO_LARGE"),
    (
        "POST",
        "/v1/publish",
        json.dumps({"items": [item(**{**NOTICE, "body": "é" * 16_000, "title": "t" * 40_000})]}),
        413,
        "PAYLOAD_TOO_LARGE",
    ),
    ("DELETE", "/v1/publish", b"", 405, "METHOD_NOT_ALLOWED"),
    ("GET", "/v1/nothing", b"", 404, "NOT_FOUND"),
    ("GET", f"/v1/jobs/{LONG}/progress", b"", 400, "INVALID_REQUEST"),
    ("GET", "/v1/jobs/%00/progress", b"", 400, "INVALID_REQUEST"),
    ("GET", "/v1/jobs/none/progress", b"", 404, "JOB_NOT_FOUND"),
    ("GET", "/v1/jobs/none/events", b"", 404, "JOB_NOT_FOUND"),
    ("GET", f"/v1/team-executions/{JOB}/progress", b"", 404, "JOB_NOT_FOUND"),
    ("GET", "/v1/jobs/foreign/progress", b"", 403, "INSUFFICIENT_PERMISSIONS"),
    ("GET", "/v1/jobs/foreign/events", b"", 403, "INSUFFICIENT_PERMISSIONS"),
    ("GET", f"/v1/jobs/{JOB}/progress?what=1", b"", 400, "INVALID_REQUEST"),
    ("GET", f"/v1/jobs/{JOB}/events?limit=0", b"", 400, "INVALID_REQUEST"),
    ("GET", f"/v1/jobs/{JOB}/events?limit=1001", b"", 400, "INVALID_REQUEST"),
    ("GET", f"/v1/jobs/{JOB}/events?limit=ten", b"", 400, "INVALID_REQUEST"),
    ("GET", f"/v1/jobs/{JOB}/events?limit=1&limit=2", b"", 400, "INVALID_REQUEST"),
    ("GET", f"/v1/jobs/{JOB}/events?since=yesterday", b"", 400, "INVALID_REQUEST"),
    ("GET", f"/v1/jobs/{JOB}/events?since[$gt]=1", b"", 400, "INVALID_REQUEST"),
    ("GET", f"/v1/jobs/{JOB}/events?type=NOPE", b"", 400, "INVALID_REQUEST"),
    ("GET", f"/v1/jobs/{JOB}/events?cursor=%00", b"", 400, "INVALID_REQUEST"),
    (
        "GET",
        f"/v1/jobs/{JOB}/events?cursor=bzE5OTk5OTk5OTk5OTk5OTk5OTk5",
        b"",
        400,
        "INVALID_REQUEST",
    ),
    *(
        (method, path, body, 400, "INVALID_REQUEST")
        for method, path in (
            ("POST", "/v1/tickets"),
            ("PUT", "/v1/topics/t/subscribers/u1"),
            ("DELETE", "/v1/topics/t/subscribers/u1"),
            ("GET", "/v1/notifications/unread-count"),
            ("GET", f"/v1/jobs/{JOB}/progress"),
            ("GET", "/v1/jobs"),
        )
        for body in (b'{"x":1}', b"garbage", b"[]", b"\0", b"{}" * 33, b"{}" + b" " * (1 << 21))
    ),
]


async def test_bad_requests(system: System, http: ClientSession) -> None:
    async with Publisher(system.settings.redis_url or "") as hub:
        await hub.job(JOB, project_id="p1", owner_id="u1").start()
        await hub.job("foreign", project_id="p2", owner_id="u2").start()
    headers = {"Authorization": f"Bearer {system.token(roles=('service', 'user'))}"}
    await answers(http, f"{system.url}/v1/jobs/{JOB}/progress", headers)
    for method, path, body, status, code in BAD_REQUESTS:
        data = BytesIO(body if isinstance(body, bytes) else body.encode())
        async with http.request(method, system.url + path, data=data, headers=headers) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["errorCode"]) == (status, code), (method, path, problem)
            assert problem["status"] == status
    await answers(http, f"{system.url}/v1/jobs/{JOB}/progress", headers)


async def test_a_resource_without_a_body_takes_an_empty_one(
    system: System, http: ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {system.token()}"}
    for body in (b"", b"{}", b" {\n} ", b" "):
        data = BytesIO(body)
        async with http.post(f"{system.url}/v1/tickets", data=data, headers=headers) as answer:
            assert answer.status == 201, body


async def test_half_a_character_is_named_as_that(system: System, http: ClientSession) -> None:
    headers = {"Authorization": f"Bearer {system.token(roles=('user', 'service'))}"}
    half = b'{"ids":["\\ud83d"],"as":"READ"}'
    url = f"{system.url}/v1/notifications/mark"
    async with http.post(url, data=half, headers=headers) as answer:
        assert answer.status == 400
        [detail] = (await answer.json())["details"]
    assert (detail["field"], "surrogate" in detail["message"]) == ("body", True)


BAD_PARAMETERS = {
    "limit": ("0", "-1", "1001", "ten", "", "1&limit=2"),
    "since": (
        "yesterday",
        "",
        "0",
        "2026-13-01T00:00:00Z",
        "$gt",
        "2026-W01-1",
        "20260101T000000Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00Z%00",
        "2026-01-01&since=2026-01-02",
    ),
    "type": ("NOPE", "", "JOB_FAILED&type=$ne"),
    "cursor": ("", "%00", "é", "bzE", "OjE", "ZTE6LTE", "ZTE6MDE"),
    **dict.fromkeys(("since[$gt]", "limit[$ne]", "type[$in]", "cursor[]", "$where", "Limit"), "1"),
}
"""Of a history: each value is wrong."""

BAD_LISTS = {
    "projectId": ("", "$ne", LONG, "p1&projectId=p1"),
    "status": ("", "failed", "$ne", "FAILED&status=PLANNING"),
    "limit": ("0", "1001", "x"),
    "cursor": ("", "MQ", "MTpqb2I6", "MTphbGw", "LTE6am9iOmE"),
    **dict.fromkeys(("status[$ne]", "projectId[$gt]", "project_id", "kind"), "1"),
}
"""Of the list of jobs."""


async def test_a_bad_parameter_is_named(system: System, http: ClientSession) -> None:
    async with Publisher(system.settings.redis_url or "") as hub:
        await hub.job(JOB, project_id="p1", owner_id="u1").start()
    headers = {"Authorization": f"Bearer {system.token()}"}
    jobs = f"{system.url}/v1/jobs"
    await answers(http, f"{jobs}/{JOB}/progress", headers)
    bad = [(f"{jobs}/{JOB}/progress?$where=1", "$where")]
    for resource, table in ((f"{jobs}/{JOB}/events", BAD_PARAMETERS), (jobs, BAD_LISTS)):
        for field, values in table.items():
            bad += [(f"{resource}?{field}={value}", field) for value in values]
    bad += [(f"{jobs}/{name}/events", "jobId") for name in ("%24ne", "-x", "a%20b", LONG)]
    for url, field in bad:
        async with http.get(url, headers=headers) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["errorCode"]) == (400, "INVALID_REQUEST"), url
            assert problem["details"][0]["field"].partition("[0]")[0] == field, (url, problem)
    async with http.get(f"{jobs}?projectId=p1&status=CREATED&limit=1", headers=headers) as answer:
        found = await answer.json()
    assert (answer.status, found["nextCursor"]) == (200, None)
    assert [item["jobId"] for item in found["items"]] == [JOB]
    assert found["items"][0].keys() >= {"jobKind", "projectId", "status", "progress", "startedAt"}
    async with http.get(f"{jobs}?projectId=p2", headers=headers) as answer:
        assert answer.status == 403


async def answers(http: ClientSession, url: str, headers: dict[str, str]) -> None:
    """Waits until a resource is there."""
    deadline = time.monotonic() + 10
    while True:
        async with http.get(url, headers=headers) as answer:
            if answer.status == 200:
                return
            assert answer.status == 404
            assert time.monotonic() < deadline


def wrong_tokens() -> dict[str, tuple[str | None, str]]:
    """Tokens that nobody may get in with, and the code that each gets."""
    now = int(time.time())
    claims = {"sub": "u1", "exp": now + 60}
    unsigned = jwt.encode(claims, "", algorithm="none")
    return {
        "none": (None, "UNAUTHENTICATED"),
        "empty": ("", "UNAUTHENTICATED"),
        "garbage": ("garbage", "UNAUTHENTICATED"),
        "unsigned": (unsigned, "UNAUTHENTICATED"),
        "other secret": (tokens.mint("s" * 40, "u1"), "UNAUTHENTICATED"),
        "other algorithm": (
            jwt.encode(claims, JWT_SECRET * 2, algorithm="HS512"),
            "UNAUTHENTICATED",
        ),
        "expired": (tokens.mint(JWT_SECRET, "u1", ttl=-60), "TOKEN_EXPIRED"),
        "no sub": (jwt.encode({"exp": now + 60}, JWT_SECRET), "UNAUTHENTICATED"),
        "no exp": (jwt.encode({"sub": "u1"}, JWT_SECRET), "UNAUTHENTICATED"),
        "long sub": (tokens.mint(JWT_SECRET, LONG), "UNAUTHENTICATED"),
        "bad roles": (jwt.encode({**claims, "roles": "admin"}, JWT_SECRET), "UNAUTHENTICATED"),
        "not yet": (jwt.encode({**claims, "nbf": now + 50}, JWT_SECRET), "UNAUTHENTICATED"),
        "huge": ("x" * 20_000, "UNAUTHENTICATED"),
    }


async def test_wrong_tokens_over_http(system: System, http: ClientSession) -> None:
    for name, (token, code) in wrong_tokens().items():
        if name == "huge":
            continue  # no HTTP header may be that long; the server refuses it before us
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        for method, path in (("GET", "/v1/jobs/j1/progress"), ("POST", "/v1/publish")):
            async with http.request(method, system.url + path, headers=headers) as answer:
                problem = await answer.json(content_type="application/problem+json")
                assert (answer.status, problem["errorCode"]) == (401, code), name
    async with http.get(
        f"{system.url}/v1/jobs/j1/progress", params={"token": system.token()}
    ) as answer:
        assert answer.status == 400
    headers = {"Authorization": f"Bearer {system.token()}"}
    async with http.post(f"{system.url}/v1/publish", headers=headers) as answer:
        assert answer.status == 403


async def test_wrong_tokens_over_socketio(system: System) -> None:
    for name, (token, code) in wrong_tokens().items():
        async with js_client(system.url, token, transports=["websocket"]) as refused:
            await refused.until(lambda c: c.named("connect_error"))
            [message, data] = refused.named("connect_error")[0]
            assert message == data["code"] == code, name
            assert data["message"]
            assert isinstance(data["retry"], bool)
            assert not refused.named("hello")
    bad_auth: list[Any] = [
        {"token": 7},
        {"token": system.token(), "channels": []},
        {"token": system.token(), "channels": {"nope": {}}},
        {"token": system.token(), "channels": {"all": {"\ud800": 1}}},
        {"token": system.token(), "channels": {"job:x": {"epoch": 1}}},
        {"token": system.token(), "channels": {"job:x": {"offset": -1}}},
        {"token": system.token(), "channels": {"all": {"epoch": ""}}},
        {"token": system.token(), "channels": {"all": {"offset": 3}}},
    ]
    for auth in bad_auth:
        async with js_client(system.url, None, auth=auth, transports=["websocket"]) as refused:
            await refused.until(lambda c: c.named("connect_error"))
            assert refused.named("connect_error")[0][0] == "INVALID_REQUEST", auth


BAD_COMMANDS: list[tuple[list[Any], str]] = [
    (["nope", {}], "UNKNOWN_COMMAND"),
    (["", {}], "UNKNOWN_COMMAND"),
    (["constructor", {}], "UNKNOWN_COMMAND"),
    (["subscribe"], "INVALID_REQUEST"),
    (["subscribe", None], "INVALID_REQUEST"),
    (["subscribe", []], "INVALID_REQUEST"),
    (["subscribe", "job:x"], "INVALID_REQUEST"),
    (["subscribe", {}], "INVALID_REQUEST"),
    (["subscribe", {"channel": 7}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "nope"}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:"}], "INVALID_REQUEST"),
    (["subscribe", {"channel": f"job:{LONG}"}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:a b"}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:x", "more": 1}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:x", "\ud800": 1}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:\ud800"}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:x", "offset": "1"}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:x", "epoch": "e", "offset": -1}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:x", "epoch": "e"}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:x", "epoch": ""}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:x", "offset": 5}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:none"}, {}], "INVALID_REQUEST"),
    (["subscribe", {"channel": "job:none"}], "JOB_NOT_FOUND"),
    (["subscribe", {"channel": "job:foreign"}], "INSUFFICIENT_PERMISSIONS"),
    (["subscribe", {"channel": "user:u2"}], "INSUFFICIENT_PERMISSIONS"),
    (["unsubscribe", {}], "INVALID_REQUEST"),
    (["unsubscribe", {"channel": "nope"}], "INVALID_REQUEST"),
]


async def test_bad_commands(system: System, client: JsClient) -> None:
    async with Publisher(system.settings.redis_url or "") as hub:
        await hub.job("foreign", project_id="p2", owner_id="u2").start()
        await hub.job(JOB, project_id="p1", owner_id="u1").start()
    while not (await client.command("subscribe", {"channel": f"job:{JOB}"}))["ok"]:
        pass
    while (await client.command("subscribe", {"channel": "job:foreign"}))["error"][
        "code"
    ] == "JOB_NOT_FOUND":
        pass
    for sent, code in BAD_COMMANDS:
        answer = await client.do("raw", *sent)
        while answer["error"]["code"] == "RATE_LIMITED":  # it heeds what it is told
            await asyncio.sleep(answer["error"]["retryAfter"])
            answer = await client.do("raw", *sent)
        assert answer["ok"] is False, sent
        assert answer["error"]["code"] == code, sent
        assert set(answer["error"]) >= {"code", "message", "retry"}
    assert len(client.named("connect")) == 1, "it stayed connected through all of it"


async def test_nobody_hears_what_is_not_theirs(system: System, client: JsClient) -> None:
    """A refused subscription must not listen; a private notification reaches its user alone."""
    async with (
        js_client(system.url, system.token("u2")) as other,
        Publisher(system.settings.redis_url or "") as hub,
    ):
        await other.until(lambda c: c.named("hello"))
        job = hub.job("foreign", project_id="p2", owner_id="u9")
        await job.start()
        assert not (await client.command("subscribe", {"channel": "user:u2"}))["ok"]
        assert not (await client.command("subscribe", {"channel": "job:foreign"}))["ok"]
        await job.status("PLANNING")
        await hub.notify(users=["u2"], type="a.b", title="for u2", body="secret")
        await hub.notify(everyone=True, type="a.b", title="for all", body="public")
        for each in (client, other):
            await each.until(lambda c: c.events("all"))
        await other.until(lambda c: c.events("user:u2"))
        count = other.events("user:u2")[0]["data"]["unread"]["count"]
        assert count in (1, 2), "with the one to all, if that was stored first"
        assert not client.events("user:u2")
        assert not client.events("job:foreign")
