"""Following: what only goes wrong when one store is slow while something else happens."""

from __future__ import annotations

import asyncio

from hub.broker.hotlog import Batch
from hub.domain import jobs
from tests.hub.domain import samples
from tests.hub.services.node import Follower, Node, eventually
from tests.hub.services.test_following import NEWS, at


async def test_a_join_that_lasts_over_an_outage_misses_nothing(node: Node) -> None:
    """The live connection breaks and comes back while the first follower of a channel still waits
    for what it missed: what was published meanwhile came by no other way."""
    await node.publish(NEWS, 3)
    node.gate.close()
    follower = Follower()
    join = asyncio.create_task(node.following.join(follower, NEWS, at(1), follower.hand_over))
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


async def test_a_log_that_began_anew_can_be_joined_before_its_first_event(node: Node) -> None:
    """A job was started again after its retention: the follower from before has not heard yet."""
    await node.publish("job:j1", 3)
    former = await node.join("job:j1")
    await node.heads._channels.delete_one({"_id": "job:j1"})
    await node.events._events.delete_many({"channel": "job:j1"})
    await node.store_job(jobs.started(samples.job_started(), samples.T0), at(0, "e2"))
    follower = await node.join("job:j1", history=True)
    assert follower.position == at(0, "e2")
    await node.publish("job:j1", 2, epoch="e2")
    await eventually(lambda: follower.offsets == [1, 2])
    await eventually(lambda: former.position == at(2, "e2"))


async def test_a_log_that_began_anew_within_a_gap_is_one_reset(node: Node) -> None:
    """Waiting for events of a log that is gone ends with it."""
    await node.publish(NEWS, 2)
    follower = await node.join(NEWS)
    await node.publish(NEWS, 4, tell=False)
    await node.events._events.delete_many({"channel": NEWS})
    await node.heads._channels.delete_one({"_id": NEWS})
    await node.redis.delete(node.keys.log(NEWS))
    await node.publish(NEWS, 1, epoch="e2", tell=False)
    node.following.on_batch(Batch(NEWS, "e1", 7, [b'{"offset":7,}']))
    await eventually(lambda: follower.position == at(1, "e2"))
    await asyncio.sleep(0.3)
    assert len(follower.resets) == 1
    await node.publish(NEWS, 1, epoch="e2")
    await eventually(lambda: follower.offsets == [2])
