"""Every question of the inbox to its store reads index ranges, and a constant number of times."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from bench.plans import Keys, queries, serves, serving, without_state
from config.settings import Settings
from hub.domain import notifications, times
from hub.domain.events import Position
from hub.domain.inbox import Announcement, Everybody, Key
from hub.domain.readstate import As, Mark
from hub.services.inbox import announcing, lists
from hub.services.inbox.unread import Unreads
from hub.stores.markings import Filter, Marking
from hub.stores.mongo import INDEXES
from hub.stores.notifications import Notifications
from tests.hub.domain import samples
from tests.support.indexes import Commands
from tests.support.stores import Opened, opened

LATER = timedelta(days=9000)
HERE = Key(samples.after(5), "0197c2f4-8a11-7c3e-9d20-000000000005")

FILTERS: tuple[Filter, ...] = ("UNREAD", "ALL", "DISMISSED")

Ask = Callable[[Notifications], Awaitable[Any]]


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
async def db(settings: Settings, commands: Commands) -> AsyncIterator[Opened]:
    async with opened(settings, [commands]) as stores:
        yield stores


def _items(count: int, first: int = 0) -> list[notifications.Item]:
    return [
        notifications.item(samples.notification(n, "u1"), "u1", samples.after(n), LATER)
        for n in range(first, first + count)
    ]


def _page(filter: Filter, **how: Any) -> Ask:
    return lambda store: store.page("u1", filter, limit=3, now=times.now(), **how)


def _all(as_: As) -> Marking:
    return Marking("u1", Mark(as_, times.now(), "m"), own=HERE, announced=HERE)


def _mark_all(as_: As) -> Ask:
    return lambda store: store.mark([_all(as_)])


def _would_change(as_: As) -> Ask:
    return lambda store: store.would_change(_all(as_))


ANSWERS = (As.SEEN, As.READ, As.UNREAD, As.DISMISSED)
PAGES: dict[str, tuple[Ask, str]] = {
    "unread": (_page("UNREAD"), "new"),
    "unread, on": (_page("UNREAD", before=HERE), "new"),
    "all": (_page("ALL"), "kept"),
    "all, on": (_page("ALL", before=HERE), "kept"),
    "dismissed": (_page("DISMISSED"), "kept"),
    "unread by type": (_page("UNREAD", type="t"), "typed"),
    "all by type, on": (_page("ALL", type="t", before=HERE), "typed"),
    "dismissed by type": (_page("DISMISSED", type="t"), "typed"),
    "newest of a scope": (_page("ALL", scope="USER"), "scoped"),
    "count": (lambda store: store.count(["u1", "u2"]), "new"),
    "touched": (lambda store: store.touched(["u1", "u2"]), "scoped"),
    "expire": (lambda store: store.expire(["u1"], times.now()), "ends"),
    "get": (lambda store: store.get("u1", ["a"]), "_id_"),
    "mark one": (
        lambda store: store.mark([Marking("u1", Mark(As.READ, times.now(), "m"), ids=["a"])]),
        "_id_",
    ),
    **{f"mark all {as_}": (_mark_all(as_), "scoped") for as_ in ANSWERS},
    **{f"would change {as_}": (_would_change(as_), "scoped") for as_ in ANSWERS},
}


@pytest.mark.parametrize("name", PAGES)
async def test_a_question_reads_ranges_of_one_index(
    db: Opened, commands: Commands, name: str
) -> None:
    ask, index = PAGES[name]
    commands.clear()
    await ask(db.stores.inboxes.notifications)
    found = _queries(commands, marks=_is_mark(name))
    assert found
    for collection, where, sort in found:
        assert index in serving(collection, where, sort), (where, sort)


async def test_dedupe_keys_announcements_and_the_audit_read_ranges(
    db: Opened, commands: Commands
) -> None:
    await _ask_the_rest(db, commands)
    found = _queries(commands)
    assert len(found) == len(REST)
    for (collection, where, sort), name in zip(found, REST, strict=True):
        assert name in serving(collection, where, sort), where


async def test_no_index_serves_without_one_of_its_keys(db: Opened, commands: Commands) -> None:
    """So each of the above fails when a key is taken from an index, or put elsewhere."""
    await _ask_the_rest(db, commands)
    asked = list(zip(_queries(commands), REST, strict=True))
    for name, (ask, index) in PAGES.items():
        commands.clear()
        await ask(db.stores.inboxes.notifications)
        asked += [(query, index) for query in _queries(commands, marks=_is_mark(name))]
    for collection in ("notifications", "announcements"):
        for declared in INDEXES[collection]:
            index, keys = declared.document["name"], list(declared.document["key"].items())
            served = [query for query, by in asked if by == index and query[0] == collection]
            if index == "expiry":
                continue  # the database's own
            assert all(serves(keys, where, sort) for _, where, sort in served)
            for changed in _broken(keys):
                assert not all(serves(changed, where, sort) for _, where, sort in served), changed


@pytest.mark.parametrize("name", ["count", "touched"])
async def test_it_needs_no_document(db: Opened, commands: Commands, name: str) -> None:
    ask, index = PAGES[name]
    commands.clear()
    await ask(db.stores.inboxes.notifications)
    (command,) = commands.asked
    (keys,) = (
        set(each.document["key"])
        for each in INDEXES["notifications"]
        if each.document["name"] == index
    )
    needed = _fields(command)
    assert needed
    assert needed <= keys
    for key in needed:
        assert not needed <= keys - {key}


def _fields(command: Mapping[str, Any]) -> set[str]:
    """All that is asked of a document."""
    if "find" in command:
        wanted = {name for name, kept in command["projection"].items() if kept}
        return wanted | set(command["filter"])
    match, group = command["pipeline"]
    used = {str(each) for each in _leaves(group) if str(each).startswith("$")}
    return {each.removeprefix("$") for each in used} | set(match["$match"])


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, Mapping):
        for each in tree.values():
            yield from _leaves(each)
    else:
        yield tree


def _broken(keys: list[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    """The keys without one of them, and with one of them last."""
    for number, key in enumerate(keys):
        rest = [*keys[:number], *keys[number + 1 :]]
        yield rest
        if number == 0:
            yield [*rest, key]


REST = [
    *("keyed", "keyed", "counting", "since", "counting", "counting", "over", "_id_", "_id_"),
    *("_id_", "untold", "untold", "kept"),
]


async def _ask_the_rest(db: Opened, commands: Commands) -> None:
    """What is asked by dedupe keys, of announcements, and by the audit."""
    items = notifications.item(
        samples.notification(1, "u1", dedupe_key="k"), "u1", samples.after(1), LATER
    )
    stores = db.stores.inboxes
    commands.clear()
    await stores.notifications.put([items])
    await stores.notifications.keyed([items])
    await stores.announcements.current(["all", "topic:a"], 3)
    await stores.announcements.since(["all", "topic:a"], 3)
    await stores.announcements.last_gone(["all", "topic:a"], 3)
    await stores.announcements.over(times.now(), 9)
    await stores.announcements.date(Everybody(3, {"a": 2}, {"b": 3}))
    await stores.announcements.get(["a"])
    await stores.announcements.ended(times.now(), 9)
    await stores.notifications.ended(times.now(), 9)
    assert [each async for each in stores.notifications.everything("u1")]


def _is_mark(name: str) -> bool:
    return "mark" in name or "would" in name


def _queries(commands: Commands, *, marks: bool = False) -> list[tuple[str, dict[str, Any], Keys]]:
    """What the commands look for; of marks without what tells apart the documents of a range."""
    return [
        (collection, without_state(where) if marks else where, sort)
        for command in list(commands.asked)
        for collection, where, sort in queries(command)
    ]


def test_an_index_whose_keys_are_in_another_order_does_not_serve() -> None:
    equal = {"recipient": "u", "dismissed": False, "expired": False}
    newest = [("createdAt", -1), ("id", -1)]
    assert serving("notifications", equal, newest) == ["kept"]
    assert serving("notifications", equal, [("id", -1)]) == []
    assert serving("notifications", {**equal, "link": "l"}, newest) == []
    assert serving("notifications", {**equal, "seenAt": {"$gt": 1}}, newest) == []
    assert serving("notifications", {**equal, "read": {"$ne": True}}, newest) == []


async def test_a_page_and_a_count_cost_the_same_whatever_is_stored(
    db: Opened, commands: Commands
) -> None:
    stores, limit, announced = db.stores.inboxes, 5, 4
    await announcing.announce(stores, [_announcement(n) for n in range(announced)])
    await stores.inboxes.enter(["u1"], Position("", 0))
    costs = []
    for first in (0, 100):
        await stores.notifications.put(_items(100 + 2 * first, first))
        await stores.inboxes.raise_versions([("u1", f"{first}", 1)])
        for state in FILTERS:
            for of in (None, "team.updated"):
                commands.clear()
                await lists.page(
                    stores, Unreads(stores), "u1",
                    filter=state, type=of, limit=limit, before=None,
                )  # fmt: skip
                costs.append(len(commands.asked))
                # a page, the announcements, a count, a member and everybody's version
                assert commands.documents <= limit + 1 + 2 * announced + 3
    assert (await Unreads(stores).whole("u1")).untouched
    assert costs[:6] == costs[6:]
    assert costs[:6] == [8, 7, 7, 7, 6, 6]  # settled once; announcements, if they are on the page


def _announcement(number: int) -> Announcement:
    what = {"type": "team.updated", "title": "t"}
    at = samples.after(1000 + number)
    return Announcement(f"a{number}", "all", "e", number + 1, at, at + LATER, what)


def test_the_inbox_has_no_more_indexes_than_its_docstring_names() -> None:
    named = [index.document["name"] for index in INDEXES["notifications"]]
    assert named == ["kept", "new", "typed", "scoped", "ends", "keyed", "untold", "expiry"]
