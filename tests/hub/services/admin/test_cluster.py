"""Who does not answer is named, and costs time once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.broker import keys as names
from hub.broker.connect import open_redis
from hub.broker.control import BLOCK, Control
from hub.broker.nodes import Nodes, this_node
from hub.domain import codes
from hub.embedded import RedisServer
from hub.services.admin.broadcast import Audience, Broadcasts, Words
from hub.services.admin.cluster import WITHIN, Cluster
from hub.services.admin.orders import FIND, KICK, LOOK, SAY, STEER, VIEWERS, Say, Steer, Target
from tests.support.wait import eventually

JUNK = ("junk", 7.5, None, {"a": 1}, ["x", 1])


@dataclass
class Scene:
    """``cluster`` is on the node ``me``, which answers with what is in ``says``, by kind."""

    cluster: Cluster
    me: str
    redis: Redis
    says: dict[str, Any]

    async def asked(self) -> tuple[float, list[str]]:
        """How many seconds a question took, and who is missing."""
        clock = asyncio.get_running_loop().time
        began = clock()
        missing = (await self.cluster.viewers("job:j1")).missing
        return clock() - began, missing

    async def beat(self, node: str, seconds: int = 15) -> None:
        """A node that says that it lives, and nothing else."""
        await self.redis.sadd(names.NODES, node)
        await self.redis.set(names.node(node), b'{"id": "%s"}' % node.encode(), px=seconds * 1000)


@asynccontextmanager
async def running(server: RedisServer) -> AsyncIterator[Scene]:
    async with open_redis(server.url) as redis, open_redis(server.url, timeout=3 * BLOCK) as block:
        await redis.flushall()
        nodes = Nodes(redis, this_node("a:1"))
        control = Control(redis, block, nodes.me.id)
        says: dict[str, Any] = {VIEWERS: ["u1"]}
        for kind in (FIND, KICK, LOOK, SAY, STEER, VIEWERS):

            async def answer(body: bytes, kind: str = kind) -> Any:
                del body
                return says[kind]

            control.on(kind, answer)
        tasks = [asyncio.create_task(each.run()) for each in (nodes, control)]
        cluster = Cluster(control, nodes)

        async def up() -> bool:
            return (await cluster.viewers("job:j1")).found == ["u1"]

        await eventually(up)
        try:
            yield Scene(cluster, nodes.me.id, redis, says)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def test_who_does_not_answer_is_named_and_waited_for_once(redis_server: RedisServer) -> None:
    async with running(redis_server) as scene:
        assert (await scene.asked())[1] == []
        await scene.beat("dead")
        took, missing = await scene.asked()
        assert missing == ["dead"]
        assert took >= WITHIN
        for _ in range(3):
            took, missing = await scene.asked()
            assert missing == ["dead"]
            assert took < WITHIN / 2
        await scene.beat("dead")  # it lives after all
        assert (await scene.asked())[0] >= WITHIN
        await scene.redis.delete(names.node("dead"))
        took, missing = await scene.asked()
        assert (missing, took < WITHIN / 2) == ([], True)


async def test_an_answer_that_cannot_be_read_is_none(redis_server: RedisServer) -> None:
    async with running(redis_server) as scene:
        for junk in JUNK:
            scene.says |= dict.fromkeys((FIND, KICK, LOOK, SAY, STEER, VIEWERS), junk)
            assert await scene.cluster.find(Target(), "", 1) == ([], [scene.me])
            kicked, missing = await scene.cluster.kick(Target(), codes.KICKED)
            assert (kicked.connections, missing) == (0, [scene.me])
            assert await scene.cluster.say(Say("X")) == (0, [scene.me])
            assert await scene.cluster.viewers("job:j1") == ([], [scene.me])
            assert await scene.cluster.look({}) == ([scene.me], {})
        scene.says[STEER] = {"done": "x"}
        assert (await scene.cluster.steer(Steer("/", "join"))).missing == [scene.me]


async def test_to_viewers_whom_not_every_node_named_nothing_is_said(
    redis_server: RedisServer,
) -> None:
    journal: Any = None  # is not asked
    words = Words("t", "b", "INFO")
    async with running(redis_server) as scene:
        await scene.beat("dead")
        with pytest.raises(codes.HubError) as refused:
            await Broadcasts(scene.cluster, journal).persist(words, Audience(job_id="j1"))
        assert refused.value.code is codes.UNAVAILABLE
        assert "dead" in str(refused.value.message)
        scene.says[SAY] = 3
        said, missing = await Broadcasts(scene.cluster, journal).live(words, Audience(job_id="j1"))
        assert (said["connections"], missing) == (3, ["dead"])


async def test_a_text_for_many_is_told_once(redis_server: RedisServer) -> None:
    journal: Any = None
    users = [f"{'u' * 50}{number}" for number in range(1000)]
    async with running(redis_server) as scene:
        scene.says[SAY] = 0
        words = Words("t" * 4096, "b" * 16384, "INFO")
        await Broadcasts(scene.cluster, journal).live(words, Audience(users=users))
        used: Any = await scene.redis.memory_usage(names.CONTROL, samples=0)
        assert used < 200_000
