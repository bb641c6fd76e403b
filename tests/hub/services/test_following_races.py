"""Following: what only goes wrong when one store is slow while something else happens."""

from __future__ import annotations

import asyncio

import pytest

from hub.broker.hotlog import Batch
from hub.broker.live import LiveChannels
from hub.delivery.feed import START
from hub.domain.codes import UNAVAILABLE, HubError
from hub.services.following import Following, Wanted
from tests.hub.services.node import Follower, Node, Several, eventually
from tests.hub.services.test_following import JOB, NEWS, at


async def test_a_join_that_lasts_over_an_outage_misses_nothing(node: Node) -> None:
    """The live connection breaks and comes back while the first follower of a channel still waits
    for what it missed: what was published meanwhile came by no other way."""
    await node.publish(NEWS, 3)
    node.gate.close()
    follower = Follower()
    join = asyncio.create_task(follower.join(node.following, Wanted(NEWS, at(1))))
    await eventually(lambda: node.gate.waiting == 1)
    await node.cut_live_connection()
    await node.publish(NEWS, 1)
    await eventually(lambda: len(node.restored) == 1)
    await asyncio.sleep(0.2)
    node.gate.open()
    await join
    await eventually(lambda: follower.position == at(4), seconds=3)


async def test_a_fill_for_followers_who_left_does_not_hold_up_those_who_come(node: Node) -> None:
    """The gap of the next followers is filled, too, while reading for the former ones hangs."""
    await node.publish(NEWS, 1)
    former = await node.join(NEWS)
    node.gate.close()
    await node.publish(NEWS, 1, tell=False)
    await node.publish(NEWS, 1)
    await eventually(lambda: node.gate.waiting == 1)
    node.following.leave(former, NEWS)
    follower = await node.join(NEWS)
    assert follower.position == at(3)
    await node.publish(NEWS, 1, tell=False)
    await node.publish(NEWS, 1)
    await asyncio.sleep(0.2)
    node.gate.open()
    await eventually(lambda: follower.offsets == [4, 5], seconds=3)


async def test_a_join_that_is_under_way_when_the_service_stops_ends(
    node: Node, free_port: int
) -> None:
    following = Following(node.heads, node.following._catch_up)
    away = f"redis://127.0.0.1:{free_port}"
    live = LiveChannels(away, node.keys, following.on_batch, following.on_restored)
    running = asyncio.create_task(following.run(live))
    await asyncio.sleep(0)
    several = Several(NEWS, "topic:other")
    join = asyncio.create_task(several.join(following, Wanted(NEWS), Wanted("topic:other")))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    await live.close()
    with pytest.raises(HubError) as caught:
        await asyncio.wait_for(join, 5)
    assert (caught.value.code, following.channels) == (UNAVAILABLE, 0)


async def test_a_log_that_began_anew_can_be_joined_before_its_first_event(node: Node) -> None:
    """A job was started again after its retention: the follower from before has not heard yet."""
    await node.publish("job:j1", 3)
    former = await node.join("job:j1")
    await node.forget("job:j1")
    await node.store_job(JOB, at(0, "e2"))
    follower = await node.join("job:j1", history=True)
    assert follower.position == at(0, "e2")
    assert [(each.epoch, each.offset) for each in former.resets] == [("e2", 0)]
    assert former.resets[0].snapshot is not None
    await node.publish("job:j1", 2, epoch="e2")
    await eventually(lambda: follower.offsets == [1, 2])
    await eventually(lambda: former.position == at(2, "e2"))


async def test_a_log_that_begins_unheard_is_no_reset_to_who_waited_for_it(node: Node) -> None:
    waiting = await node.join(NEWS)
    await node.publish(NEWS, 3, tell=False)
    follower = await node.join(NEWS)
    assert follower.position == at(3)
    await eventually(lambda: waiting.offsets == [1, 2, 3])
    assert waiting.resets == []


