"""Marks and itineraries: a client that is told where it stands stands exactly there."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.events import Position
from hub.domain.recovery import (
    CHANNELS_AT_MOST,
    Itinerary,
    Roster,
    parse_itinerary,
    parse_mark,
)

USER, ALL, JOB = "user:u1", "all", "job:j1"


def at(offset: int, epoch: str = "e1") -> Position:
    return Position(epoch, offset)


def saved(roster: Roster) -> Itinerary:
    content = roster.saved("u1")
    assert content is not None
    itinerary = parse_itinerary(content)
    assert itinerary is not None
    return itinerary


def positions(roster: Roster, text: str) -> dict[str, Position] | None:
    mark = parse_mark(text)
    assert mark is not None
    return saved(roster).positions(mark)


def string(roster: Roster, *offsets: int) -> str:
    return roster.prefix.decode() + ".".join(map(str, offsets))


@pytest.fixture
def roster() -> Roster:
    """Follows three channels."""
    made = Roster()
    for channel in (USER, ALL, JOB):
        made.joined(channel, at(5))
    return made


# -- strings --------------------------------------------------------------------------------------


@given(
    leg=st.text("abzAZ09_-", min_size=4, max_size=4),
    version=st.integers(0, 999_999_999),
    offsets=st.lists(st.integers(0, 10**16 - 1), max_size=CHANNELS_AT_MOST),
)
def test_a_mark_reads_as_it_was_written(leg: str, version: int, offsets: list[int]) -> None:
    mark = parse_mark(f"{leg}{version}." + ".".join(map(str, offsets)))
    assert mark is not None
    assert (mark.leg, mark.version, list(mark.offsets)) == (leg, version, offsets)


@pytest.mark.parametrize(
    "text",
    [
        *(None, 5, True, 1.5, b"abcd1.5", ["abcd1.5"], {"a": 1}, object()),
        *("", ".", "abcd", "abcd1", "abcd.5", "abc1.5", "17.203.55", "5", "abcd1.5."),
        *("abcd1..5", "abcd1.-5", "abcd-1.5", "abcd1.+5", "abcd1. 5", "abcd1.5\n", "\nabcd1.5"),
        *("abcd1.1_0", "abcd1.0x1", "abcd1.1e3", "abcd1.5,5", "ab d1.5", "äbcd1.5"),
        *("abcd1.５", "abcd1.٥", "abcd²1.5", "abcd۱.5"),
        *("abcd1." + "9" * 17, "abcd" + "1" * 10 + ".5", "abcd1." + "9" * 60_000),
        "abcd1." + ".".join(["5"] * (CHANNELS_AT_MOST + 1)),
        "abcd1." + ".".join(["5"] * 20_000),
    ],
)
def test_anything_else_is_no_mark(text: object) -> None:
    assert parse_mark(text) is None


@given(st.one_of(st.text(), st.binary(), st.integers(), st.none(), st.lists(st.text())))
def test_no_input_raises(text: object) -> None:
    parse_mark(text)


@given(st.binary())
def test_no_content_raises(content: bytes) -> None:
    assert parse_itinerary(content) is None


def test_the_string_is_short(roster: Roster) -> None:
    assert len(string(roster, 17, 203, 55)) == len("x7Qa3.17.203.55")


# -- one list -------------------------------------------------------------------------------------


def test_the_newest_string_says_where_the_client_stands(roster: Roster) -> None:
    assert positions(roster, string(roster, 17, 203, 55)) == {
        USER: at(17),
        ALL: at(203),
        JOB: at(55),
    }


@pytest.mark.parametrize("offsets", [(), (1,), (1, 2), (1, 2, 3, 4)])
def test_a_string_with_more_or_fewer_positions_is_refused(
    roster: Roster, offsets: tuple[int, ...]
) -> None:
    assert positions(roster, string(roster, *offsets)) is None


def test_a_string_from_the_future_is_refused(roster: Roster) -> None:
    """What it was made for was not saved any more."""
    ahead = copy.deepcopy(roster)
    ahead.moved(ALL, "e2")
    assert positions(roster, string(ahead, 1, 2, 3)) is None


def test_another_connection_has_another_leg() -> None:
    assert len({Roster().leg for _ in range(1000)}) > 990


# -- a list that changed --------------------------------------------------------------------------


def test_subscribed_and_then_no_event(roster: Roster) -> None:
    """The string has three positions, the list four: the fourth is the acknowledgement's."""
    text = string(roster, 6, 7, 8)
    roster.joined("topic:t", at(40, "e9"))
    found = positions(roster, text)
    assert found == {USER: at(6), ALL: at(7), JOB: at(8), "topic:t": at(40, "e9")}
    assert found is not None
    assert list(found) == [USER, ALL, JOB, "topic:t"]


