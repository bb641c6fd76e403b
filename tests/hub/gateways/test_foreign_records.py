"""What another version of the hub, or somebody by mistake, wrote into Redis ends no node."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from config.settings import Settings
from hub.broker import keys as names
from hub.broker.connect import open_redis
from hub.broker.keys import ORDERS, Keys
from tests.support.nodes import local_node, signed
from tests.support.sioline import line

STRAY = "zz-of-another-version"
BEFORE = "00-of-another-version"  # the lowest id: whose node would keep the history
JUNK = (b"", b"{", b'{"id": 7}', b"[]", b"\xff\xfe", b'{"kind": "LATER"}')
Write = Callable[[Redis, Keys, str], Awaitable[Any]]


def figures(**more: Any) -> bytes:
    given = {"connections": {"socketio": 1, "websocket": 0, "sse": 0}, "latency": [0] * 23}
    return json.dumps({"id": STRAY, **given, **more}).encode()


async def leases(redis: Redis, keys: Keys, node: str) -> None:
    await redis.sadd(names.NODES, node, b"\xff\xfe", "junk")
    await redis.set(names.node(node), json.dumps({"id": node, "host": "h"}), px=10_000)
    await redis.set(names.node("junk"), b"{", px=10_000)


async def figures_without_a_key(redis: Redis, keys: Keys, node: str) -> None:
    await leases(redis, keys, f"{node}-1")
    await redis.set(names.figures(f"{node}-1"), figures(), px=10_000)


async def figures_by_other_bounds(redis: Redis, keys: Keys, node: str) -> None:
    await leases(redis, keys, f"{node}-2")
    await redis.set(names.figures(f"{node}-2"), figures(latency=[1, 2]), px=10_000)


async def figures_that_are_none(redis: Redis, keys: Keys, node: str) -> None:
    await leases(redis, keys, f"{node}-3")
    await redis.set(names.figures(f"{node}-3"), b'{"id": 7}', px=10_000)


async def ingested(redis: Redis, keys: Keys, node: str) -> None:
    await redis.set(names.INGESTED, b"many")


async def history(redis: Redis, keys: Keys, node: str) -> None:
    at = f"{int(time.time() * 1000) + 60_000}-0"  # the newest for a minute
    await redis.xadd(names.HISTORY, {"f": b'{"at": "x", "cluster": {}}'}, at)


async def history_without_a_field(redis: Redis, keys: Keys, node: str) -> None:
    at = f"{int(time.time() * 1000) + 60_001}-0"
    moment = b'{"at": "x", "cluster": {}, "jobs_live": 1, "journal_lag": 2}'
    await redis.xadd(names.HISTORY, {"f": moment}, at)
    await redis.xadd(names.HISTORY, {"g": b"?"}, f"{int(time.time() * 1000) + 70_000}-0")


async def control(redis: Redis, keys: Keys, node: str) -> None:
    for junk in (*JUNK, b'{"kind": "kick", "body": {}}', b'{"kind": "later", "body": 1}'):
        await redis.xadd(names.CONTROL, {"o": junk})
    await redis.xadd(names.CONTROL, {"p": b"?"})


async def standing(redis: Redis, keys: Keys, node: str) -> None:
    for number, junk in enumerate(JUNK):
        await redis.hset(keys.standing, f"ban:u{number}", junk)
    await redis.hset(keys.standing, b"\xff\xfe", b"?")
    await redis.publish(keys.live(ORDERS), b'orders 1\n{"kind": "LOOK_UP"}')


async def orders(redis: Redis, keys: Keys, node: str) -> None:
    for junk in JUNK:
        await redis.publish(keys.live(ORDERS), b"orders 1\n" + junk)
        await redis.publish(keys.live(ORDERS), junk)


async def live(redis: Redis, keys: Keys, node: str) -> None:
    """On the channels that the client follows."""
    for channel in ("user:u1", "all"):
        for junk in (*JUNK, b"e x y z\n{}", b"e\n{}", b"e \n{}", b"\xff 1 t\n{}"):
            await redis.publish(keys.live(channel), junk)


WRITES = [
    *(leases, figures_without_a_key, figures_by_other_bounds, figures_that_are_none),
    *(ingested, history, history_without_a_field, control, standing, orders, live),
]


@pytest.mark.parametrize("node", [BEFORE, STRAY])
async def test_a_node_lives_on(settings: Settings, node: str) -> None:
    admin = signed("root", roles=["admin"])
    keys = Keys(settings.partitions)
    async with (
        open_redis(settings.redis_url or "") as redis,
        local_node(settings) as here,
        line(here.url, signed("u1")) as user,
        line(here.url, admin, namespace="/admin") as root,
    ):
        await root.until(lambda: root.named("stats"))
        for write in WRITES:
            await write(redis, keys, node)
        seen = len(root.named("stats"))
        await root.until(lambda: len(root.named("stats")) >= seen + 2)
        answer = await root.command("stats", {"history": True})
        assert answer["ok"]
        mine = [each for each in answer["data"]["nodes"] if "version" not in each["id"]]
        assert [each["connections"]["socketio"] for each in mine] == [2]
        assert answer["data"]["cluster"]["connections"]["socketio"] >= 2
        listed = await root.command("connections", {"userId": "u1"})
        assert [each["userId"] for each in listed["data"]["items"]] == ["u1"]
        assert (await user.command("subscribe", {"channel": "topic:t"}))["ok"]
        async with line(here.url, signed("u2")) as other:
            assert other.refusal is None
