"""What a feed does, case by case; ``test_feed_machine`` tries everything in every order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hub.delivery import feed as feed_module
from hub.delivery.feed import START, Feed, Lack
from hub.delivery.message import Message, Reset
from hub.domain.events import Position
from tests.hub.delivery.recorder import Recorder, encoded, envelope


class Watched:
    """A feed that stands somewhere, with the gaps it reported."""

    def __init__(self, position: Position | None = None) -> None:
        self.gaps: list[Lack] = []
        self.feed = Feed("job:j1", lambda feed: self.gaps.append(feed.lack))
        if position is not None:
            self.feed.begin(position)

    def follow(self, position: Position, name: str = "") -> Recorder:
        """A subscriber that has everything up to ``position``."""
        recorder = Recorder(name, position)
        self.feed.complete_join(self.feed.begin_join(recorder), position)
        return recorder

    def missing(self) -> bool:
        """Whether the feed waits for something."""
        return self.feed.missing

    def deserted(self) -> bool:
        """Whether nobody follows."""
        return self.feed.deserted

    def hear(self, first: int, last: int, epoch: str = "e1") -> None:
        """Live events."""
        self.feed.hear(epoch, first, [envelope(epoch, each) for each in range(first, last + 1)])


def at(offset: int, epoch: str = "e1") -> Position:
    """A position."""
    return Position(epoch, offset)


def test_the_next_events_are_passed_on_to_every_member() -> None:
    watched = Watched(at(3))
    members = [watched.follow(at(3), name) for name in "ab"]
    watched.hear(4, 5)
    watched.hear(6, 6)
    assert [member.seen for member in members] == [[("e1", 4), ("e1", 5), ("e1", 6)]] * 2
    assert watched.gaps == []


def test_repeats_are_dropped_and_overlaps_cut() -> None:
    watched = Watched(at(3))
    member = watched.follow(at(3))
    watched.hear(2, 3)
    watched.hear(2, 5)
    watched.hear(4, 5)
    assert member.position == at(5)
    assert watched.gaps == []


def test_a_gap_is_reported_and_nothing_is_passed_on_until_it_is_filled() -> None:
    watched = Watched(at(3))
    member = watched.follow(at(3))
    watched.hear(5, 6)
    assert (member.position, watched.gaps) == (at(3), [Lack(at(3), 6, None)])
    watched.hear(7, 7)
    assert (member.position, watched.feed.lack.target) == (at(3), 7)
    watched.feed.fill(encoded("e1", 4, 5))
    assert watched.missing()
    watched.feed.fill(encoded("e1", 4, 7))
    assert member.position == at(7)
    assert not watched.missing()
    watched.hear(8, 8)
    assert member.position == at(8)


def test_a_log_that_is_known_to_reach_further_is_a_gap() -> None:
    watched = Watched(at(3))
    watched.feed.expect(at(3))
    assert watched.gaps == []
    watched.feed.expect(at(4))
    assert watched.gaps == [Lack(at(3), 4, None)]


def test_the_very_first_events_of_a_channel_need_no_epoch_to_be_known() -> None:
    watched = Watched(START)
    member = watched.follow(START)
    watched.hear(1, 2)
    assert member.position == at(2)
    assert member.resets == []


def test_when_the_very_first_events_are_missed_they_are_filled_without_reset() -> None:
    watched = Watched(START)
    member = watched.follow(START)
    watched.hear(3, 3)
    watched.feed.fill(encoded("e1", 1, 3))
    assert member.position == at(3)
    assert member.resets == []


def test_what_is_told_of_another_log_waits_until_it_is_known_which_one_is_the_channels() -> None:
    watched = Watched(at(3))
    member = watched.follow(at(3))
    watched.hear(1, 2, epoch="e2")
    assert watched.gaps == [Lack(at(3), 0, at(2, "e2"))]
    watched.hear(4, 4)
    watched.hear(1, 1, epoch="e2")
    assert (member.position, member.resets) == (at(3), [])
    assert watched.feed.lack == Lack(at(3), 4, at(1, "e2"))


def test_a_log_that_began_anew_goes_on_from_its_reset() -> None:
    watched = Watched(at(3))
    member = watched.follow(at(3))
    watched.hear(1, 2, epoch="e2")
    watched.feed.forget(watched.feed.lack)
    watched.feed.skip_to(Reset("job:j1", "e2", 0))
    assert [(each.epoch, each.offset) for each in member.resets] == [("e2", 0)]
    watched.feed.expect(at(2, "e2"))
    assert watched.gaps[-1] == Lack(at(0, "e2"), 2, None)
    watched.feed.fill(encoded("e2", 1, 2))
    assert (member.position, watched.missing()) == (at(2, "e2"), False)


def test_a_repeat_of_a_log_that_is_over_resets_nobody() -> None:
    watched = Watched(at(3, "e2"))
    member = watched.follow(at(3, "e2"))
    watched.hear(7, 7)
    watched.feed.forget(watched.feed.lack)
    watched.hear(4, 4, epoch="e2")
    assert (member.position, member.resets) == (at(4, "e2"), [])


def test_what_is_heard_before_the_feed_begins_is_looked_up_once_it_has() -> None:
    watched = Watched()
    joining = watched.feed.begin_join(Recorder())
    watched.hear(4, 5)
    assert joining.began is None
    assert not watched.feed.covers(joining, at(5))
    assert watched.gaps == []
    watched.feed.begin(at(3))
    assert watched.gaps == [Lack(at(3), 0, at(5))]
    assert watched.feed.covers(joining, at(3))


def test_what_comes_during_a_join_is_delivered_after_it_once() -> None:
    watched = Watched(at(3))
    recorder = Recorder()
    joining = watched.feed.begin_join(recorder)
    watched.hear(4, 6)
    assert recorder.seen == []
    assert watched.feed.covers(joining, at(5))
    recorder.begin(at(2), encoded("e1", 3, 5))
    watched.feed.complete_join(joining, at(5))
    watched.hear(7, 7)
    assert [offset for _, offset in recorder.seen] == [3, 4, 5, 6, 7]


def test_who_read_further_than_the_feed_waits_until_it_is_there() -> None:
    watched = Watched(at(3))
    recorder = watched.follow(at(5))
    watched.hear(4, 7)
    assert [offset for _, offset in recorder.seen] == [6, 7]


@pytest.mark.parametrize("ahead", [False, True])
def test_a_skip_is_told_to_all_and_they_go_on_from_there(ahead: bool) -> None:
    watched = Watched(at(3))
    member = watched.follow(at(5 if ahead else 3))
    joining = watched.feed.begin_join(Recorder())
    watched.hear(8, 8)
    watched.feed.skip_to(Reset("job:j1", "e1", 8, {"status": "GENERATING"}))
    assert [each.snapshot for each in member.resets] == [{"status": "GENERATING"}]
    assert not watched.feed.covers(joining, at(8))
    watched.hear(9, 9)
    assert member.position == at(9)
    assert not watched.missing()


def test_a_skip_to_a_shorter_log_leaves_nothing_missing() -> None:
    """The log began anew while the feed was waiting for events of the former one. If it went on
    waiting for them, its owner would find nothing to read and reset everybody without end."""
    watched = Watched(at(10))
    member = watched.follow(at(10))
    watched.hear(15, 15)
    assert watched.missing()
    watched.feed.skip_to(Reset("job:j1", "e2", 3))
    assert member.position == at(3, "e2")
    assert not watched.missing()
    watched.hear(4, 4, epoch="e2")
    assert member.position == at(4, "e2")


def test_a_skip_does_not_forget_what_was_told_while_it_was_looked_up() -> None:
    """Else it would not come before the next event of the channel, which may never come."""
    watched = Watched(at(3))
    member = watched.follow(at(3))
    watched.hear(8, 8)
    watched.feed.skip_to(Reset("job:j1", "e1", 7))
    assert watched.gaps[-1] == Lack(at(7), 8, None)
    watched.feed.fill(encoded("e1", 8, 8))
    assert member.position == at(8)


def test_a_skip_is_no_news_to_who_read_further_in_the_same_log() -> None:
    watched = Watched(at(3))
    further, there, lacking = (watched.follow(at(offset)) for offset in (9, 8, 5))
    watched.hear(10, 10)
    watched.feed.skip_to(Reset("job:j1", "e1", 8))
    assert (len(further.resets), len(there.resets), len(lacking.resets)) == (0, 0, 1)
    watched.feed.fill(encoded("e1", 9, 10))
    assert further.position == there.position == lacking.position == at(10)


def test_who_follows_and_joins_again_is_given_nothing_until_it_has_joined() -> None:
    watched = Watched(at(3))
    members = [watched.follow(at(3)), watched.follow(at(4))]
    joins = [watched.feed.begin_join(each) for each in members]
    watched.hear(4, 6)
    assert [each.seen for each in members] == [[], []]
    for member, joining in zip(members, joins, strict=True):
        member.begin(at(3), encoded("e1", 4, 5))
        watched.feed.complete_join(joining, at(5))
        assert member.position == at(6)


def test_a_join_does_not_cover_what_the_feed_does_not_have_of_it() -> None:
    watched = Watched(at(3))
    joining = watched.feed.begin_join(Recorder())
    assert watched.feed.covers(joining, at(3))
    assert watched.feed.covers(joining, at(4))
    assert not watched.feed.covers(joining, at(2))
    assert not watched.feed.covers(joining, at(3, "e2"))


def test_a_join_that_takes_too_long_keeps_a_bounded_size_of_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = sum(len(envelope("e1", offset)) for offset in range(1, 11))
    monkeypatch.setattr(feed_module, "_JOINING_KEPT", size)
    watched = Watched(at(0))
    joining = watched.feed.begin_join(Recorder())
    watched.hear(1, 10)
    assert watched.feed.covers(joining, at(0))
    watched.hear(11, 12)
    assert not watched.feed.covers(joining, at(0))
    assert joining.kept == []
    watched.hear(13, 13)
    assert joining.kept == []


def test_a_log_that_is_gone_leaves_nothing_missing() -> None:
    watched = Watched(at(3))
    member = watched.follow(at(3))
    watched.hear(9, 9)
    watched.feed.forget(watched.feed.lack)
    assert not watched.missing()
    watched.hear(4, 4)
    assert member.position == at(4)


def test_what_was_told_after_the_look_up_is_not_forgotten() -> None:
    watched = Watched(at(3))
    watched.hear(9, 9)
    watched.hear(2, 2, "e2")
    lack = watched.feed.lack
    watched.hear(10, 10)
    watched.hear(2, 2, "e2")
    watched.feed.forget(lack)
    assert watched.feed.lack == Lack(at(3), 10, at(2, "e2"))


def test_who_left_is_told_nothing_and_a_feed_without_anybody_is_deserted() -> None:
    watched = Watched(at(3))
    assert watched.deserted()
    member, ahead, joining = watched.follow(at(3)), watched.follow(at(9)), Recorder()
    watched.feed.begin_join(joining)
    for each in (member, ahead, joining):
        assert not watched.deserted()
        watched.feed.leave(each)
        watched.feed.leave(each)
    assert watched.deserted()
    watched.hear(4, 9)
    watched.feed.skip_to(Reset("job:j1", "e1", 20))
    assert member.seen == ahead.seen == joining.seen == []
    assert member.resets == ahead.resets == joining.resets == []


class Leaver(Recorder):
    """Leaves when it gets its first events."""

    def __init__(self, watched: Watched, position: Position) -> None:
        super().__init__("leaver", position)
        self.watched = watched

    def deliver(self, messages: Sequence[Message]) -> None:
        super().deliver(messages)
        self.watched.feed.leave(self)
        self.stop()


def test_a_subscriber_may_leave_while_it_is_delivered_to() -> None:
    watched = Watched(at(3))
    leaver = Leaver(watched, at(3))
    watched.feed.complete_join(watched.feed.begin_join(leaver), at(3))
    member = watched.follow(at(3))
    watched.hear(4, 4)
    watched.hear(5, 5)
    assert leaver.seen == [("e1", 4)]
    assert member.position == at(5)


def test_a_subscriber_may_leave_while_it_is_given_what_was_kept_for_it() -> None:
    watched = Watched(at(3))
    leaver = Leaver(watched, at(3))
    joining = watched.feed.begin_join(leaver)
    watched.hear(4, 6)
    watched.feed.complete_join(joining, at(3))
    watched.hear(7, 7)
    assert leaver.seen == [("e1", 4), ("e1", 5), ("e1", 6)]
    assert watched.deserted()
