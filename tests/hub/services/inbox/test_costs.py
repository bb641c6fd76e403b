"""What a call asks of the database does not grow with the inbox (the calls are those of
``python -m bench inbox``)."""

from __future__ import annotations

import pytest

from bench.scenarios.inbox import SCAN, plans
from bench.subject import CALLS, LIMIT, PAGES, USER, Call, Subject, subject
from bench.watch import Watch
from config.settings import Settings
from hub.domain.events import Position
from hub.services.inbox.unread import Unreads

SIZES = (100, 1000)
ANNOUNCED = 5
ALL_CALLS: dict[str, Call] = {
    **CALLS,
    "mark all": Subject.mark_all,
    "mark all again": Subject.mark_all,
}
COUNT = 3  # documents of a count beside the announcements, each of which may be touched as well
READINGS = {"mark all": 3, "mark all again": 2}  # where what is unread is read more than once
FEW = 8  # single items


@pytest.fixture
async def costs(settings: Settings) -> dict[str, list[Watch]]:
    """By call: what it asked of the smaller inbox, then of the larger one."""
    found: dict[str, list[Watch]] = {}
    for size in SIZES:
        watch = Watch()
        database = f"{settings.mongo_db}-{size}"
        async with subject(
            settings.mongo_url or "", settings.redis_url or "", database, watch
        ) as inbox:
            await inbox.fill(size, ANNOUNCED, lambda _: None)
            for name, call in ALL_CALLS.items():
                watch.clear()
                watch.weighs = True
                await call(inbox)
                found.setdefault(name, []).append(watch.taken())
    return found


async def test_a_call_asks_as_much_of_ten_times_the_inbox(costs: dict[str, list[Watch]]) -> None:
    assert list(costs) == list(ALL_CALLS)
    for name, (small, large) in costs.items():
        assert len(small.asked) == len(large.asked) > 0, name
        for watch in (small, large):
            assert SCAN not in plans(watch.asked), (name, watch.asked)
            page = LIMIT + 1 if name in PAGES else 0
            counted = READINGS.get(name, 1) * (2 * ANNOUNCED + COUNT)
            assert watch.documents <= page + counted + FEW, name
    small, large = costs["list, first page"]
    assert large.documents == small.documents > LIMIT
    assert large.size == pytest.approx(small.size, rel=0.05)


async def test_a_count_is_as_many_commands_with_many_announcements(settings: Settings) -> None:
    watch, many = Watch(), 150  # MongoDB gives 101 at first if it is not asked for more
    async with subject(
        settings.mongo_url or "", settings.redis_url or "", settings.mongo_db, watch
    ) as inbox:
        await inbox.fill(20, many, lambda _: None)
        for touched in (0, many):
            for unreads, commands in ((inbox.unreads, 3), (Unreads(inbox.stores), 5)):
                watch.clear()
                reading = await unreads.whole(USER)
                assert reading.unread.count == 10 + many - touched
                assert len(watch.asked) == commands, [each.command for each in watch.asked]
            await inbox.touch()


async def test_announcements_cost_nobody_a_write_and_are_read_once(settings: Settings) -> None:
    watch, users = Watch(), [f"u{number}" for number in range(60)]
    async with subject(
        settings.mongo_url or "", settings.redis_url or "", settings.mongo_db, watch
    ) as inbox:
        await inbox.stores.inboxes.enter(users, Position("", 0))
        await inbox.stores.inboxes.raise_versions([(users[0], "a change", 1)])
        assert {each.unread.count for each in (await inbox.unreads.read(users)).values()} == {0}
        for number in range(3):
            await inbox.announce(number)
            for known in (False, True):
                watch.clear()
                readings = await inbox.unreads.read(users)
                assert {each.unread.count for each in readings.values()} == {number + 1}
                asked = [next(iter(each.command.items())) for each in watch.asked]
                since = [] if known else [("find", "announcements")] * 2
                assert asked == [("find", "inboxes"), *since]
