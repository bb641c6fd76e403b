"""Joining and staying up to date on real servers, also when they fail in between."""

from __future__ import annotations

import asyncio

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from hub.delivery.feed import START
from hub.domain import jobs
from hub.domain.codes import UNAVAILABLE, HubError
from hub.domain.events import Position
from hub.services import joining
from hub.services.following import Following, Mode, Wanted
from tests.hub.domain import samples
from tests.hub.services.node import Follower, Node, Several, eventually

NEWS = "topic:news"
FRESH = Mode.FRESH
JOB = jobs.started(samples.job_started(), samples.T0)


def at(offset: int, epoch: str = "e1") -> Position:
    """A position."""
    return Position(epoch, offset)


# -- joining --------------------------------------------------------------------------------------


async def test_a_fresh_join_starts_at_the_end_and_hears_what_comes(node: Node) -> None:
    await node.publish(NEWS, 3)
    follower = await node.join(NEWS)
    assert (follower.mode, follower.position, follower.offsets) == (Mode.FRESH, at(3), [])
    await node.publish(NEWS, 2)
    await eventually(lambda: follower.offsets == [4, 5])


async def test_a_fresh_join_with_history_gets_the_whole_log_and_the_snapshot(node: Node) -> None:
    await node.publish("job:j1", 3)
    await node.store_job(JOB, at(3))
    follower = await node.join("job:j1", history=True)
    assert (follower.mode, follower.offsets) == (Mode.FRESH, [1, 2, 3])
    assert follower.joined is not None
    assert follower.joined.snapshot is not None
    assert (follower.joined.snapshot["offset"], follower.joined.snapshot["jobId"]) == (3, "j1")


@pytest.mark.parametrize("since", [0, 1, 4, 5])
async def test_what_was_missed_is_replayed(node: Node, since: int) -> None:
    await node.publish(NEWS, 5)
    follower = await node.join(NEWS, at(since))
    assert (follower.mode, follower.position) == (Mode.REPLAYED, at(5))
    assert follower.offsets == list(range(since + 1, 6))
    await node.publish(NEWS)
    await eventually(lambda: follower.position == at(6))


async def test_offset_0_is_before_the_first_event_of_any_epoch(node: Node) -> None:
    await node.publish(NEWS, 2)
    follower = await node.join(NEWS, Position("", 0))
    assert (follower.mode, follower.offsets) == (Mode.REPLAYED, [1, 2])


@pytest.mark.parametrize(
    "since", [Position("another", 2), at(6)], ids=["another epoch", "beyond the end"]
)
async def test_a_position_that_means_nothing_is_a_reset(node: Node, since: Position) -> None:
    await node.publish(NEWS, 5)
    follower = await node.join(NEWS, since)
    assert (follower.mode, follower.position, follower.offsets) == (Mode.RESET, at(5), [])
    await node.publish(NEWS)
    await eventually(lambda: follower.offsets == [6])


async def test_who_missed_too_much_starts_from_the_end(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "REPLAYED_AT_MOST", 3)
    await node.publish(NEWS, 5)
    assert (await node.join(NEWS, at(1))).mode is Mode.RESET
    assert (await node.join(NEWS, at(2))).mode is Mode.REPLAYED


async def test_a_channel_without_events_is_followed_from_its_very_first_one(node: Node) -> None:
    followers = [
        await node.join(NEWS),
        await node.join(NEWS, START),
        await node.join(NEWS, history=True),
    ]
    assert {each.position for each in followers} == {START}
    await node.publish(NEWS, 2)
    for each in followers:
        await eventually(lambda each=each: each.offsets == [1, 2])  # type: ignore[misc]
        assert each.resets == []


async def test_many_channels_are_joined_at_the_cost_of_one(node: Node) -> None:
    await node.publish(NEWS, 5)
    await node.publish("topic:other", 2)
    several = Several(NEWS, "topic:other", "topic:empty")
    await several.join(
        node.following, Wanted(NEWS, at(2)), Wanted("topic:other"), Wanted("topic:empty")
    )
    assert several.of(NEWS).offsets == [3, 4, 5]
    assert (several.of("topic:other").mode, several.of("topic:other").position) == (FRESH, at(2))
    assert several.of("topic:empty").position == START
    for channel in several.followers:
        await node.publish(channel)
    await eventually(lambda: several.of(NEWS).offsets == [3, 4, 5, 6])
    await eventually(lambda: several.of("topic:other").offsets == [3])
    await eventually(lambda: several.of("topic:empty").offsets == [1])