def test_left_the_first_of_three_and_then_no_event(roster: Roster) -> None:
    text = string(roster, 6, 7, 8)
    roster.left(USER)
    assert positions(roster, text) == {ALL: at(7), JOB: at(8)}
    assert positions(roster, string(roster, 9, 9)) == {ALL: at(9), JOB: at(9)}


def test_left_one_and_joined_another(roster: Roster) -> None:
    """As many positions as before, of other channels."""
    text = string(roster, 6, 7, 8)
    roster.left(ALL)
    between = string(roster, 60, 80)
    roster.joined("topic:t", at(1))
    assert positions(roster, text) == {USER: at(6), JOB: at(8), "topic:t": at(1)}
    assert positions(roster, between) == {USER: at(60), JOB: at(80), "topic:t": at(1)}
    assert positions(roster, string(roster, 9, 10, 11)) == {
        USER: at(9),
        JOB: at(10),
        "topic:t": at(11),
    }


def test_left_everything(roster: Roster) -> None:
    for channel in (USER, ALL, JOB):
        roster.left(channel)
    assert positions(roster, string(roster)) == {}


def test_an_acknowledgement_that_may_be_lost_is_not_guessed_at(roster: Roster) -> None:
    """The client had the job up to 8 and subscribed it again; the answer went up to 20. Did it get
    the answer?"""
    text = string(roster, 6, 7, 8)
    roster.joined(JOB, at(20))
    assert positions(roster, text) is None
    assert positions(roster, string(roster, 6, 7, 21)) == {USER: at(6), ALL: at(7), JOB: at(21)}


def test_an_acknowledgement_that_told_nothing_new_may_be_lost(roster: Roster) -> None:
    text = string(roster, 6, 7, 8)
    roster.joined(JOB, at(8))
    assert positions(roster, text) == {USER: at(6), ALL: at(7), JOB: at(8)}


def test_left_and_joined_again_is_not_guessed_at(roster: Roster) -> None:
    text = string(roster, 6, 7, 8)
    roster.left(JOB)
    without = string(roster, 6, 7)
    roster.joined(JOB, at(20))
    assert positions(roster, text) is None
    assert positions(roster, without) == {USER: at(6), ALL: at(7), JOB: at(20)}


# -- epochs ---------------------------------------------------------------------------------------


def test_the_first_event_of_a_log_gives_it_its_epoch() -> None:
    """The list is the same with it: it does not matter whether that was saved in time."""
    roster = Roster()
    roster.joined(USER, at(0, "0"))
    before = saved(roster)
    roster.moved(USER, "e1")
    mark = parse_mark(string(roster, 1))
    assert mark is not None
    assert saved(roster).positions(mark) == {USER: at(1)}
    assert before.positions(mark) == {USER: at(1, "0")}
    assert positions(roster, string(roster, 0)) == {USER: at(0)}


def test_a_reset_that_was_not_received_leaves_the_client_where_it_was(roster: Roster) -> None:
    text = string(roster, 6, 7, 8)
    roster.moved(ALL, "e2")
    assert positions(roster, text) == {USER: at(6), ALL: at(7), JOB: at(8)}
    assert positions(roster, string(roster, 6, 2, 8)) == {
        USER: at(6),
        ALL: at(2, "e2"),
        JOB: at(8),
    }


# -- bounds ---------------------------------------------------------------------------------------


def test_strings_from_many_changes_ago_are_refused(roster: Roster) -> None:
    text = string(roster, 6, 7, 8)
    for _ in range(100):
        roster.joined("topic:t", at(1))
        recent = string(roster, 6, 7, 8, 2)
        roster.left("topic:t")
    assert positions(roster, text) is None
    assert positions(roster, recent) == {USER: at(6), ALL: at(7), JOB: at(8)}
    assert len(saved(roster).memberships) < 30


def test_who_follows_too_many_channels_is_not_recovered(roster: Roster) -> None:
    text = string(roster, 6, 7, 8)
    extra = [f"topic:{n}" for n in range(CHANNELS_AT_MOST)]
    for channel in extra:
        roster.joined(channel, at(1))
    assert (roster.prefix, roster.saved("u1")) == (b"", None)
    for channel in extra:
        roster.left(channel)
    assert positions(roster, text) is None
    assert positions(roster, string(roster, 9, 9, 9)) == {USER: at(9), ALL: at(9), JOB: at(9)}


