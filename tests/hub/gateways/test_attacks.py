"""Attacks on identity: every bad token at every door, foreign channels, and who hears nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import pytest
from aiohttp import WSServerHandshakeError

from tests.conftest import JWT_SECRET
from tests.hub.gateways.test_identity import CHANNEL, JOB, Town, town
from tests.support.doors import Refused, address, bearer
from tests.support.nodes import signed
from tests.support.sioline import line

__all__ = ["town"]


def part(content: object) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], secret: str = JWT_SECRET, **claims: Any) -> str:
    """A token with any header, rightly signed by HS256."""
    given = {"sub": "u1", "exp": time.time() + 3600, "projects": "*", **claims}
    head = f"{part(header)}.{part(given)}"
    proof = jwt.get_algorithm_by_name("HS256").sign(head.encode(), secret.encode())
    return f"{head}.{part(proof)}"


def unsigned(algorithm: str) -> str:
    return by_hand({"alg": algorithm}).rpartition(".")[0] + "."


HS256 = {"alg": "HS256", "typ": "JWT"}
PEM = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
ATTACKS: dict[str, tuple[str, str]] = {
    "no token": ("", "UNAUTHENTICATED"),
    "alg none": (unsigned("none"), "UNAUTHENTICATED"),
    "alg NoNe": (unsigned("NoNe"), "UNAUTHENTICATED"),
    "no signature": (by_hand(HS256).rpartition(".")[0] + ".", "UNAUTHENTICATED"),
    "alg of a public key": (by_hand({"alg": "RS256"}), "UNAUTHENTICATED"),
    "signed with a public key": (by_hand(HS256, PEM), "UNAUTHENTICATED"),
    "signed with nothing": (by_hand({**HS256, "kid": "/dev/null"}, "\0"), "UNAUTHENTICATED"),
    "its own key": (
        by_hand({**HS256, "jwk": {"kty": "oct", "k": part(b"x" * 32)}}, "x" * 32),
        "UNAUTHENTICATED",
    ),
    "a key's address": (by_hand({**HS256, "jku": "http://127.0.0.1:9"}, "x"), "UNAUTHENTICATED"),
    "kid of another type": (by_hand({**HS256, "kid": ["a"]}), "UNAUTHENTICATED"),
    "a critical extension": (by_hand({**HS256, "crit": ["x"], "x": 1}), "UNAUTHENTICATED"),
    "another secret": (by_hand(HS256, "y" * 40), "UNAUTHENTICATED"),
    "from the future": (by_hand(HS256, iat=time.time() + 86_400), "UNAUTHENTICATED"),
    "not yet valid": (by_hand(HS256, nbf=time.time() + 86_400), "UNAUTHENTICATED"),
    "expired": (by_hand(HS256, exp=time.time() - 60), "TOKEN_EXPIRED"),
    "expires in words": (by_hand(HS256, exp="never"), "UNAUTHENTICATED"),
    "never expires": (by_hand(HS256, exp=None), "UNAUTHENTICATED"),
    "nobody": (by_hand(HS256, sub=""), "UNAUTHENTICATED"),
    "a pattern": (by_hand(HS256, sub="*"), "UNAUTHENTICATED"),
    "an operator": (by_hand(HS256, sub={"$ne": ""}), "UNAUTHENTICATED"),
    "roles of another type": (by_hand(HS256, roles="admin"), "UNAUTHENTICATED"),
    "projects of another type": (by_hand(HS256, projects={"$gt": ""}), "UNAUTHENTICATED"),
}


async def test_no_door_takes_any_of_them_and_a_refused_client_hears_nothing(town: Town) -> None:
    one = town.nodes[0]
    witness = await town.line(0, signed())
    published = 0
    for name, (token, code) in ATTACKS.items():
        for auth in ({"token": token}, {"token": token, "pid": witness.pid, "offset": "x"}):
            async with line(one.url, **auth) as tried:  # type: ignore[arg-type]
                assert (tried.refusal or {}).get("code") == code, name
                published += 1
                await town.writer.publish("all")
                await witness.until(lambda: len(witness.offsets("all")) == published)  # noqa: B023
                await tried.say('421["subscribe",{"channel":"all"}]')  # it has no namespace
                await tried.until(lambda: tried.closed)
                assert tried.log == [], name
        for path in (f"/v1/jobs/{JOB}/progress", f"/v1/jobs/{JOB}/events", "/v1/notifications"):
            assert await town.get(0, token, path) == code, (name, path)
        assert await town.ticket(token) == code, name
        for door in (town.raw, town.source):
            with pytest.raises(Refused) as refused:
                await door(0, token)
            assert refused.value.problem["errorCode"] == code, name
        answer = await witness.command("auth:refresh", {"token": token})
        assert answer["error"]["code"] == code, name
    assert len(one.guests) == 1


async def test_a_token_that_is_too_large_is_not_even_looked_at(town: Town) -> None:
    token = by_hand(HS256, pad="x" * 7000)
    assert (await town.refused(0, token))["code"] == "UNAUTHENTICATED"
    one = await town.line(0, signed())
    answer = await one.command("auth:refresh", {"token": token})
    assert answer["error"]["code"] == "UNAUTHENTICATED"
    url = f"{town.nodes[0].url}/v1/notifications"
    async with town.http.get(url, headers=bearer(token)) as refused:
        assert refused.status == 400  # no header may be that long


async def test_a_token_in_a_query_string_is_refused_at_every_door(town: Town) -> None:
    url, token = town.nodes[0].url, signed()
    for path in (f"/v1/jobs/{JOB}/progress", "/v1/notifications", "/v1/tickets"):
        for name in ("token", "access_token"):
            method = "POST" if path.endswith("tickets") else "GET"
            query = {name: token}
            async with town.http.request(method, url + path, params=query) as answer:
                assert answer.status == 400
                assert token not in await answer.text()
    for name in ("token", "access_token"):
        query = {"EIO": "4", name: token}
        handshake = f"{url}/socket.io/"
        async with town.http.get(handshake, params=query | {"transport": "polling"}) as answer:
            assert answer.status == 400
            assert await answer.json() == {"code": 3, "message": "Bad request"}
        with pytest.raises(WSServerHandshakeError) as refused:
            await town.http.ws_connect(handshake, params=query | {"transport": "websocket"})
        assert refused.value.status == 400


async def test_channels_of_others(town: Town) -> None:
    one = await town.line(0, signed(projects=["p2"]))
    for channel, code in (
        ("user:u2", "INSUFFICIENT_PERMISSIONS"),
        (CHANNEL, "INSUFFICIENT_PERMISSIONS"),
        ("job:unknown", "JOB_NOT_FOUND"),
        ("orders", "INVALID_REQUEST"),
        ("user:*", "INVALID_REQUEST"),
        ("user:u2\n", "INVALID_REQUEST"),
        ("USER:u2", "INVALID_REQUEST"),
        ("job:{p01}", "INVALID_REQUEST"),
        ("", "INVALID_REQUEST"),
    ):
        answer = await one.command("subscribe", {"channel": channel})
        assert answer["error"]["code"] == code, channel
        if channel in (CHANNEL, "job:unknown"):  # a job may go while its follower is away
            back = await town.line(0, signed(projects=["p2"]), channels={channel: {}})
            assert channel not in [each["channel"] for each in back.hello["channels"]]
        else:
            refusal = await town.refused(0, signed(projects=["p2"]), channels={channel: {}})
            assert refusal["code"] == code, channel
    for door in (town.raw, town.source):
        with pytest.raises(Refused) as refused:
            await door(0, signed(projects=["p2"]))
        assert refused.value.status == 403
    assert await town.get(0, signed(projects=["p2"])) == "INSUFFICIENT_PERMISSIONS"
    url = f"{town.nodes[0].url}/v1/topics/t/subscribers/u2"
    for call in (town.http.put, town.http.delete):
        async with call(url, headers=bearer(signed())) as answer:
            assert answer.status == 403
    owner = await town.line(1, signed("u2"))
    await town.writer.publish("user:u2")
    await owner.until(lambda: owner.offsets("user:u2") == [1])
    assert one.named("event") == []


async def test_a_session_of_another_user_is_not_recovered(town: Town) -> None:
    victim = await town.line(0, signed("u2"))
    await town.writer.publish("user:u2")
    await victim.until(lambda: victim.offsets("user:u2") == [1])
    victim.cut()
    thief = await town.line(0, signed(), back=victim)
    assert not thief.hello["recovered"]
    assert thief.pid != victim.pid
    assert [each["channel"] for each in thief.hello["channels"]] == ["user:u1", "all"]
    back = await town.line(1, signed("u2"), back=victim)
    assert back.hello["recovered"]


async def test_a_ticket_is_its_users_and_for_once(town: Town) -> None:
    mine, narrow = await town.ticket(signed()), await town.ticket(signed(projects=["p2"]))
    with pytest.raises(Refused) as refused:
        await town.raw(0, None, ticket=narrow)
    assert refused.value.status == 403  # it can do what its token could
    url = address(town.nodes[0].url, JOB)

    async def use() -> int:
        async with town.http.get(
            url, params={"ticket": mine}, headers={"Accept": "text/event-stream"}
        ) as answer:
            return answer.status

    assert sorted(await asyncio.gather(*(use() for _ in range(10)))) == [200] + [401] * 9
    keys = await town.writer.redis.keys("hub:ticket:*")
    assert keys == []
    late = await town.ticket(signed())
    (key,) = await town.writer.redis.keys("hub:ticket:*")
    assert late.encode() not in key  # who reads Redis cannot use it
    assert 0 < await town.writer.redis.ttl(key) <= 30
    await town.writer.redis.delete(key)  # as Redis does after that time
    with pytest.raises(Refused) as refused:
        await town.source(0, None, ticket=late)
    assert refused.value.status == 401
    short = await town.ticket(signed(ttl=-29))  # within the leeway, and over when it is used
    with pytest.raises(Refused) as refused:
        await town.source(0, None, ticket=short)
    assert refused.value.problem["errorCode"] == "TOKEN_EXPIRED"


async def test_what_counts_as_activity(town: Town) -> None:
    one = await town.line(0, signed())
    (guest,) = town.nodes[0].guests

    async def changes(happens: Callable[[], Awaitable[object]]) -> bool:
        before = guest.activity
        await happens()
        return guest.activity != before

    async def event() -> None:
        seen = len(one.offsets("all"))
        await town.writer.publish("all")
        await one.until(lambda: len(one.offsets("all")) > seen)

    async def pong() -> None:
        await one.say("3")
        await town.get(0, signed())

    assert await changes(event)
    assert await changes(event)
    assert await changes(lambda: one.command("unsubscribe", {"channel": "topic:t"}))
    assert await changes(lambda: one.command("nonsense", {}))
    assert not await changes(pong)


async def test_an_idle_connection_is_told_and_stays_away(town: Town) -> None:
    one, raw = await town.line(0, signed()), await town.raw(0, signed())
    stream, other = await town.source(0, signed()), await town.line(1, signed())
    late = town.settings.idle_timeout + 1
    town.nodes[0].guests._clock = lambda: time.monotonic() + late
    await one.until(lambda: one.closed)
    told = one.named("closing")[0]
    assert (told["code"], told["reconnect"]) == ("IDLE_TIMEOUT", False)
    assert one._ws.close_code == 4104
    assert await raw.to_the_end() == 4104
    assert (await stream.to_the_end())[-1] == "closing"
    assert stream.events[-1].data == told
    assert not other.closed