async def test_when_one_channel_fails_none_is_joined(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.publish(NEWS, 5)
    several = Several(NEWS, "topic:other")

    async def away(*_: object, **__: object) -> None:
        raise ServerSelectionTimeoutError("away")

    monkeypatch.setattr(node.following._catch_up, "up_to", away)
    with pytest.raises(HubError) as caught:
        await several.join(node.following, Wanted("topic:other"), Wanted(NEWS, at(2)))
    assert caught.value.code is UNAVAILABLE
    assert several.of("topic:other").mode is FRESH  # it was joined already, and is left again
    assert node.following.channels == 0
    await node.subscribed_to(set())


async def test_who_is_cancelled_while_joining_is_told_nothing(node: Node) -> None:
    await node.publish(NEWS, 5)
    node.gate.close()
    several = Several(NEWS, "topic:other")
    join = asyncio.create_task(
        several.join(node.following, Wanted(NEWS, at(2)), Wanted("topic:other", history=True))
    )
    await eventually(lambda: node.gate.waiting == 1)
    join.cancel()
    await asyncio.wait([join])
    assert join.cancelled()
    assert (several.of(NEWS).joined, node.following.channels) == (None, 0)
    await node.subscribed_to(set())


async def test_who_joins_again_is_brought_up_to_date_again(node: Node) -> None:
    await node.publish(NEWS, 2)
    follower = await node.join(NEWS)
    await node.publish(NEWS, 2)
    await eventually(lambda: follower.offsets == [3, 4])
    await follower.join(node.following, Wanted(NEWS, at(3)))
    assert (follower.mode, follower.offsets) == (Mode.REPLAYED, [3, 4, 4])
    await node.publish(NEWS)
    await eventually(lambda: follower.offsets == [3, 4, 4, 5])
    node.following.leave(follower, NEWS)
    assert node.following.channels == 0


async def test_without_running_nothing_can_be_joined(node: Node) -> None:
    stopped = Following(node.heads, node.following._catch_up)
    follower = Follower()
    with pytest.raises(HubError) as caught:
        await follower.join(stopped, Wanted(NEWS))
    assert caught.value.code is UNAVAILABLE
    assert stopped.channels == 0


# -- where events are read from -------------------------------------------------------------------


async def test_without_hot_log_the_events_come_from_mongodb(node: Node) -> None:
    await node.publish(NEWS, 5)
    await node.redis.delete(node.keys.log(NEWS))
    assert (await node.join(NEWS, at(2))).offsets == [3, 4, 5]


async def test_where_the_hot_log_was_trimmed_the_events_come_from_mongodb(node: Node) -> None:
    await node.publish(NEWS, 6)
    await node.redis.xtrim(node.keys.log(NEWS), maxlen=2, approximate=False)
    assert (await node.join(NEWS, at(2))).offsets == [3, 4, 5, 6]
    assert (await node.join(NEWS, at(4))).offsets == [5, 6]


async def test_a_hot_log_that_is_behind_is_completed_from_mongodb(node: Node) -> None:
    await node.publish(NEWS, 3)
    await node.publish(NEWS, 3, tell=False)
    assert (await node.join(NEWS, at(1))).offsets == [2, 3, 4, 5, 6]


async def test_a_hot_log_of_another_epoch_is_not_used(node: Node) -> None:
    await node.publish(NEWS, 5, epoch="e0")
    node.ends.clear()
    await node.redis.rename(node.keys.log(NEWS), node.keys.log("topic:copy"))
    await node.publish("topic:copy", 5, tell=False)
    assert (await node.join("topic:copy", at(2))).offsets == [3, 4, 5]


async def test_a_log_whose_beginning_is_gone_is_a_reset(node: Node) -> None:
    await node.publish(NEWS, 5)
    await node.redis.xtrim(node.keys.log(NEWS), maxlen=2, approximate=False)
    await node.events._events.delete_many({"channel": NEWS, "offset": {"$lte": 3}})
    assert (await node.join(NEWS, at(2))).mode is Mode.RESET
    assert (await node.join(NEWS, at(3))).offsets == [4, 5]


# -- staying up to date ---------------------------------------------------------------------------


async def test_joins_while_events_come_miss_none_and_repeat_none(node: Node) -> None:
    await node.publish(NEWS, 3)

    async def publish() -> None:
        for _ in range(25):
            await node.publish(NEWS, 2)

    async def join_late(number: int) -> Follower:
        await asyncio.sleep(number * 0.01)
        return await node.join(NEWS, at(number % 4))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(publish())
        joins = [tasks.create_task(join_late(number)) for number in range(20)]
    for number, join in enumerate(joins):
        follower = join.result()
        await eventually(lambda: follower.position == at(53))  # noqa: B023
        assert follower.offsets == list(range(number % 4 + 1, 54))
        assert follower.resets == []


async def test_events_of_a_time_without_live_connection_are_filled(node: Node) -> None:
    await node.publish(NEWS, 1)
    followers = [await node.join(NEWS), await node.join("topic:quiet"), await node.join(NEWS)]
    for outage in range(1, 4):
        await node.cut_live_connection()
        await node.publish(NEWS, 2)
        await node.publish("topic:quiet", 2, tell=outage != 3)
        await node.publish(NEWS, 1)
        await eventually(lambda: len(node.restored) == outage)  # noqa: B023
    await eventually(lambda: followers[0].position == followers[2].position == at(10))
    await eventually(lambda: followers[1].position == at(6))
    assert all(each.resets == [] for each in followers)


async def test_a_lost_batch_is_filled_by_the_next_one(node: Node) -> None:
    await node.publish(NEWS, 1)
    follower = await node.join(NEWS)
    await node.publish(NEWS, 3, tell=False)
    await node.publish(NEWS, 1)
    await eventually(lambda: follower.offsets == [2, 3, 4, 5])


async def test_what_cannot_be_filled_any_more_is_a_reset(node: Node) -> None:
    await node.publish(NEWS, 1)
    follower = await node.join(NEWS)
    await node.publish(NEWS, 3, tell=False)
    await node.events._events.delete_many({"channel": NEWS, "offset": {"$lte": 3}})
    await node.publish(NEWS, 1)
    await eventually(lambda: follower.position == at(5))
    assert [(each.epoch, each.offset) for each in follower.resets] == [("e1", 5)]
    await node.publish(NEWS, 1)
    await eventually(lambda: follower.offsets == [6])


async def test_a_summary_is_where_the_log_is_now(node: Node) -> None:
    await node.publish("job:j1", 3)
    await node.store_job(JOB, at(3))
    follower = await node.join("job:j1")
    await node.publish("job:j1", 2, tell=False)
    await node.store_job(JOB, at(5))
    notice = await node.following.summary("job:j1")
    assert (notice.epoch, notice.offset) == ("e1", 5)
    assert notice.snapshot is not None
    assert (notice.snapshot["jobId"], notice.snapshot["offset"]) == ("j1", 5)
    assert (follower.position, follower.resets) == (at(3), [])
    assert (await node.following.summary(NEWS)).offset == 0


async def test_a_summary_of_a_log_that_began_anew_resets_all_who_follow(node: Node) -> None:
    """Else the rest of the former log would still come to who was told of the new one."""
    await node.publish("job:j1", 3)
    followers = [await node.join("job:j1"), await node.join("job:j1")]
    await node.forget("job:j1")
    await node.store_job(JOB, at(2, "e2"))
    notice = await node.following.summary("job:j1")
    for each in followers:
        assert each.position == Position(notice.epoch, notice.offset) == at(2, "e2")
        assert [reset.snapshot for reset in each.resets] == [notice.snapshot]


async def test_a_summary_of_a_log_that_is_gone_is_where_the_channel_stands(node: Node) -> None:
    await node.publish("job:j1", 3)
    await node.join("job:j1")
    await node.forget("job:j1")
    notice = await node.following.summary("job:j1")
    assert (notice.epoch, notice.offset, notice.snapshot) == ("e1", 3, None)


async def test_a_node_hears_only_what_somebody_follows(node: Node) -> None:
    live = node.keys.live(NEWS)
    assert await node.subscriptions() == set()
    first, second = await node.join(NEWS), await node.join(NEWS)
    assert await node.subscriptions() == {live}
    node.following.leave(first, NEWS)
    await node.publish(NEWS)
    await eventually(lambda: second.offsets == [1])
    assert first.offsets == []
    assert await node.subscriptions() == {live}
    node.following.leave(second, NEWS)
    node.following.leave(second, "topic:never")
    assert node.following.channels == 0
    await node.subscribed_to(set())
    again = await node.join(NEWS)
    await node.publish(NEWS)
    await eventually(lambda: again.offsets == [2])


async def test_who_leaves_while_joining_is_told_nothing(node: Node) -> None:
    await node.publish(NEWS, 3)
    node.gate.close()
    follower = Follower()
    join = asyncio.create_task(follower.join(node.following, Wanted(NEWS, at(1))))
    await eventually(lambda: node.gate.waiting == 1)
    node.following.leave(follower, NEWS)
    node.gate.open()
    await join
    assert (follower.joined, node.following.channels) == (None, 0)


async def test_joining_and_leaving_over_and_over_never_fails(node: Node) -> None:
    """Whatever the order of subscriptions, confirmations and their ends."""

    async def come_and_go(number: int) -> None:
        for turn in range(25):
            follower = await node.join(NEWS)
            for _ in range((number * 7 + turn) % 5):
                await asyncio.sleep(0)
            node.following.leave(follower, NEWS)
            for _ in range((number * 3 + turn) % 7):
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(come_and_go(number))
    assert node.following.channels == 0
