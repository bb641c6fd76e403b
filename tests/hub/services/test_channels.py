"""Who may follow what: nothing is joined that was not permitted, and all of it or none."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from hub.broker.slots import Slots
from hub.domain import codes, jobs
from hub.domain.events import Position
from hub.domain.principal import Principal, Role
from hub.services.channels import Channels, required_channel
from hub.services.following import Mode
from hub.services.jobs import Jobs
from tests.hub.domain import samples
from tests.hub.services.node import Node, Several, eventually

WHO = Principal("u1", frozenset({Role.USER}), frozenset({"p1"}), datetime.max.replace(tzinfo=UTC))


@pytest.fixture
async def channels(node: Node) -> Channels:
    """With a job ``j1`` of project p1 and one ``j2`` of p2."""
    for job_id, project in (("j1", "p1"), ("j2", "p2")):
        job = jobs.started(samples.job_started(), samples.T0)
        job = msgspec.structs.replace(job, id=job_id, project_id=project)
        await node.publish(f"job:{job_id}", 2)
        await node.store_job(job, Position("e1", 2))
    return Channels(Jobs(node.heads, node.events), node.following, Slots(node.redis, node.keys, 2))


async def test_all_are_joined_and_come_back_in_their_order(node: Node, channels: Channels) -> None:
    await node.publish("topic:t", 3)
    wanted = {"user:u1": None, "all": None, "topic:t": Position("e1", 1), "job:j1": None}
    several = Several(*wanted)
    joined = await channels.subscribe_all(WHO, several, wanted)
    assert [each.channel for each in joined] == list(wanted)
    assert [len(each.events) for each in joined] == [0, 0, 2, 2]  # of a job, all of its history
    assert [each.mode for each in joined] == [
        Mode.FRESH, Mode.FRESH, Mode.REPLAYED, Mode.FRESH
    ]  # fmt: skip
    for each in joined:
        several.hand_over(each)
    await node.publish("topic:t")
    await eventually(lambda: several.of("topic:t").offsets == [2, 3, 4])
    for name in wanted:
        channels.unsubscribe(several, name)
    assert node.following.channels == 0


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("user:u2", codes.INSUFFICIENT_PERMISSIONS),
        ("job:j2", codes.INSUFFICIENT_PERMISSIONS),
        ("job:j3", codes.JOB_NOT_FOUND),
        ("job:", codes.INVALID_REQUEST),
        ("news", codes.INVALID_REQUEST),
    ],
)
async def test_one_that_is_refused_refuses_all(
    node: Node, channels: Channels, name: str, code: codes.Code
) -> None:
    wanted = {"user:u1": None, "job:j1": None, name: None}
    with pytest.raises(codes.HubError) as caught:
        await channels.subscribe_all(WHO, Several(*wanted), wanted)
    assert caught.value.code is code
    assert node.following.channels == 0


async def take_all(channels: Channels, *, name: str = "job:j1") -> list[Several]:
    """Followers on every slot of a job."""
    followers = [Several(name), Several(name)]
    for each in followers:
        await channels.subscribe(WHO, each, required_channel(name), None, each.hand_over)
    return followers


async def refused(channels: Channels, follower: Several, name: str = "job:j1") -> codes.HubError:
    with pytest.raises(codes.HubError) as caught:
        await channels.subscribe(WHO, follower, required_channel(name), None, follower.hand_over)
    return caught.value


async def test_a_job_has_so_many_followers(node: Node, channels: Channels) -> None:
    first, _ = await take_all(channels)
    error = await refused(channels, Several("job:j1"))
    assert (error.code, error.retry_after) == (codes.TOO_MANY_CONNECTIONS, 10)
    await channels.subscribe(WHO, first, required_channel("job:j1"), None, first.hand_over)  # again
    channels.unsubscribe(first, "job:j1")
    another = Several("job:j1")
    await channels.subscribe(WHO, another, required_channel("job:j1"), None, another.hand_over)
    assert (await refused(channels, first)).code is codes.TOO_MANY_CONNECTIONS


async def test_many_at_once_are_refused_for_a_crowded_job_or_go_without_it(
    node: Node, channels: Channels
) -> None:
    await take_all(channels)
    wanted = {"user:u1": None, "job:j1": None}
    several = Several(*wanted)
    with pytest.raises(codes.HubError) as caught:
        await channels.subscribe_all(WHO, several, wanted)
    assert caught.value.code is codes.TOO_MANY_CONNECTIONS
    joined = await channels.subscribe_all(WHO, several, wanted, without_refused=True)
    assert [each.channel for each in joined] == ["user:u1"]


async def test_who_failed_to_join_has_no_slot(node: Node, channels: Channels) -> None:
    node.following._heads = None  # type: ignore[assignment]  # joining raises, behind the slot
    for _ in range(3):
        one = Several("job:j1")
        with pytest.raises(AttributeError):
            await channels.subscribe(WHO, one, required_channel("job:j1"), None, one.hand_over)


async def test_a_job_that_ended_has_any_number(node: Node, channels: Channels) -> None:
    job = msgspec.structs.replace(jobs.started(samples.job_started(), samples.T0), status="FAILED")
    await node.publish("job:j1")
    await node.store_job(job, Position("e1", 3))
    await take_all(channels)
    one = Several("job:j1")
    await channels.subscribe(WHO, one, required_channel("job:j1"), None, one.hand_over)
    assert one.of("job:j1").offsets == [1, 2, 3]
