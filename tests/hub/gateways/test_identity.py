"""Who may stay, on two nodes and by every door: expiry, refresh, bans, revocations, limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession
from msgspec.structs import replace

from config.settings import Settings
from hub.domain import jobs
from hub.domain.standing import Ban, digest, encode_order
from tests.hub.domain import samples
from tests.hub.services.node import Node, running_node
from tests.support.doors import RawClient, Refused, Source, address, bearer, raw, source
from tests.support.jsclient import js_client
from tests.support.nodes import Local, local_node, signed
from tests.support.sioline import Line, line
from tests.support.wait import eventually

JOB = "j1"
CHANNEL = f"job:{JOB}"
SOON = 1.0
"""Seconds within which an order has effect everywhere (contract sections 2 and 9)."""


@dataclass
class Town:
    """Two nodes, a job of three events, and a writer of logs."""

    nodes: list[Local]
    writer: Node
    http: ClientSession
    stack: AsyncExitStack
    settings: Settings

    async def line(self, at: int, token: str, **how: Any) -> Line:
        return await self.stack.enter_async_context(line(self.nodes[at].url, token, **how))

    async def raw(self, at: int, token: str | None, **query: Any) -> RawClient:
        where = address(self.nodes[at].url, JOB)
        return await self.stack.enter_async_context(raw(self.http, where, token, **query))

    async def source(self, at: int, token: str | None, **query: Any) -> Source:
        where = address(self.nodes[at].url, JOB)
        return await self.stack.enter_async_context(source(self.http, where, token, **query))

    async def get(self, at: int, token: str, path: str = f"/v1/jobs/{JOB}/progress") -> Any:
        """The code of the refusal; None when there is none."""
        async with self.http.get(self.nodes[at].url + path, headers=bearer(token)) as answer:
            document = await answer.json(content_type=None)
            return document.get("errorCode")

    async def ticket(self, token: str) -> Any:
        url = f"{self.nodes[0].url}/v1/tickets"
        async with self.http.post(url, headers=bearer(token)) as answer:
            document = await answer.json(content_type=None)
            return document.get("ticket") or document["errorCode"]

    async def refused(self, at: int, token: str, **how: Any) -> Any:
        """The refusal of a Socket.IO connect; None when there is none."""
        async with line(self.nodes[at].url, token, **how) as tried:
            return tried.refusal

    async def every_door(self, token: str) -> list[Any]:
        """A connection by each, on either node."""
        found: list[Any] = []
        for at in (0, 1):
            one = await self.line(at, token)
            assert (await one.command("subscribe", {"channel": CHANNEL}))["ok"]
            found += [one, await self.raw(at, token), await self.source(at, token)]
            await found[-2].upto(3)
            await found[-1].upto(3)
        return found


@pytest.fixture
async def town(settings: Settings) -> AsyncIterator[Town]:
    changed = settings.model_copy(
        update={"max_connections_per_job": 50, "max_connections_per_user": 7, "jwt_leeway": 30.0}
    )
    async with (
        local_node(changed) as one,
        local_node(changed) as two,
        running_node(changed) as writer,
        ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
        AsyncExitStack() as stack,
    ):
        await writer.publish(CHANNEL, 3)
        job = jobs.started(replace(samples.job_started(), job_id=JOB), samples.T0)
        await writer.store_job(job, writer.ends[CHANNEL])
        yield Town([one, two], writer, http, stack, changed)


async def ending(client: Any) -> tuple[str, Any]:
    """How a connection ended: the code that it was told, and the close code."""
    if isinstance(client, Line):
        await client.until(lambda: client.closed)
        return client.named("closing")[-1]["code"], client._ws.close_code
    if isinstance(client, RawClient):
        return "", await client.to_the_end()
    assert (await client.to_the_end())[-1] == "closing"
    return client.events[-1].data["code"], None


async def endings(clients: list[Any]) -> list[tuple[str, Any]]:
    began = time.monotonic()
    found = await asyncio.gather(*map(ending, clients))
    assert time.monotonic() - began < SOON
    return found


def of(code: str, close: int) -> list[tuple[str, Any]]:
    return [(code, close), ("", close), (code, None)] * 2


# -- orders ---------------------------------------------------------------------------------------


async def test_a_ban_is_effective_everywhere_and_ends(town: Town) -> None:
    token, bans = signed(), town.nodes[0].bans
    ticket = await town.ticket(token)
    clients = await town.every_door(token)
    other = await town.line(1, signed("u2"))
    assert (await other.command("subscribe", {"channel": CHANNEL}))["ok"]
    await bans.ban("u1", 60, "enough")
    assert await endings(clients) == of("BANNED", 4507)
    told = clients[0].named("closing")[0]
    assert (told["message"], told["reconnect"]) == ("enough", False)
    assert 50 < told["retryAfter"] <= 60
    heard = [len(client.log) for client in (clients[0], clients[3])]
    await town.writer.publish(CHANNEL)
    await other.until(lambda: other.offsets(CHANNEL) == [4])
    assert [len(client.log) for client in (clients[0], clients[3])] == heard
    for at in (0, 1):
        for given in (token, signed()):
            refusal = await town.refused(at, given)
            assert (refusal["code"], refusal["retry"]) == ("BANNED", False)
            assert 50 < refusal["retryAfter"] <= 60
            assert await town.get(at, given) == "BANNED"
            assert await town.ticket(given) == "BANNED"
            for door in (town.raw, town.source):
                with pytest.raises(Refused) as found:
                    await door(at, given)
                assert (found.value.status, found.value.problem["errorCode"]) == (403, "BANNED")
    with pytest.raises(Refused) as found:
        await town.source(1, None, ticket=ticket)
    assert found.value.problem["errorCode"] == "BANNED"
    assert (await town.refused(1, token, back=clients[0]))["code"] == "BANNED"
    assert not other.closed
    await bans.unban("u1")

    async def welcome() -> bool:
        return not await town.refused(1, token)

    await eventually(welcome, limit=SOON)
    await town.line(0, token)


async def test_a_lost_client_of_a_banned_user_is_not_recovered(town: Town) -> None:
    one = await town.line(0, signed())
    one.cut()
    await one.until(lambda: one.closed)
    await town.nodes[1].bans.ban("u1", 60)

    async def banned() -> bool:
        refusal = await town.refused(0, signed(), back=one)
        return refusal is not None and refusal["code"] == "BANNED"

    await eventually(banned, limit=SOON)
    await town.nodes[1].bans.unban("u1")

    async def recovered() -> bool:
        async with line(town.nodes[0].url, signed(), back=one) as back:
            return not back.refusal and back.hello["recovered"]

    await eventually(recovered, limit=SOON)


async def test_a_revoked_token_is_not_taken_any_more_and_others_are(town: Town) -> None:
    token, other = signed(jti="stolen/../{x}"), signed()
    ticket = await town.ticket(token)
    clients = await town.every_door(token)
    stays = await town.line(1, other)
    await town.nodes[1].bans.revoke(token_id="stolen/../{x}")
    assert await endings(clients) == of("UNAUTHENTICATED", 4501)
    for at in (0, 1):
        assert (await town.refused(at, token))["code"] == "UNAUTHENTICATED"
        assert (await town.refused(at, token, back=clients[0]))["code"] == "UNAUTHENTICATED"
        assert await town.get(at, token) == "UNAUTHENTICATED"
        assert await town.get(at, other) is None
    with pytest.raises(Refused) as found:
        await town.raw(0, None, ticket=ticket)
    assert found.value.status == 401
    answer = await stays.command("auth:refresh", {"token": token})
    assert answer["error"]["code"] == "UNAUTHENTICATED"
    assert not stays.closed


async def test_all_tokens_of_a_user_until_now_are_revoked(town: Town) -> None:
    old, ageless = signed(), signed(iat=None)
    clients = [await town.line(0, old), await town.line(1, ageless), await town.raw(1, old)]
    other = await town.line(1, signed("u2"))
    await town.nodes[0].bans.revoke(user_id="u1")
    assert await endings(clients) == [
        *[("UNAUTHENTICATED", 4501)] * 2,
        ("", 4501),
    ]
    assert (await town.refused(1, old))["code"] == "UNAUTHENTICATED"
    assert await town.refused(1, signed(iat=time.time() + 1)) is None
    assert not other.closed


async def test_kicked_is_one_target_that_may_come_back(town: Town) -> None:
    bans, token = town.nodes[0].bans, signed()
    clients = await town.every_door(token)
    other = await town.line(1, signed("u2"))
    await bans.kick(sid=clients[3].sid, message="bye")
    assert await endings(clients[3:4]) == [("KICKED", 4506)]
    assert clients[3].named("closing")[0]["message"] == "bye"
    await bans.kick(job_id=JOB)
    assert await endings([*clients[:3], *clients[4:]]) == [
        *[("KICKED", 4506), ("", 4506), ("KICKED", None)],
        *[("", 4506), ("KICKED", None)],
    ]
    again = await town.line(1, token)
    await bans.kick(user_id="u1")
    assert await endings([again]) == [("KICKED", 4506)]
    assert not other.closed
    await bans.kick(user_id="nobody")


async def test_orders_that_make_no_sense_are_refused(town: Town) -> None:
    bans = town.nodes[0].bans
    orders: list[Awaitable[None]] = [
        bans.kick(),
        bans.kick(user_id="u1", sid="s"),
        bans.kick(user_id="a b"),
        bans.kick(job_id="{x}"),
        bans.kick(user_id="u1", message="x" * 501),
        bans.ban("u1", 0),
        bans.ban("u1", float("nan")),
        bans.ban("u1", 1e12),
        bans.ban("", 1),
        bans.unban("*"),
        bans.revoke(),
        bans.revoke(user_id="u1", token_id="t"),
        bans.revoke(token_id=""),
        bans.revoke(token_id="x" * 9000),
    ]
    for order in orders:
        with pytest.raises(Exception, match=": ") as found:
            await order
        assert found.value.code.name == "INVALID_REQUEST"  # type: ignore[attr-defined]
    assert await town.writer.redis.hlen(town.writer.keys.standing) == 0


async def test_a_node_that_was_deaf_reads_what_it_missed(town: Town) -> None:
    one = await town.line(0, signed())
    ban = Ban(user_id="u1", until=time.time() + 60)
    redis: Any = town.writer.redis
    await redis.hset(town.writer.keys.standing, "ban:u1", encode_order(ban))  # told to nobody
    assert not one.named("closing")
    await town.writer.cut_live_connection()
    assert await ending(one) == ("BANNED", 4507)
    assert (await town.refused(1, signed()))["code"] == "BANNED"


async def test_a_node_that_starts_knows_what_was_ordered_before(town: Town) -> None:
    await town.nodes[0].bans.ban("u1", 60)
    await town.nodes[0].bans.revoke(token_id="t")
    async with local_node(town.settings) as late:
        async with line(late.url, signed()) as one:
            assert one.refusal is not None
            assert one.refusal["code"] == "BANNED"
        async with line(late.url, signed("u2", jti="t")) as one:
            assert one.refusal is not None
            assert one.refusal["code"] == "UNAUTHENTICATED"
    redis: Any = town.writer.redis
    assert set(await redis.hkeys(town.writer.keys.standing)) == {
        b"ban:u1",
        f"token:{digest('t')}".encode(),
    }


async def test_stock_clients_come_back_when_they_may(town: Town) -> None:
    url = town.nodes[0].url
    async with js_client(url, signed()) as kicked:
        await kicked.until(lambda c: c.named("hello"))
        await town.nodes[1].bans.kick(user_id="u1")
        await kicked.until(lambda c: c.named("disconnect"))
        assert kicked.named("closing")[0][0]["reconnect"] is False
        assert kicked.named("disconnect")[0][0] == "io server disconnect"


# -- expiry and another token ---------------------------------------------------------------------


async def test_every_door_ends_after_the_expiry_unless_another_token_came(town: Town) -> None:
    token = signed(ttl=-23.5)
    stays, goes = await town.line(0, token), await town.line(1, token)
    streams = [await town.raw(0, token), await town.source(1, token)]
    for each in (stays, goes):
        await each.until(lambda each=each: each.named("token-expiring"))
    told = stays.named("token-expiring")[0]["expiresAt"]
    answer = await stays.command("auth:refresh", {"token": signed()})
    assert answer["data"].keys() == {"expiresAt"}
    assert answer["data"]["expiresAt"] > told
    assert await asyncio.gather(*map(ending, (goes, *streams))) == [
        ("TOKEN_EXPIRED", 4101),
        ("", 4101),
        ("TOKEN_EXPIRED", None),
    ]
    assert goes.named("closing")[0]["reconnect"] is True
    assert not stays.closed
    assert (await stays.command("subscribe", {"channel": CHANNEL}))["ok"]
    async with line(town.nodes[0].url, signed(), back=goes) as back:
        assert back.hello["recovered"]


async def test_a_token_that_does_not_do_changes_nothing(town: Town) -> None:
    one = await town.line(0, signed())
    assert (await one.command("subscribe", {"channel": CHANNEL}))["ok"]
    table = [
        ({"token": signed("u2")}, "INSUFFICIENT_PERMISSIONS"),
        ({"token": signed(ttl=-60)}, "TOKEN_EXPIRED"),
        ({"token": signed(projects=[])[:-3] + "abc"}, "UNAUTHENTICATED"),
        ({"token": ""}, "UNAUTHENTICATED"),
        ({"token": "x" * 9000}, "UNAUTHENTICATED"),
        ({"token": None}, "INVALID_REQUEST"),
        ({"token": 7}, "INVALID_REQUEST"),
        ({}, "INVALID_REQUEST"),
        ({"token": signed(), "sub": "u2"}, "INVALID_REQUEST"),
        ("token", "INVALID_REQUEST"),
    ]
    for payload, code in table:
        answer = await one.command("auth:refresh", payload)
        assert (answer["ok"], answer["error"]["code"]) == (False, code), payload
    await town.writer.publish(CHANNEL)
    await one.until(lambda: one.offsets(CHANNEL) == [4])


async def test_the_claims_of_the_new_token_count(town: Town) -> None:
    one, other = await town.line(0, signed()), await town.line(0, signed("u2"))
    for each in (one, other):
        assert (await each.command("subscribe", {"channel": CHANNEL}))["ok"]
    answer = await one.command("auth:refresh", {"token": signed(projects=["p2"])})
    assert answer["data"]["left"] == [CHANNEL]
    await town.writer.publish(CHANNEL)
    await other.until(lambda: other.offsets(CHANNEL) == [4])
    await town.writer.publish("all")
    await one.until(lambda: one.offsets("all") == [1])
    assert one.offsets(CHANNEL) == []
    refused = await one.command("subscribe", {"channel": CHANNEL})
    assert refused["error"]["code"] == "INSUFFICIENT_PERMISSIONS"
    one.cut()
    async with line(town.nodes[1].url, signed(projects=["p2"]), back=one) as back:
        assert back.hello["recovered"]
        assert [each["channel"] for each in back.hello["channels"]] == ["user:u1", "all"]
        again = await back.command("auth:refresh", {"token": signed()})
        assert again["data"].keys() == {"expiresAt"}
        assert (await back.command("subscribe", {"channel": CHANNEL}))["ok"]


# -- limits ---------------------------------------------------------------------------------------


async def test_a_user_has_so_many_connections_over_all_doors_and_nodes(town: Town) -> None:
    token = signed()
    inside: list[AsyncExitStack] = []
    codes: list[str] = []

    async def attempt(number: int) -> None:
        stack, url = AsyncExitStack(), town.nodes[number % 2].url
        doors: list[Callable[[], Any]] = [
            lambda: line(url, token),
            lambda: raw(town.http, address(url, JOB), token),
            lambda: source(town.http, address(url, JOB), token),
        ]
        try:
            client = await stack.enter_async_context(doors[number // 2 % 3]())
        except Refused as refused:
            codes.append(f"{refused.status} {refused.problem['errorCode']}")
            return
        if isinstance(client, Line) and client.refusal:
            assert client.refusal["retry"]
            codes.append(f"429 {client.refusal['code']}")
            await stack.aclose()
        else:
            inside.append(stack)

    await asyncio.gather(*map(attempt, range(24)))
    assert codes == ["429 TOO_MANY_CONNECTIONS"] * 17
    assert len(inside) == 7
    assert sum(len(node.guests) for node in town.nodes) == 7
    other = await town.line(0, signed("u2"))
    assert not other.refusal
    assert await town.get(0, token) is None  # polling is no connection
    for stack in inside[:3]:
        await stack.aclose()

    async def has_room() -> bool:
        before = len(inside)
        await attempt(0)
        return len(inside) > before

    for _ in range(3):
        await eventually(has_room, limit=5)
    assert not await has_room()
    for stack in inside[3:]:
        await stack.aclose()

    async def empty() -> bool:
        key = town.writer.keys.attendance("u1")
        return not await town.writer.redis.exists(key)

    await eventually(empty)


async def test_what_a_dead_node_said_of_its_users_does_not_count(town: Town) -> None:
    keys, redis = town.writer.keys, town.writer.redis
    await redis.hset(keys.attendance("u1"), "dead", "7")
    serving = keys.serving(keys.partition("u1"))
    await redis.zadd(serving, {"dead": time.time() * 1000 + 60_000})
    assert (await town.refused(0, signed()))["code"] == "TOO_MANY_CONNECTIONS"
    await redis.zadd(serving, {"dead": time.time() * 1000 - 1})
    assert await town.refused(0, signed()) is None


async def test_a_redis_that_forgot_everything_is_told_again(town: Town) -> None:
    for _ in range(7):
        await town.line(0, signed())
    await town.writer.redis.delete(town.writer.keys.attendance("u1"))
    await town.writer.cut_live_connection()

    async def full() -> bool:
        return await town.writer.redis.exists(town.writer.keys.attendance("u1")) == 1

    await eventually(full)
    assert (await town.refused(1, signed()))["code"] == "TOO_MANY_CONNECTIONS"
