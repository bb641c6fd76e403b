"""What a node keeps for those who look at its connections."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from hub.broker.nodes import Nodes, this_node
from hub.embedded import RedisServer
from hub.gateways import lookout
from hub.gateways.lookout import REDACTED, Lookout, headers
from hub.services.admin.orders import Look
from tests.support.wait import eventually


def asked(viewer: str, **seen: int) -> bytes:
    return msgspec.json.encode(Look(viewer, seen))


async def test_a_viewer_is_forgotten_when_it_asks_no_more(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "FORGOTTEN_AFTER", 0.3)
    nobody: Any = []
    async with Redis.from_url(redis_server.url) as redis:
        nodes = Nodes(redis, this_node("127.0.0.1:1"))
        looks = Lookout(nobody, nodes, nobody)
        first = await looks.look(asked("n1"))
        assert (first.number, first.whole) == (1, True)
        second = await looks.look(msgspec.json.encode(Look("n1", {nodes.me.id: 1})))
        assert (second.number, second.whole) == (2, False)
        missed = await looks.look(msgspec.json.encode(Look("n1", {nodes.me.id: 1})))
        assert (missed.number, missed.whole) == (3, True)  # the answer before was lost
        assert (await looks.look(asked("n2"))).whole
        assert looks.viewers == 2

        async def forgotten() -> bool:
            return looks.viewers == 0

        await eventually(forgotten)
        assert (await looks.look(msgspec.json.encode(Look("n1", {nodes.me.id: 3})))).whole


def test_headers_that_may_hold_a_secret_are_not_shown() -> None:
    environ = {
        "HTTP_HOST": "hub.example",
        "HTTP_AUTHORIZATION": "Bearer x",
        "HTTP_COOKIE": "y",
        "HTTP_X_API_KEY": "z",
        "REMOTE_ADDR": "::1",
    }
    assert headers(environ) == {
        "host": "hub.example",
        **dict.fromkeys(("authorization", "cookie", "x-api-key"), REDACTED),
    }
