"""The whole path on a Redis Cluster and under Sentinel, while a replica takes over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from config.settings import Settings
from hub.broker.keys import Keys
from hub.embedded import MongoServer, RedisServer
from tests.support import topologies
from tests.support.jsclient import js_client
from tests.support.play import EVENTS, steps
from tests.support.system import running_system
from tests.support.topologies import Member
from workers import Publisher

pytestmark = pytest.mark.timeout(150)


@asynccontextmanager
async def deployed(kind: str, directory: Path) -> AsyncIterator[tuple[str, Member, str]]:
    """A deployment: its URL, a primary with a replica, and a job whose channel is there."""
    if kind == "sentinel":
        async with topologies.watched(directory) as watched:
            yield watched.url, watched.primary, "job-1"
        return
    async with topologies.cluster(directory, replicas=1) as cluster:
        victim, number = cluster.primaries[0], 1
        while await cluster.owner(Keys(16).live(f"job:job-{number}")) is not victim:
            number += 1
        yield cluster.url, victim, f"job-{number}"


@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
async def test_nobody_misses_an_event_when_a_replica_takes_over(
    kind: str,
    tmp_path: Path,
    settings: Settings,
    redis_server: RedisServer,
    mongo_server: MongoServer,
) -> None:
    async with AsyncExitStack() as stack:
        url, victim, job_id = await stack.enter_async_context(deployed(kind, tmp_path))
        changed = settings.model_copy(update={"redis_url": url})
        system = await stack.enter_async_context(
            running_system(changed, redis_server, mongo_server)
        )
        hub = await stack.enter_async_context(Publisher(url, retry_for=60))
        job, channel = hub.job(job_id, project_id="p1", owner_id="u1"), f"job:{job_id}"
        await job.start(total_scenarios=12, total_features=3)
        client = await stack.enter_async_context(
            js_client(system.url, system.token(), follow=[channel])
        )
        await client.until(lambda c: c.named("subscribed"))
        for number, step in enumerate(steps(job), start=1):
            if number == 8:  # what was told before has reached the replica, too
                await client.until(lambda c: c.offsets(channel) == [1, 2, 3, 4, 5, 6, 7])
                victim.kill()
            await step()
        await client.until(lambda c: len(c.events(channel)) >= EVENTS)
        assert client.offsets(channel) == list(range(1, EVENTS + 1))
        late = await stack.enter_async_context(
            js_client(system.url, system.token("u2"), follow=[channel])
        )
        await late.until(lambda c: len(c.events(channel)) >= EVENTS)
        assert late.offsets(channel) == list(range(1, EVENTS + 1))
