"""Batches: joining those that follow on."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hub.broker.hotlog import Batch, merged

SOME = st.builds(
    lambda channel, epoch, first, count: Batch(
        channel, epoch, first, [b"%d" % n for n in range(first, first + count)]
    ),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["e1", "e2"]),
    st.integers(1, 4),
    st.integers(1, 3),
)


def events(batches: object, channel: str) -> list[tuple[str, int, bytes]]:
    """A channel's events one by one."""
    assert isinstance(batches, list)
    return [
        (batch.epoch, batch.first + index, envelope)
        for batch in batches
        if batch.channel == channel
        for index, envelope in enumerate(batch.envelopes)
    ]


@given(st.lists(SOME, max_size=12))
def test_joining_changes_no_event_and_no_order(batches: list[Batch]) -> None:
    found = list(merged(batches))
    for channel in ("a", "b"):
        assert events(found, channel) == events(batches, channel)
        own = [batch for batch in found if batch.channel == channel]
        for former, latter in pairwise(own):
            assert (former.epoch, former.last + 1) != (latter.epoch, latter.first)
