"""The jobs of all projects, out of the collection ``channels``: for administrators."""

from datetime import datetime
from typing import Final

import msgspec

from hub.domain import times
from hub.domain.jobs import TERMINAL, Job
from hub.stores.mongo import Collection, Database, Document

_JOBS: Final[Document] = {"job": {"$exists": True}}


class JobList:
    """Reading it."""

    def __init__(self, db: Database) -> None:
        self._channels: Collection = db["channels"]

    async def page(
        self, status: str | None, before: tuple[datetime, str] | None, limit: int
    ) -> list[Job]:
        """Up to ``limit`` jobs, the latest begun first: those begun before ``before``, which is the
        (start, channel) of the last one of another page."""
        query: Document = {**_JOBS, "keptUntil": {"$not": {"$lte": times.now()}}}
        if status is not None:
            query["job.status"] = status
        if before is not None:
            at, channel = before
            ties = {"job.started_at": at, "_id": {"$lt": channel}}
            query["job.started_at"] = {"$lte": at}
            query["$or"] = [{"job.started_at": {"$lt": at}}, ties]
        order = [("job.started_at", -1), ("_id", -1)]
        found = await self._channels.find(query).sort(order).limit(limit).to_list()
        return [msgspec.convert(document["job"], Job) for document in found]

    async def live(self) -> int:
        """How many jobs have not ended."""
        return await self._channels.count_documents(
            {**_JOBS, "job.status": {"$nin": sorted(TERMINAL)}}
        )
