"""The hot log, which may vanish at any time, and what is told after that."""

from __future__ import annotations

from hub.broker.hotlog import Batch
from hub.domain.events import Encoded, Position
from tests.hub.services.node import Node

CHANNEL = "topic:news"


async def test_what_was_told_before_can_be_told_again_to_a_log_trimmed_to_nothing(
    node: Node,
) -> None:
    batches = [Batch(CHANNEL, "e1", 1, [b"one", b"two", b"three"])]
    await node.hot_log.publish(batches)
    await node.redis.xtrim(node.keys.log(CHANNEL), maxlen=0, approximate=False)
    await node.hot_log.publish(batches)
    expected = [Encoded(2, b"two"), Encoded(3, b"three")]
    assert await node.hot_log.after(CHANNEL, Position("e1", 1), 10) == expected
