"""Read state on a real store: the same as the pure merge, in whatever order marks arrive."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from config.settings import Settings
from hub.domain import notifications, times
from hub.domain.inbox import Key
from hub.domain.readstate import As, Mark, State, merged
from hub.stores.markings import Marking
from hub.stores.notifications import Notifications
from tests.hub.domain import samples
from tests.support.stores import opened


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Notifications]:
    async with opened(settings) as stores:
        yield stores.stores.inboxes.notifications


async def test_marks_in_any_order_and_again_come_to_the_pure_merge(store: Notifications) -> None:
    dice, at = random.Random(6), samples.after(0)
    made, expected = [], {}
    for number in range(40):
        item = notifications.item(
            samples.notification(number, "u1"), "u1", at, timedelta(days=9000)
        )
        marks = [
            Mark(dice.choice(list(As)), samples.after(dice.randint(1, 4)), f"m{n}")
            for n in range(5)
        ]
        state = State()
        for mark in marks:
            state = merged(state, mark)
        expected[item.id] = state
        markings = [Marking("u1", mark, ids=[item.id]) for mark in [*marks, *marks[:2]]]
        dice.shuffle(markings)
        made.append((item, markings))
    await store.put([item for item, _ in made])
    for turn in range(7):
        await store.mark([markings[turn] for _, markings in made])
    found = await store.get("u1", expected)
    assert {id_: item.state for id_, item in found.items()} == expected


async def test_a_mark_for_all_stops_at_its_place_and_at_what_is_dismissed(
    store: Notifications,
) -> None:
    items = [
        notifications.item(
            samples.notification(n, "u1"), "u1", samples.after(n), timedelta(days=9000)
        )
        for n in range(4)
    ]
    await store.put(items)
    dismissed = Mark(As.DISMISSED, samples.after(10), "a")
    await store.mark([Marking("u1", dismissed, ids=[items[0].id])])
    everything = Marking("u1", Mark(As.READ, samples.after(20), "b"), own=items[2].key)
    assert (await store.would_change(everything)).count == 2
    await store.mark([everything])
    assert (await store.would_change(everything)).count == 0
    found = await store.get("u1", [item.id for item in items])
    read = [found[item.id].state.read_at is not None for item in items]
    assert read == [False, True, True, False]
    of_another = Marking("u2", everything.mark, own=Key(samples.after(99), ""))
    assert (await store.would_change(of_another)).count == 0


async def test_a_repeat_does_not_revive_what_has_ended(store: Notifications) -> None:
    """Ended after the repeat was published, but before it was stored."""
    now, keep = times.now(), timedelta(days=1)
    came = now - timedelta(seconds=2)
    ended = samples.notification(
        1, "u1", title="old", dedupe_key="k", expires_at=now - timedelta(seconds=1)
    )
    repeat = samples.notification(2, "u1", title="new", dedupe_key="k")
    await store.put([notifications.item(ended, "u1", came - timedelta(seconds=1), keep)])
    new = await store.put([notifications.item(repeat, "u1", came, keep)])
    assert new == {("u1", str(repeat.id))}
    found = await store.get("u1", [str(ended.id), str(repeat.id)])
    assert {id_: item.content["title"] for id_, item in found.items()} == {
        str(ended.id): "old",
        str(repeat.id): "new",
    }


async def test_more_than_goes_into_one_command_is_stored_and_what_is_there_is_not_new(
    store: Notifications,
) -> None:
    at, keep = samples.after(0), timedelta(days=9000)
    items = [notifications.item(samples.notification(n, "u1"), "u1", at, keep) for n in range(1200)]
    names = [(each.recipient, each.id) for each in items]
    assert await store.put(items[::2]) == set(names[::2])
    assert await store.put([*items, *items[:3]]) == set(names[1::2])
    assert len([each async for each in store.everything("u1")]) == len(items)


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
async def test_pages_of_what_came_in_one_millisecond_miss_and_repeat_nothing(
    store: Notifications, limit: int
) -> None:
    now, keep = times.now(), timedelta(days=1)
    items = [
        notifications.item(
            samples.notification(n, "u1"), "u1", now - timedelta(milliseconds=n // 20), keep
        )
        for n in range(50)
    ]
    await store.put(items)
    pages, before = [], None
    while page := await store.page("u1", "ALL", before=before, limit=limit, now=now):
        pages += page
        before = page[-1].key
        assert len(page) == limit or len(pages) == len(items)
    assert [each.id for each in pages] == [
        each.id for each in sorted(items, key=lambda each: each.key, reverse=True)
    ]
