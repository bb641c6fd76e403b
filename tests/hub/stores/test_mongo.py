"""What comes back from the store is what went in."""

from __future__ import annotations

import pytest
from pymongo.errors import BulkWriteError

from config.settings import Settings
from hub.stores.mongo import close_mongo, duplicates, open_mongo


async def test_large_integers_come_back_as_integers(settings: Settings) -> None:
    assert settings.mongo_url is not None
    client = open_mongo(settings.mongo_url)
    try:
        collection = client[settings.mongo_db]["notifications"]
        kept = {"large": 1 << 40, "small": 7, "deep": [{"n": -(1 << 62)}]}
        await collection.insert_one({"_id": "x", "data": kept})
        found = await collection.find_one({"_id": "x"})
    finally:
        await close_mongo(client)
    assert found is not None
    assert found["data"] == kept
    assert type(found["data"]["large"]) is int
    assert type(found["data"]["deep"][0]["n"]) is int


REPEATED, REFUSED = {"index": 1, "code": 11000}, {"index": 2, "code": 64}


def test_what_is_there_already_is_no_failure() -> None:
    assert duplicates(BulkWriteError({"writeErrors": [REPEATED]})) == [REPEATED]


@pytest.mark.parametrize(
    "details",
    [
        {"writeErrors": [REPEATED, REFUSED]},
        {"writeErrors": [], "writeConcernErrors": [REFUSED]},
        {"writeErrors": [REPEATED], "writeConcernErrors": [REFUSED]},
    ],
)
def test_what_was_refused_or_is_not_safe_is_a_failure(details: dict[str, object]) -> None:
    with pytest.raises(BulkWriteError):
        duplicates(BulkWriteError(details))
