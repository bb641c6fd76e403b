from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.delivery import cork as module
from hub.delivery.cork import Cork
from hub.delivery.frames import CLOSE, header
from hub.gateways.websocket import WebSocket


class Line:
    """A connection that writes through the cork as a WebSocket does."""

    def __init__(self, cork: Cork) -> None:
        self._cork = cork
        self.writes: list[bytes] = []

    def send(self, data: bytes) -> None:
        if self._cork.closed:
            self._cork.hold(self, data)
        else:
            self.writes.append(data)


def test_each_line_writes_once_and_in_order() -> None:
    cork = Cork()
    first, second = Line(cork), Line(cork)
    with cork:
        for number in range(3):
            first.send(b"a%d" % number)
            second.send(b"b%d" % number)
        assert first.writes == second.writes == []
    assert first.writes == [b"a0a1a2"]
    assert second.writes == [b"b0b1b2"]
    first.send(b"later")
    assert first.writes == [b"a0a1a2", b"later"]


def test_nothing_is_held_from_one_time_to_the_next() -> None:
    cork = Cork()
    line = Line(cork)
    for number in range(3):
        with cork:
            line.send(b"%d" % number)
    with cork:
        pass
    assert line.writes == [b"0", b"1", b"2"]


def test_what_is_held_is_bounded_for_all_lines_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_MOST", 10)
    cork = Cork()
    first, second = Line(cork), Line(cork)
    with cork:
        first.send(b"1234")
        second.send(b"123456")
        assert first.writes == second.writes == []
        second.send(b"7")
        assert first.writes == [b"1234"]
        assert second.writes == [b"1234567"]
        first.send(b"567890")
        assert first.writes == [b"1234"], "the cork is in again, and counts from nothing"
    assert first.writes == [b"1234", b"567890"]


def test_an_exception_inside_holds_nothing_back_and_is_not_swallowed() -> None:
    cork = Cork()
    line = Line(cork)
    with pytest.raises(RuntimeError, match="inside"), cork:  # noqa: PT012
        line.send(b"before")
        raise RuntimeError("inside")
    line.send(b"after")
    assert line.writes == [b"before", b"after"]


def test_taking_gives_back_what_is_held_for_that_line_alone() -> None:
    cork = Cork()
    first, second = Line(cork), Line(cork)
    with cork:
        first.send(b"a")
        second.send(b"b")
        first.send(b"c")
        assert cork.take(first) == b"ac"
        assert cork.take(first) == b""
    assert first.writes == []
    assert second.writes == [b"b"]


@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=9))), st.integers(0, 30))
def test_every_line_gets_its_bytes_in_order(sent: list[tuple[int, bytes]], limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_AT_MOST", limit)
        cork = Cork()
        lines = [Line(cork) for _ in range(3)]
        with cork:
            for number, data in sent:
                lines[number].send(data)
                held = sum(len(data) for parts in cork._held.values() for data in parts)
                assert held <= limit
    for index, line in enumerate(lines):
        expected = b"".join(data for number, data in sent if number == index)
        assert b"".join(line.writes) == expected


class Transport:
    """As much of a transport as a WebSocket that only writes needs, and a socket that takes
    nothing directly."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def get_extra_info(self, name: str) -> Any:
        """One that encrypts, so that everything goes by ``write``."""
        return object()

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing."""

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


async def test_closing_a_websocket_while_the_cork_is_in_loses_nothing() -> None:
    cork, transport, other = Cork(), Transport(), Transport()
    websocket = WebSocket(transport, 100, cork=cork)
    neighbour = WebSocket(other, 100, cork=cork)
    with cork:
        websocket.write(b"first")
        neighbour.write(b"other")
        websocket.write(b"last")
        assert transport.writes == []
        websocket.close(1001)
        websocket.write(b"too late")
    close = header(2, CLOSE) + (1001).to_bytes(2, "big")
    assert transport.writes == [b"\x81\x05first\x81\x04last" + close]
    assert transport.closed
    assert other.writes == [b"\x81\x05other"]


def test_the_cork_lets_go_of_its_lines() -> None:
    cork = Cork()
    with cork:
        cork.hold(Line(cork), b"x")
    assert not cork._held
