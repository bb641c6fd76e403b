"""What is read when all is over: what is stored, and what those see of it who poll."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from config.settings import Settings
from hub import tokens
from hub.broker.keys import Keys
from hub.domain.notifications import CHANGED
from hub.services.inbox.stores import InboxStores, inbox_stores
from tests.chaos.cast import JOBS, PROJECT
from tests.chaos.checker import Began, Entry, Event, Seen
from tests.chaos.cluster import SECRET
from tests.chaos.ledger import Head, Stored
from tests.chaos.marks import Kept

HISTORY: Final = "history, HTTP"
_PAGE: Final = 200


class Stores:
    """A look into the stores of a run, past the hub."""

    def __init__(self, settings: Settings, redis_url: str) -> None:
        self._keys = Keys(settings.partitions)
        self._redis = Redis.from_url(redis_url)
        self._mongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            settings.mongo_url, tz_aware=True, serverMonitoringMode="poll"
        )
        self._db = self._mongo[settings.mongo_db]

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()
        await self._mongo.close()

    @property
    def inboxes(self) -> InboxStores:
        """The inboxes, as the hub reads them."""
        return inbox_stores(self._db)

    async def heads(self) -> dict[str, Head]:
        """Where each channel's log ends."""
        found = await self._db["channels"].find({}, {"epoch": 1, "offset": 1}).to_list()
        return {each["_id"]: Head(each["epoch"], each["offset"]) for each in found}

    async def journal_is_empty(self) -> bool:
        """Whether ingest has dealt with everything."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition in range(self._keys.partitions):
                pipe.xlen(self._keys.journal(partition))
            return not any(await pipe.execute())

    async def dead_letters(self) -> int:
        """How many publications were refused."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition in range(self._keys.partitions):
                pipe.xlen(self._keys.dead(partition))
            return sum(await pipe.execute())

    async def everything(self, epochs: Mapping[str, str]) -> Stored:
        """What is stored. ``epochs``: what they were at the start."""
        fields = {"channel": 1, "epoch": 1, "offset": 1, "type": 1}
        events = await self._db["events"].find({}, fields).to_list()
        own = {"scope": "USER"}  # the others are copies of announcements that somebody marked
        items = await self._db["notifications"].find(own, {"recipient": 1, "id": 1}).to_list()
        return Stored(
            [Event(each["channel"], each["epoch"], each["offset"], each["_id"]) for each in events],
            await self.heads(),
            epochs,
            [(f"user:{each['recipient']}", each["id"]) for each in items],
            {(each["channel"], each["_id"]) for each in events if each["type"] == CHANGED},
            await self.dead_letters(),
        )

    async def states(self) -> dict[tuple[str, str], Kept]:
        """The state of each notification, by user and id."""
        found = await self._db["notifications"].find({}).to_list()
        return {
            (each["recipient"], each["id"]): Kept(
                each["seenAt"] is not None, each["read"], each["dismissed"]
            )
            for each in found
        }


async def polled(url: str) -> tuple[list[Seen], dict[str, Head]]:
    """What somebody gets who pages through each job's history, and where its progress is by the
    snapshot."""
    token = tokens.mint(SECRET, "reader", projects=[PROJECT])
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as http:
        place = f"{url}/v1/generation-jobs/{{}}".format
        return (
            [await _history(http, place(job), job) for job in JOBS],
            {f"job:{job}": await _progress(http, place(job)) for job in JOBS},
        )


async def _progress(http: aiohttp.ClientSession, url: str) -> Head:
    async with http.get(f"{url}/progress") as answer:
        snapshot = await answer.json()
    return Head(snapshot["epoch"], snapshot["offset"])


async def _history(http: aiohttp.ClientSession, url: str, job: str) -> Seen:
    channel = f"job:{job}"
    entries: list[Entry] = [Began(channel, "", 0)]
    query: dict[str, Any] | None = {"limit": _PAGE}
    while query is not None:
        async with http.get(f"{url}/events", params=query) as answer:
            page = await answer.json()
        entries += [
            Event(channel, each["epoch"], each["offset"], each["id"]) for each in page["events"]
        ]
        query = {"limit": _PAGE, "cursor": page["nextCursor"]} if page["hasMore"] else None
    return Seen(f"history of {job}", HISTORY, [channel], entries)
