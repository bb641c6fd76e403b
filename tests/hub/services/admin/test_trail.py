"""What administrators do is recorded, also while MongoDB is away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from config.settings import Settings
from hub import metrics
from hub.embedded import MongoServer
from hub.services.admin.trail import Trail
from hub.stores.audit import Audit, Record
from hub.stores.mongo import close_mongo, open_mongo
from tests.support.stores import opened
from tests.support.wait import eventually


@pytest.mark.timeout(60)
async def test_what_cannot_be_stored_is_stored_when_mongodb_is_back(
    settings: Settings, mongo_server: MongoServer
) -> None:
    mongo = open_mongo(settings.mongo_url or "", timeout=1)
    trail = Trail(Audit(mongo[settings.mongo_db], timedelta(days=1)))
    running = asyncio.create_task(trail.run())
    try:
        await trail.add("root", "kick", "user:u1", "OK", {"message": "bye"})
        await mongo_server.stop()
        async with asyncio.timeout(10):  # it is not waited for
            await trail.add("root", "kick", "user:u2", "OK")
            await trail.add("root", "kick", "user:u3", "INVALID_REQUEST")
        await mongo_server.start()

        async def all_there() -> bool:
            return len(await trail.page(None, 10)) == 3

        await eventually(all_there, limit=20)
        records = await trail.page(None, 10)
        assert [each.target for each in records] == ["user:u3", "user:u2", "user:u1"]
        assert records[2].wire()["details"] == {"message": "bye"}
        assert (records[0].outcome, records[0].actor) == ("INVALID_REQUEST", "root")
        rest = await trail.page(records[0].id, 1)
        assert [each.target for each in rest] == ["user:u2"]
    finally:
        running.cancel()
        await asyncio.wait([running])
        await close_mongo(mongo)


class Away:
    """A store that takes nothing, or no more than one at a time, until it is back."""

    def __init__(self) -> None:
        self.stored: list[Record] = []
        self.asked, self.back = asyncio.Event(), asyncio.Event()
        self.tries = 0

    async def insert(self, *records: Record) -> None:
        self.tries += 1
        if not self.back.is_set() and len(records) == 1:
            raise OSError
        self.asked.set()
        await self.back.wait()
        self.stored += records


async def test_of_too_many_the_oldest_give_way_also_while_they_are_being_stored() -> None:
    away: Any = Away()
    trail = Trail(away)
    lost = metrics.LIMITED.by_labels.get(("audit_waiting",), 0)
    running = asyncio.create_task(trail.run())
    for number in range(1000):
        await trail.add("root", "kick", f"user:u{number}", "OK")
    await away.asked.wait()
    for number in range(1000, 1010):
        await trail.add("root", "kick", f"user:u{number}", "OK")
    away.back.set()

    async def all_there() -> bool:
        return len(away.stored) == 1010 or running.done()

    await eventually(all_there)
    assert not running.done()
    assert [each.target for each in away.stored] == [f"user:u{number}" for number in range(1010)]
    assert metrics.LIMITED.by_labels["audit_waiting",] == lost + 10
    running.cancel()
    await asyncio.wait([running])


async def test_what_waits_at_the_end_is_stored_if_that_is_possible() -> None:
    away: Any = Away()
    trail = Trail(away)
    await trail.add("root", "kick", "user:u1", "OK")
    await trail.add("root", "kick", "user:u2", "OK")
    away.back.set()
    await trail.close()
    assert [each.target for each in away.stored] == ["user:u1", "user:u2"]


async def test_records_expire(settings: Settings) -> None:
    async with opened(settings) as stores:
        trail = Trail(Audit(stores.db, timedelta(seconds=100)))
        await trail.add("root", "stats", "", "OK")
        document = await stores.db["audit"].find_one()
        assert document is not None
        assert document["expireAt"] - document["at"] == timedelta(seconds=100)
        indexes = await stores.db["audit"].index_information()
        assert indexes["expiry"]["expireAfterSeconds"] == 0


async def test_of_strangers_so_many_a_minute_are_recorded() -> None:
    audit = Away()
    audit.back.set()
    trail = Trail(audit)  # type: ignore[arg-type]
    before = metrics.LIMITED.by_labels.get(("audit_strangers",), 0)
    for _ in range(100):
        await trail.turned_away(None, "connect", "10.0.0.1", "UNAUTHENTICATED")
    assert 60 <= len(audit.stored) < 70
    lost = metrics.LIMITED.by_labels["audit_strangers",] - before
    assert lost == 100 - len(audit.stored)
    assert {(each.actor, each.target) for each in audit.stored} == {("?", "address:10.0.0.1")}


async def test_nobody_finds_out_anew_that_mongodb_is_away() -> None:
    audit = Away()
    trail = Trail(audit)  # type: ignore[arg-type]
    for number in range(3):
        await trail.add("root", "kick", f"user:{number}", "OK")
    assert audit.tries == 1
