"""How inboxes begin, on a real store."""

from __future__ import annotations

import asyncio

from config.settings import Settings
from hub.domain.events import Position
from hub.services.inbox.members import Members
from tests.support.commands import Commands
from tests.support.stores import opened

NOW, LATER = Position("e", 3), Position("e", 4)


async def test_an_inbox_begins_once_whatever_was_stored_before(settings: Settings) -> None:
    async with opened(settings) as stores:
        inboxes = stores.stores.inboxes.inboxes
        await inboxes.raise_versions([("counted", "cause", 2)])  # had mail before they ever came
        assert await inboxes.enter(["early"], NOW) == {"early"}
        assert await inboxes.enter(["early", "counted", "new"], LATER) == {"new"}
        assert await inboxes.enter(["early", "counted", "new"], Position("e", 5)) == set()
        members = await inboxes.read(["early", "counted", "new"])
        assert {name: (each.since, each.version) for name, each in members.items()} == {
            "early": (NOW, 0),
            "counted": (LATER, 3),
            "new": (LATER, 0),
        }


async def test_a_crowd_of_new_users_shares_its_round_trips(settings: Settings) -> None:
    commands = Commands()
    async with opened(settings, [commands]) as stores:
        kept = stores.stores
        members = Members(kept.inboxes, kept.heads, stores.journal)
        await kept.inboxes.inboxes.raise_versions([("u7", "cause", 1)])
        commands.names.clear()
        entered = await asyncio.gather(*(members.enter(f"u{n}") for n in range(50)))
        assert [each.user_id for each in entered] == [f"u{n}" for n in range(50)]
        assert [each.version for each in entered] == [2 * (n == 7) for n in range(50)]
        stored = await kept.inboxes.inboxes.read(f"u{n}" for n in range(50))
        assert entered == [stored[each.user_id] for each in entered]
        # The members, where "all" ends, the new ones, the one who was known, and that one again.
        assert commands.names == ["find", "find", "insert", "update", "find", "find"]
