"""What administrators do is recorded, also while MongoDB is away."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from config.settings import Settings
from hub.embedded import MongoServer
from hub.services.admin.trail import Trail
from hub.stores.audit import Audit
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


async def test_records_expire(settings: Settings) -> None:
    async with opened(settings) as stores:
        trail = Trail(Audit(stores.db, timedelta(seconds=100)))
        await trail.add("root", "stats", "", "OK")
        document = await stores.db["audit"].find_one()
        assert document is not None
        assert document["expireAt"] - document["at"] == timedelta(seconds=100)
        indexes = await stores.db["audit"].index_information()
        assert indexes["expiry"]["expireAfterSeconds"] == 0
