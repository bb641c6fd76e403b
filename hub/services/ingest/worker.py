"""The ingest worker: holds leases of partitions and reads each in a task of its own."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

from pymongo.errors import PyMongoError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.logs import get_logger
from config.trouble import Trouble
from hub import metrics
from hub.broker import keys as key_names
from hub.broker.connect import command, honour_cancellation
from hub.broker.journal import DeadLetter, Entry, NotHeld, PartitionReader
from hub.broker.keys import Keys
from hub.broker.leases import Leases
from hub.domain import codes
from hub.services.ingest.batch import Contended, Ingest
from hub.services.ingest.plan import LivesOverlap
from hub.services.ingest.sweeper import Sweep, Sweeper
from hub.services.tracing import Tracer

LEASE: Final = 3.0
"""Seconds that a partition stays with a worker that died."""

_RENEW: Final = 1.0
_BATCH: Final = 256
BLOCK: Final = 1.0
"""Seconds that a reader waits in Redis for the next entry."""

_BACKOFF_FIRST, _BACKOFF_LAST = 0.1, 1.0
_FAILURES = (PyMongoError, RedisError, OSError, TimeoutError, Contended)
_log = get_logger(__name__)


class IngestWorker:
    """Takes its fair share of the partitions, as many workers as there are, and processes them
    until cancelled. ``reading``: a Redis client whose time limit exceeds the blocking reads."""

    def __init__(
        self,
        worker_id: str,
        redis: Redis,
        reading: Redis,
        keys: Keys,
        ingest: Ingest,
        on_ready: Callable[[], None],
        tracer: Tracer | None = None,
        sweeps: Sequence[Sweep] = (),
    ) -> None:
        self.id = worker_id
        self._redis = redis
        self._reading = reading
        self._keys = keys
        self._ingest = ingest
        self._on_ready = on_ready
        self._leases = Leases(redis, worker_id, LEASE)
        self._readers: dict[int, asyncio.Task[None]] = {}
        self._workers = 1
        self._tracer = tracer
        self._sweeper = Sweeper(sweeps, self._leases) if sweeps else None
        self._told = 0  # of the events stored, how many the cluster knows of
        self._trouble = Trouble(_log, "ingest.held_up", "ingest.goes_on")

    async def run(self) -> None:
        """Works until cancelled; then finishes nothing half-way that a successor would not redo."""
        try:
            async with asyncio.TaskGroup() as group:
                if self._tracer is not None:
                    group.create_task(self._tracer.run())
                if self._sweeper is not None:
                    group.create_task(self._sweeper.run())
                await self._keep_leases(group)
        finally:
            await self._leave()

    async def _keep_leases(self, group: asyncio.TaskGroup) -> None:
        ready, renewed = False, time.monotonic()
        while True:
            honour_cancellation()
            try:
                held = await self._take_share()
            except _FAILURES as error:
                self._trouble.failed(error, "leases")
                if time.monotonic() - renewed > LEASE:
                    self._assign(group, set())
            else:
                renewed = time.monotonic()
                self._trouble.worked("leases")
                self._assign(group, held)
                if not ready:
                    ready = True
                    self._on_ready()
            await asyncio.sleep(_RENEW)

    async def _take_share(self) -> set[int]:
        """Renews what this worker holds and takes what is free, up to its share."""
        await self._count_workers()
        share = math.ceil(self._keys.partitions / self._workers)
        mine = [number for number, task in self._readers.items() if not task.done()]
        surplus = mine[share:]
        if surplus:
            self._stop(surplus)
            await self._leases.release([self._keys.lease(number) for number in surplus])
            mine = mine[:share]
        held = await self._take(mine)
        if len(held) < share:
            held |= await self._take_free(share - len(held), {*mine, *surplus})
        return held

    async def _take_free(self, count: int, known: set[int]) -> set[int]:
        """Up to ``count`` of the partitions that nobody holds. All are asked for at once, so that
        one whose server hangs costs the others no more than its time limit."""
        others = [number for number in range(self._keys.partitions) if number not in known]
        free = sorted(await self._take(others))
        await self._leases.release([self._keys.lease(number) for number in free[count:]])
        return set(free[:count])

    async def _take(self, partitions: list[int]) -> set[int]:
        taken = await self._leases.take([self._keys.lease(number) for number in partitions])
        return {number for number, held in zip(partitions, taken, strict=True) if held}

    async def _count_workers(self) -> None:
        """Notes how many workers there are. In a cluster the server that knows may be away while
        those of the partitions are not: then it is as many as it was."""
        try:
            self._workers = await self._alive_workers()
        except _FAILURES as error:
            self._trouble.failed(error, "workers", assumed=self._workers)
        else:
            self._trouble.worked("workers")

    async def _alive_workers(self) -> int:
        now = time.time()
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(key_names.INGEST_WORKERS, {self.id: now})
            pipe.zremrangebyscore(key_names.INGEST_WORKERS, "-inf", now - LEASE)
            pipe.zcard(key_names.INGEST_WORKERS)
            pipe.incrby(key_names.INGESTED, fresh := int(metrics.INGESTED.total) - self._told)
            _, _, alive, _ = await pipe.execute()
        self._told += fresh
        return max(1, int(alive))

    def _assign(self, group: asyncio.TaskGroup, held: set[int]) -> None:
        self._stop([number for number in self._readers if number not in held])
        for number in held - self._readers.keys():
            metrics.LEASES.add(1, "partition", "taken")
            reader = PartitionReader(self._reading, self._keys, number, self.id)
            self._readers[number] = group.create_task(self._read(reader))

    def _stop(self, partitions: list[int]) -> None:
        for number in partitions:
            metrics.LEASES.add(1, "partition", "lost")
            self._readers.pop(number).cancel()
            self._trouble.worked(number)

    async def _read(self, reader: PartitionReader) -> None:
        """Reads one partition: first what was left unfinished, then what comes."""
        redelivered, alone, delay = True, False, _BACKOFF_FIRST
        while True:
            honour_cancellation()
            try:
                entries = await self._next(reader, redelivered=redelivered)
                if not entries:
                    redelivered = False
                elif alone:
                    await self._one_by_one(reader, entries)
                    alone = False
                else:
                    await self._ingest.process(reader, entries, redelivered=redelivered)
                delay = _BACKOFF_FIRST
                self._trouble.worked(reader.partition)
            except _FAILURES as error:
                self._trouble.failed(error, reader.partition, partition=reader.partition)
                redelivered, alone = True, False
                await asyncio.sleep(delay)
                delay = min(2 * delay, _BACKOFF_LAST)
            except NotHeld:  # this worker is told in a moment, or holds it again
                redelivered = True
                await asyncio.sleep(delay)
            except LivesOverlap as error:
                _log.info("ingest.one_by_one", partition=reader.partition, channel=str(error))
                redelivered = alone = True
            except Exception:  # noqa: BLE001 - one publication must not stop its partition
                _log.exception("ingest.batch_failed", partition=reader.partition)
                redelivered = alone = True

    async def _one_by_one(self, reader: PartitionReader, entries: Sequence[Entry]) -> None:
        """Processes the entries of a batch that failed; the one it failed for becomes a dead
        letter, and the others are not held up by it."""
        for entry in entries:
            try:
                await self._ingest.process(reader, [entry], redelivered=True)
            except _FAILURES:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                _log.exception("ingest.entry_failed", partition=reader.partition, entry=entry.id)
                reason = f"{codes.INTERNAL.name}: {type(error).__name__}"
                await reader.bury([DeadLetter(entry, reason)])
                await reader.acknowledge([entry])

    @staticmethod
    async def _next(reader: PartitionReader, *, redelivered: bool) -> list[Entry]:
        if redelivered:
            return await reader.pending(_BATCH)
        return await reader.next(_BATCH, int(BLOCK * 1000))

    async def _leave(self) -> None:
        """Lets others take over at once instead of after the leases run out."""
        try:
            everything = [self._keys.lease(n) for n in range(self._keys.partitions)]
            await self._leases.release(everything)
            await command(self._redis.zrem(key_names.INGEST_WORKERS, self.id))
        except _FAILURES as error:
            _log.warning("ingest.leases_not_released", error=repr(error))
