"""The figures of contract sections 9 and 10: each node's by its heartbeat, merged by whoever asks,
and the cluster's of the last fifteen minutes."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from config.logs import get_logger
from config.trouble import Trouble
from hub import metrics
from hub.broker.backlog import Backlog
from hub.broker.connect import honour_cancellation
from hub.broker.figures import FiguresStore
from hub.broker.nodes import LEASE, Nodes
from hub.domain import times
from hub.services.patience import FAILURES, patiently
from hub.stores.heads import Heads

EVERY: Final = 2.0
"""Seconds between figures."""

_log = get_logger(__name__)


class Doors(Struct, frozen=True):
    """Connections by door."""

    socketio: int = 0
    websocket: int = 0
    sse: int = 0


class Figures(Struct, frozen=True, kw_only=True):
    """A node's figures. Rates are of the last two seconds, as ``latency`` is, which counts how many
    events fell into each of ``metrics.BOUNDS``; ``slow_consumers`` and ``dropped`` since the node's
    start."""

    id: str
    connections: Doors
    users: int
    channels: int
    publications_per_second: float
    deliveries_per_second: float
    latency: list[int]
    outbox_bytes: int
    slow_consumers: int
    dropped: int
    memory_bytes: int
    cpu_percent: float
    started_at: str
    draining: bool

    def wire(self) -> dict[str, Any]:
        """As in contract section 10."""
        return {"id": self.id, **together([self], self.publications_per_second)}


class Moment(Struct, frozen=True, kw_only=True):
    """An entry of the history."""

    at: str
    cluster: dict[str, Any]
    jobs_live: int
    journal_lag: int

    def wire(self) -> dict[str, Any]:
        """As ``Stats.now`` has it, without the nodes."""
        return {
            "at": self.at,
            "cluster": self.cluster,
            "jobsLive": self.jobs_live,
            "journalLag": self.journal_lag,
        }


class Stats:
    """Keeps and gives the figures. ``sample``: this node's of now."""

    def __init__(
        self,
        store: FiguresStore,
        nodes: Nodes,
        backlog: Backlog,
        heads: Heads,
        sample: Callable[[], Figures],
    ) -> None:
        self._store = store
        self._nodes = nodes
        self._backlog = backlog
        self._heads = heads
        self._sample = sample
        self._ingested: tuple[float, int] | None = None
        self._live = 0
        self._alive: list[str] = []  # the nodes, as of the last beat
        self._trouble = Trouble(_log, "stats.not_kept", "stats.kept")

    async def run(self) -> None:
        """Keeps this node's figures until cancelled; of all nodes one keeps the history."""
        while True:
            honour_cancellation()
            mine = self._sample()
            try:
                await self._keep(mine)
            except FAILURES as error:
                self._trouble.failed(error)
            else:
                self._trouble.worked()
            await asyncio.sleep(EVERY - time.time() % EVERY)

    async def leave(self) -> None:
        """Takes this node's figures away. To be called when ``run`` has ended."""
        try:
            await self._store.drop(self._nodes.me.id)
        except FAILURES as error:
            _log.warning("stats.not_left", error=repr(error))

    async def now(self) -> dict[str, Any]:
        """``{at, nodes, cluster, jobsLive, journalLag}``. Raises ``HubError`` UNAVAILABLE."""
        async with patiently():
            raw, last = await self._store.latest(self._alive)
        found = [msgspec.json.decode(each, type=Figures) for each in raw]
        rate, jobs, lag = 0.0, 0, 0
        if last is not None:
            moment = _decode(last)
            rate = moment.cluster["publicationsPerSecond"]
            jobs, lag = moment.jobs_live, moment.journal_lag
        return {
            "at": times.wire(times.now()),
            "nodes": [each.wire() for each in found],
            "cluster": together(found, rate),
            "jobsLive": jobs,
            "journalLag": lag,
        }

    async def history(self) -> list[dict[str, Any]]:
        """The moments of the last fifteen minutes, oldest first; as ``now`` without the nodes."""
        async with patiently():
            return [_decode(each).wire() for each in await self._store.history()]

    async def _keep(self, mine: Figures) -> None:
        await self._store.put(mine.id, msgspec.json.encode(mine), LEASE)
        self._alive = [node.id for node in await self._nodes.alive()]
        if self._alive[:1] == [mine.id]:
            await self._remember()

    async def _remember(self) -> None:
        now = time.time()
        raw = await self._store.get(self._alive)
        figures = [msgspec.json.decode(each, type=Figures) for each in raw]
        moment = Moment(
            at=times.wire(times.now()),
            cluster=together(figures, await self._rate(now)),
            jobs_live=await self._jobs_live(),
            journal_lag=await self._backlog.entries(),
        )
        slot = int(now // EVERY * EVERY * 1000)
        await self._store.add_to_history(slot, msgspec.json.encode(moment))

    async def _rate(self, now: float) -> float:
        """Events stored per second, by any ingest worker, since it was asked last."""
        ingested, before = await self._store.ingested(), self._ingested
        self._ingested = (now, ingested)
        if before is None or now <= before[0]:
            return 0.0
        return round(max(0, ingested - before[1]) / (now - before[0]), 1)

    async def _jobs_live(self) -> int:
        """As it was while MongoDB is away or slow."""
        try:
            async with asyncio.timeout(EVERY / 2):
                self._live = await self._heads.running()
        except FAILURES as error:
            self._trouble.failed(error, "jobs")
        else:
            self._trouble.worked("jobs")
        return self._live


def _decode(raw: bytes) -> Moment:
    return msgspec.json.decode(raw, type=Moment)


def together(nodes: Sequence[Figures], publications: float) -> dict[str, Any]:
    """The figures of these nodes together. A user who is on two of them counts twice."""
    spread = [sum(counts) for counts in zip(*(node.latency for node in nodes), strict=True)]
    doors = {
        door: sum(getattr(node.connections, door) for node in nodes)
        for door in Doors.__struct_fields__
    }
    return {
        "connections": doors,
        "users": sum(node.users for node in nodes),
        "channels": sum(node.channels for node in nodes),
        "publicationsPerSecond": publications,
        "deliveriesPerSecond": round(sum(node.deliveries_per_second for node in nodes), 1),
        "latencyMs": {"p50": _milliseconds(spread, 0.5), "p99": _milliseconds(spread, 0.99)},
        "outboxBytes": sum(node.outbox_bytes for node in nodes),
        "slowConsumers": sum(node.slow_consumers for node in nodes),
        "dropped": sum(node.dropped for node in nodes),
        "memoryBytes": sum(node.memory_bytes for node in nodes),
        "cpuPercent": round(sum(node.cpu_percent for node in nodes), 1),
        "startedAt": min((node.started_at for node in nodes), default=None),
        "draining": any(node.draining for node in nodes),
    }


def _milliseconds(spread: Sequence[int], share: float) -> float | None:
    found = metrics.quantile(metrics.BOUNDS, spread, share)
    return None if found is None else round(1000 * found, 2)
