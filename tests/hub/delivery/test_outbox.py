from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from hub.delivery.outbox import Outbox


def test_it_takes_up_to_its_limit_and_says_no_beyond() -> None:
    outbox = Outbox(10)
    assert not outbox
    assert outbox.offer(b"1234")
    assert outbox.offer(b"567890")
    assert outbox.bytes == 10
    assert not outbox.offer(b"x")
    assert outbox.bytes == 10
    assert outbox.take(100) == [b"1234", b"567890"]
    assert not outbox


def test_a_packet_alone_always_fits_but_nothing_beside_it() -> None:
    outbox = Outbox(3)
    assert outbox.offer(b"12345")
    assert not outbox.offer(b"")
    assert outbox.take(1) == [b"12345"]
    assert outbox.bytes == 0


def test_taking_stops_before_the_packet_that_is_too_much() -> None:
    outbox = Outbox(100)
    for packet in (b"aa", b"bb", b"cc"):
        outbox.offer(packet)
    assert outbox.take(5) == [b"aa", b"bb"]
    assert outbox.bytes == 2
    assert outbox.take(5) == [b"cc"]
    assert outbox.take(5) == []


def test_clearing_makes_room() -> None:
    outbox = Outbox(4)
    outbox.offer(b"1234")
    outbox.clear()
    assert not outbox
    assert outbox.bytes == 0
    assert outbox.offer(b"1234")


packets = st.binary(max_size=12)


@given(st.integers(1, 30), st.lists(packets | st.integers(0, 40)))
def test_it_is_a_bounded_queue(limit: int, steps: list[bytes | int]) -> None:
    outbox, queue = Outbox(limit), deque[bytes]()
    for step in steps:
        if isinstance(step, int):
            taken = outbox.take(step)
            assert taken == [queue.popleft() for _ in taken]
            assert sum(map(len, taken)) <= step or len(taken) == 1
            assert not queue or sum(map(len, taken)) + len(queue[0]) > step
        elif outbox.offer(step):
            queue.append(step)
        else:
            assert sum(map(len, queue)) + len(step) > limit
        assert outbox.bytes == sum(map(len, queue))
        assert outbox.bytes <= limit or len(queue) == 1 or not outbox.bytes
        assert bool(outbox) == bool(queue)


def test_a_backlog_fits_and_does_not_use_up_the_room_of_what_comes_after() -> None:
    outbox: Outbox = Outbox(10)
    with outbox.backlog():
        assert all(outbox.offer(b"x" * 8) for _ in range(5))
    assert outbox.offer(b"y" * 10)
    assert not outbox.offer(b"y")
    assert outbox.take(16) == [b"x" * 8] * 2
    assert not outbox.offer(b"y"), "the backlog makes room for itself alone"
    outbox.take(100)
    assert outbox.offer(b"z" * 10)
    assert not outbox.offer(b"z")


@dataclass
class Later:
    """An event of a channel that says, once its turn comes, what ``state`` was then."""

    size: int
    channel: str | None
    state: Callable[[], bytes]

    def __len__(self) -> int:
        return self.size

    def encode(self) -> bytes:
        return self.state()


def test_a_pending_packet_is_made_when_its_turn_comes() -> None:
    outbox, turns = Outbox(100), iter([b"first", b"second"])
    outbox.offer(Later(4, None, lambda: next(turns)))
    outbox.offer(b"between")
    outbox.offer(Later(4, None, lambda: next(turns)))
    assert outbox.bytes == 15
    assert outbox.take(11) == [b"first", b"between"]
    assert outbox.take(11) == [b"second"]


def test_the_events_of_channels_that_give_way_are_withdrawn() -> None:
    outbox = Outbox(40)
    for channel in ("job:1", "user:1", None, "job:2", "job:1"):
        outbox.offer(Later(7, channel, lambda name=str(channel): name.encode()))  # type: ignore[misc]
    outbox.offer(b"plain")
    assert not outbox.offer(b"x")
    assert outbox.withdraw(lambda channel: channel.startswith("job:")) == {"job:1", "job:2"}
    assert outbox.bytes == 19
    assert outbox.offer(b"y" * 21)
    assert outbox.take(100) == [b"user:1", b"None", b"plain", b"y" * 21]
    assert outbox.withdraw(lambda _: True) == set()


def test_what_is_withdrawn_of_a_backlog_leaves_no_room_behind() -> None:
    outbox = Outbox(10)
    with outbox.backlog():
        for _ in range(5):
            outbox.offer(Later(8, "job:1", bytes))
    outbox.withdraw(lambda _: True)
    assert outbox.offer(b"x" * 10)
    assert not outbox.offer(b"x")
