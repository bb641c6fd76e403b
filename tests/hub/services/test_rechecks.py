"""Whoever follows a job is asked again whether it may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from config.settings import Settings
from hub.broker.slots import Slots
from hub.domain import codes, jobs
from hub.domain.events import Position
from hub.domain.principal import Principal, Role
from hub.services.channels import Channels, required_channel
from hub.services.jobs import Jobs
from hub.services.rechecks import Rechecks
from hub.stores.heads import Head, Heads
from tests.hub.domain import samples
from tests.hub.domain.samples import after
from tests.hub.services.node import Node, Several, running_node

FOLLOWED = ("job:j1", "job:j2", "topic:news")


class Guarded(Several):
    """A follower in somebody's name."""

    def __init__(self, *projects: str) -> None:
        super().__init__(*FOLLOWED)
        self.principal = who(*projects)
        self.taken: list[tuple[str, str]] = []

    def revoked(self, channel: str, code: codes.Code) -> None:
        self.taken.append((channel, code.name))


def who(*projects: str) -> Principal:
    return Principal("u1", frozenset({Role.USER}), frozenset(projects), after(1e6))


class House:
    """A node with two jobs of two projects, and a clock."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.now = after(0)
        self.jobs = Jobs(Heads(node.events._events.database, lambda: self.now), node.events)
        self.slots = Slots(node.redis, node.keys, 5)
        self.channels = Channels(self.jobs, node.following, self.slots)
        self.rechecks = Rechecks(self.jobs, self.channels, node.following)

    async def store(self, name: str, project: str, **more: object) -> None:
        job = jobs.started(samples.job_started(0, name, project_id=project), samples.T0)
        kept = samples.T0 + timedelta(hours=1) if more else None
        head = Head(f"job:{name}", "e1", 2, msgspec.structs.replace(job, **more), kept)
        await self.node.heads.advance([head])

    async def enter(self, *projects: str) -> Guarded:
        """Somebody who follows all."""
        one = Guarded(*projects)
        for name in FOLLOWED:
            channel = required_channel(name)
            position = Position("e1", 2)
            await self.channels.subscribe(one.principal, one, channel, position, one.hand_over)
        return one


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with running_node(settings) as node:
        built = House(node)
        await built.store("j1", "p1")
        await built.store("j2", "p2")
        yield built


async def test_who_may_still_is_left_alone(house: House) -> None:
    one = await house.enter("p1", "p2")
    await house.rechecks.everybody()
    assert one.taken == []
    assert len(house.slots) == 2


async def test_who_may_no_longer_follows_no_longer_and_has_no_slot(house: House) -> None:
    one, other = await house.enter("p1", "p2"), await house.enter("p1", "p2")
    one.principal = who("p2")
    await house.rechecks.everybody()
    assert one.taken == [("job:j1", "INSUFFICIENT_PERMISSIONS")]
    assert house.node.following.followers("job:j1") == [other]
    assert house.node.following.followers("job:j2") == [one, other]
    assert len(house.slots) == 3
    await house.store("j2", "p3")
    await house.rechecks.everybody()
    lost = ("job:j2", "INSUFFICIENT_PERMISSIONS")
    assert (one.taken[1:], other.taken) == ([lost], [lost])
    assert house.node.following.followers("topic:news") == [one, other]


async def test_a_job_that_is_not_kept_any_more_is_not_followed(house: House) -> None:
    one = await house.enter("p1", "p2")
    await house.store("j1", "p1", status="COMPLETED")
    house.now += timedelta(hours=1) - timedelta(milliseconds=1)
    await house.rechecks.everybody()
    assert one.taken == []
    assert len(house.slots) == 1  # that of the job which has ended is another one's
    house.now += timedelta(milliseconds=1)
    await house.rechecks.everybody()
    assert one.taken == [("job:j1", "JOB_NOT_FOUND")]
    assert house.node.following.names("job:") == ["job:j2"]


async def test_what_cannot_be_answered_takes_nothing(house: House) -> None:
    one = await house.enter("p1", "p2")
    one.principal = who()
    await house.node.events._events.database.client.close()
    await house.rechecks.everybody()
    assert one.taken == []
