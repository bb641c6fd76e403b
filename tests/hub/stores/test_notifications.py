"""Read state on a real store: the same as the pure merge, in whatever order marks arrive."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from config.settings import Settings
from hub.domain import notifications
from hub.domain.inbox import Key
from hub.domain.readstate import As, Mark, State, merged
from hub.stores.notifications import Marking, Notifications
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
    assert await store.would_change(everything) == 2
    await store.mark([everything])
    assert await store.would_change(everything) == 0
    found = await store.get("u1", [item.id for item in items])
    read = [found[item.id].state.read_at is not None for item in items]
    assert read == [False, True, True, False]
    assert (
        await store.would_change(Marking("u2", everything.mark, own=Key(samples.after(99), "")))
        == 0
    )
