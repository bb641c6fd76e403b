"""Of one version there is one count, also while a change is half made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from config.settings import Settings
from hub.domain import times
from hub.domain.events import Position
from hub.domain.inbox import Member, Settled, Unread
from hub.domain.readstate import As
from hub.services.inbox.inbox import Inbox
from hub.stores.inboxes import Claim, Inboxes
from tests.hub.domain import samples
from tests.hub.services.inbox.world import principal
from tests.support.commands import Commands
from tests.support.stores import Opened, opened

U1 = principal("u1")


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Opened]:
    async with opened(settings) as found:
        yield found


def inbox(stores: Opened, inboxes: Inboxes | None = None) -> Inbox:
    kept = stores.stores.inboxes
    if inboxes is not None:
        kept = replace(kept, inboxes=inboxes)
    return Inbox(kept, stores.stores.heads, stores.journal)


class Halting(Inboxes):
    """Stops between a change and the version that says so, until it may go on."""

    def __init__(self, stores: Opened) -> None:
        super().__init__(stores.db)
        self.halted, self.go_on = asyncio.Event(), asyncio.Event()

    async def raise_versions(self, causes: Sequence[tuple[str, str, int]]) -> None:
        self.halted.set()
        await self.go_on.wait()
        await super().raise_versions(causes)


@pytest.mark.parametrize("counted_before", [True, False])
async def test_a_change_that_is_half_made_shows_with_its_version(
    stores: Opened, counted_before: bool
) -> None:
    other, halting = inbox(stores), Halting(stores)
    await other.enter(U1)
    await stores.publish([samples.notification(n, "u1") for n in (1, 2)])
    await stores.drain(stores.ingest())
    if not counted_before:
        await stores.stores.inboxes.inboxes.raise_versions([("u1", "a change before", 1)])
    before = await other.unread(U1) if counted_before else None
    marking = asyncio.create_task(inbox(stores, halting).mark(U1, [str(samples.uuid(1))], As.READ))
    await halting.halted.wait()
    during = [
        await other.unread(U1),
        (await other.page(U1)).unread,
        await inbox(stores).unread(U1),
    ]
    assert len(set(during)) == 1
    assert before in (None, during[0])
    halting.go_on.set()
    marked = await marking
    assert marked.unread.count == 1
    assert marked.unread.version > during[0].version
    assert await other.unread(U1) == marked.unread


async def test_whoever_counts_at_once_gets_one_count_a_version(stores: Opened) -> None:
    nodes, known = [inbox(stores), inbox(stores)], dict[int, int]()
    await nodes[0].enter(U1)
    over = asyncio.Event()

    def note(unread: Unread) -> None:
        assert known.setdefault(unread.version, unread.count) == unread.count, unread

    async def read(node: Inbox) -> None:
        while not over.is_set():
            note(await node.unread(U1))
            note((await node.page(U1, limit=1)).unread)

    async def mark(node: Inbox, first: int) -> None:
        for number in range(first, 12, 2):
            for as_ in (As.READ, As.UNREAD, As.DISMISSED):
                note((await node.mark(U1, [str(samples.uuid(number))], as_)).unread)

    async def tell() -> None:
        ingest = stores.ingest()
        for number in range(12, 24):
            to = [] if number % 4 == 0 else ["u1"]
            await stores.publish([samples.notification(number, *to)])
            await stores.drain(ingest)

    await stores.publish([samples.notification(n, "u1") for n in range(12)])
    await stores.drain(stores.ingest())
    readers = [asyncio.create_task(read(node)) for node in nodes]
    await asyncio.gather(mark(nodes[0], 0), mark(nodes[1], 1), tell())
    over.set()
    await asyncio.gather(*readers)
    await stores.drain(stores.ingest())
    for event in await stores.db["events"].find({"channel": "user:u1"}).to_list():
        note(Unread(**event["data"]["unread"]))
    assert (await nodes[1].unread(U1)).count == 12


async def test_a_settled_count_costs_one_read(settings: Settings) -> None:
    commands = Commands()
    async with opened(settings, [commands]) as stores:
        node = inbox(stores)
        await node.enter(U1)
        await stores.publish([samples.notification(1, "u1"), samples.notification(2)])
        await stores.drain(stores.ingest())
        first = await node.unread(U1)
        commands.names.clear()
        assert await node.unread(U1) == first == Unread(2, first.version)
        assert commands.names == ["find"]


async def test_a_count_is_settled_once_and_not_for_changes_of_before(stores: Opened) -> None:
    inboxes, soon = stores.stores.inboxes.inboxes, times.now() + timedelta(hours=1)
    await inboxes.enter(["u1", "u2"], Position("e", 1))
    await inboxes.raise_versions([("u1", "a", 3)])
    first, before = (await inboxes.read(["u1", "u2"])), Member("u1", 2)
    settled = {"u1": Settled(5, 3, 0, soon), "u2": Settled(1, 0, 0, soon)}
    assert await inboxes.settle([Claim(first["u1"], settled["u1"])])
    assert not await inboxes.settle([Claim(first["u1"], Settled(6, 3, 0, soon))])
    assert not await inboxes.settle([Claim(before, Settled(6, 2, 9, soon))])
    both = [Claim(first["u2"], settled["u2"]), Claim(first["u1"], Settled(7, 3, 1, soon))]
    assert not await inboxes.settle(both)
    found = await inboxes.read(["u1", "u2"])
    assert {user: member.settled for user, member in found.items()} == settled
    assert await inboxes.settle([Claim(found["u1"], Settled(8, 6, 0, soon), steps=3)])
    member = (await inboxes.read(["u1"]))["u1"]
    assert (member.version, member.settled) == (6, Settled(8, 6, 0, soon))


@pytest.mark.parametrize("own_first", [True, False])
async def test_a_count_holds_until_the_first_of_it_ends(stores: Opened, own_first: bool) -> None:
    node, inboxes = inbox(stores), stores.stores.inboxes.inboxes
    await node.enter(U1)
    later, first = (times.now() + timedelta(hours=hours) for hours in (2, 1))
    own, to_all = (first, later) if own_first else (later, first)
    await stores.publish(
        [
            samples.notification(1, "u1", expires_at=own),
            samples.notification(2, expires_at=to_all),
        ]
    )
    await stores.drain(stores.ingest())
    before = await node.unread(U1)
    settled = (await inboxes.read(["u1"]))["u1"].settled
    assert settled is not None
    if own_first:
        assert settled.until == first
    await stores.end("notifications" if own_first else "announcements", {"endsAt": first})
    after = await inbox(stores).unread(U1)  # what the first node read of announcements stays true
    assert (before.count, after.count, after.version > before.version) == (2, 1, True)
    assert await node.unread(U1) == after