# -- everything at once ---------------------------------------------------------------------------


@dataclass
class Packet:
    """What the client is sent: it stands at ``position`` of ``channel`` then (None: it left)."""

    channel: str
    position: Position | None
    string: str | None = None  # of an event; an acknowledgement has none


@dataclass
class Run:
    """A connection: what it sent, and what could be saved at each moment."""

    roster: Roster = field(default_factory=Roster)
    channels: dict[str, int] = field(default_factory=dict)  # as ``Connection.channels``
    logs: dict[str, Position] = field(default_factory=dict)
    wire: list[Packet] = field(default_factory=list)
    saves: list[tuple[int, Itinerary]] = field(default_factory=list)  # packets before it

    def log(self, channel: str) -> Position:
        """Only a job's log begins with the job."""
        return self.logs.setdefault(channel, Position("e1" if channel == JOB else "0", 0))

    def do(self, action: str, channel: str, by: int) -> None:
        """One step of the connection, if it can take it."""
        if action == "publish":  # nobody hears of it on this connection yet
            self._grow(channel, by)
        elif action == "subscribe":
            position = self.log(channel)
            self.roster.joined(channel, position)
            self.channels[channel] = position.offset
            self.wire.append(Packet(channel, position))
        elif action == "unsubscribe":
            self.roster.left(channel)
            self.channels.pop(channel, None)
            self.wire.append(Packet(channel, None))
        elif channel in self.channels:
            if action == "anew" and channel == JOB:
                epoch = f"e{int(self.log(channel).epoch.removeprefix('e')) + 1}"
                self.logs[channel] = Position(epoch, by)
            else:
                self._grow(channel, 1)
            self._send(channel, self.log(channel))
        self.saves.append((len(self.wire), saved(self.roster)))

    def _grow(self, channel: str, by: int) -> None:
        log = self.log(channel)
        self.logs[channel] = Position("e1" if log.epoch == "0" else log.epoch, log.offset + by)

    def _send(self, channel: str, position: Position) -> None:
        if self.roster.epoch(channel) != position.epoch:
            self.roster.moved(channel, position.epoch)
        self.channels[channel] = position.offset
        text = self.roster.prefix.decode() + ".".join(map(str, self.channels.values()))
        self.wire.append(Packet(channel, position, text))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["event", "event", "event", "publish", "subscribe", "unsubscribe", "anew"]),
        st.sampled_from([USER, ALL, JOB, "topic:t"]),
        st.integers(0, 3),
    ),
    max_size=40,
)


def same(one: Position, other: Position | None) -> bool:
    """Before the first event, or in the first epoch, it does not matter which that is."""
    assert other is not None
    return one.offset == other.offset and (
        one.epoch == other.epoch or one.offset == 0 or "0" in (one.epoch, other.epoch)
    )


@given(steps=STEPS, data=st.data())
def test_who_is_told_where_it_stands_stands_there(steps: list[Any], data: st.DataObject) -> None:
    """The line breaks after any packet; what was saved last may be older than what was sent last,
    but never older than an acknowledgement."""
    run = Run()
    for step in [("subscribe", USER, 0), ("subscribe", ALL, 0), ("event", ALL, 0), *steps]:
        run.do(*step)
    got = data.draw(st.integers(3, len(run.wire)), label="packets that arrived")
    acknowledged = max((n for n, p in enumerate(run.wire, 1) if p.string is None), default=0)
    usable = [itinerary for sent, itinerary in run.saves if sent >= acknowledged]
    itinerary = data.draw(st.sampled_from(usable), label="what was saved")

    stands: dict[str, Position] = {}
    text = ""
    for packet in run.wire[:got]:
        if packet.position is None:
            stands.pop(packet.channel, None)
        else:
            stands[packet.channel] = packet.position
        text = packet.string or text
    lost = run.wire[got:]
    mark = parse_mark(text)
    assert mark is not None
    found = itinerary.positions(mark)

    if found is None:
        all_told = not any(packet.string is None for packet in lost)
        up_to_date = itinerary.version == run.roster.version
        spoke_last = run.wire[got - 1].string is not None
        assert not (all_told and up_to_date and spoke_last), "refused without need"
        return
    for channel, position in found.items():
        told = [
            p.position for p in lost if p.channel == channel and p.string is None and p.position
        ]
        assert same(position, stands.get(channel, told[0] if told else None))
    asked_to_leave = {p.channel for p in lost if p.position is None}
    assert set(stands) - asked_to_leave <= set(found)