async def test_who_follows_a_job_that_begins_anew_gets_its_snapshot(node: Node) -> None:
    """Contract section 4: a reset of a job has its snapshot, also when the log began anew."""
    await node.publish("job:j1", 3)
    follower = await node.join("job:j1")
    await node.forget("job:j1")
    await node.publish("job:j1", 2, epoch="e2", tell=False)
    await node.store_job(JOB, at(2, "e2"))
    node.following.on_batch(Batch("job:j1", "e2", 1, [b'{"offset":1,}', b'{"offset":2,}']))
    await eventually(lambda: follower.position == at(2, "e2"))
    assert [each.snapshot and each.snapshot["offset"] for each in follower.resets] == [2]
    await node.publish("job:j1", 1, epoch="e2")
    await eventually(lambda: follower.offsets == [3])


async def test_who_follows_a_topic_that_begins_anew_gets_the_new_log_whole(node: Node) -> None:
    await node.publish(NEWS, 3)
    follower = await node.join(NEWS)
    await node.forget(NEWS)
    await node.publish(NEWS, 2, epoch="e2")
    await eventually(lambda: follower.position == at(2, "e2"))
    assert [(each.epoch, each.offset) for each in follower.resets] == [("e2", 0)]
    assert follower.offsets == [1, 2]


async def test_a_repeat_of_a_log_that_is_over_changes_nothing(node: Node) -> None:
    """It may come late, by the live channel, from a worker that was suspended."""
    await node.publish(NEWS, 3, epoch="e2")
    follower = await node.join(NEWS)
    node.following.on_batch(Batch(NEWS, "e1", 8, [b'{"offset":8,}']))
    await node.publish(NEWS, 2, epoch="e2")
    await eventually(lambda: follower.offsets == [4, 5])
    assert follower.resets == []


async def test_crowds_that_come_and_go_miss_nothing_on_any_channel(node: Node) -> None:
    """Many connections join the same and their own channels at once, while events come, the live
    connection breaks, and some of them give up."""
    shared = ["topic:a", "topic:b"]
    for channel in shared:
        await node.publish(channel, 3)

    async def publish() -> None:
        for turn in range(20):
            await asyncio.gather(*(node.publish(each, 2) for each in [*shared, f"user:u{turn}"]))
            if turn == 9:
                await node.cut_live_connection()

    async def come(number: int) -> Several:
        await asyncio.sleep(number * 0.01)
        several = Several(f"user:u{number % 20}", *shared)
        wanted = [Wanted(f"user:u{number % 20}", START), *(Wanted(each, at(1)) for each in shared)]
        await several.join(node.following, *wanted)
        return several

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(publish())
        coming = [tasks.create_task(come(number)) for number in range(60)]
        for number in range(0, 60, 5):
            await asyncio.sleep(0.012)
            coming[number].cancel()
    arrived = [task.result() for task in coming if not task.cancelled()]
    assert len(arrived) >= 48
    for several in arrived:
        for channel, follower in several.followers.items():
            end = node.ends[channel]
            await eventually(lambda: follower.position == end)  # noqa: B023
            first = 1 if channel.startswith("user:") else 2
            assert follower.offsets == list(range(first, end.offset + 1))
            assert follower.resets == []


async def test_a_log_that_began_anew_within_a_gap_is_one_reset(node: Node) -> None:
    """Waiting for events of a log that is gone ends with it."""
    await node.publish(NEWS, 2)
    follower = await node.join(NEWS)
    await node.publish(NEWS, 4, tell=False)
    await node.forget(NEWS)
    await node.publish(NEWS, 1, epoch="e2", tell=False)
    node.following.on_batch(Batch(NEWS, "e1", 7, [b'{"offset":7,}']))
    await eventually(lambda: follower.position == at(1, "e2"))
    await asyncio.sleep(0.3)
    assert len(follower.resets) == 1
    await node.publish(NEWS, 1, epoch="e2")
    await eventually(lambda: follower.offsets == [1, 2])
