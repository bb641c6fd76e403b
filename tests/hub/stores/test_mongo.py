"""What comes back from the store is what went in."""

from __future__ import annotations

from config.settings import Settings
from tests.support.stores import opened


async def test_large_integers_come_back_as_integers(settings: Settings) -> None:
    async with opened(settings) as stores:
        kept = {"large": 1 << 40, "small": 7, "deep": [{"n": -(1 << 62)}]}
        await stores.db["notifications"].insert_one({"_id": "x", "data": kept})
        found = await stores.db["notifications"].find_one({"_id": "x"})
    assert found is not None
    assert found["data"] == kept
    assert type(found["data"]["large"]) is int
    assert type(found["data"]["deep"][0]["n"]) is int
