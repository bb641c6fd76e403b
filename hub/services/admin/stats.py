"""The figures of contract sections 9 and 10: each node's by its heartbeat, merged by whoever asks,
and the cluster's of the last fifteen minutes."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from config.logs import get_logger
from config.trouble import Trouble
from hub import metrics
from hub.broker.backlog import Backlog
from hub.broker.connect import honour_cancellation
from hub.broker.figures import FiguresStore
from hub.broker.nodes import Nodes
from hub.broker.records import Records
from hub.domain import times
from hub.services.patience import FAILURES, patiently
from hub.stores.heads import Heads

EVERY: Final = 2.0
"""Seconds between figures."""

YOUNG: Final = 2.5 * EVERY
"""Seconds that figures are kept: of a node that missed two beats there are none."""

_log = get_logger(__name__)


class Doors(Struct, frozen=True):
    """Connections by door."""

    socketio: int = 0
    websocket: int = 0
    sse: int = 0


class Figures(Struct, frozen=True, kw_only=True):
    """A node's figures. Rates are of the last two seconds, as ``latency`` is, which counts how many
    events fell into each of ``metrics.BOUNDS``; ``slow_consumers`` and ``dropped`` since the node's
    start. A node of another version may leave out all but its id, and have other bounds."""

    id: str
    connections: Doors = Doors()
    users: int = 0
    channels: int = 0
    publications_per_second: float = 0.0
    deliveries_per_second: float = 0.0
    latency: list[int] = []
    outbox_bytes: int = 0
    slow_consumers: int = 0
    dropped: int = 0
    memory_bytes: int = 0
    cpu_percent: float = 0.0
    started_at: str = ""
    draining: bool = False

    def wire(self) -> dict[str, Any]:
        """As in contract section 10."""
        return {"id": self.id, **together([self], self.publications_per_second)}


class Moment(Struct, frozen=True, kw_only=True):
    """An entry of the history."""

    at: str
    cluster: dict[str, Any]
    jobs_live: int
    journal_lag: int

    @property
    def whole(self) -> bool:
        """Whether it has all the figures that there are; one of another version may lack some."""
        return self.cluster.keys() >= together([], 0).keys()

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
        self._figures = Records("figures", Figures)
        self._moments = Records("history", Moment)
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
        found = self._read(raw)
        rate, jobs, lag = 0.0, 0, 0
        if last is not None and (moment := self._moments.read(last, "")) is not None:
            rate = _number(moment.cluster.get("publicationsPerSecond"))
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
            found = [self._moments.read(each, "") for each in await self._store.history()]
        return [each.wire() for each in found if each is not None and each.whole]

    def _read(self, raw: Mapping[str, bytes]) -> list[Figures]:
        found = [self._figures.read(each, node) for node, each in raw.items()]
        return [each for each in found if each is not None]

    async def _keep(self, mine: Figures) -> None:
        """Of the nodes whose figures are young, the one with the lowest id keeps the history: a
        node that died has a lease longer than it has figures."""
        await self._store.put(mine.id, msgspec.json.encode(mine), YOUNG)
        self._alive = [node.id for node in await self._nodes.alive()]
        found = self._read(await self._store.by_node(self._alive))
        if min((each.id for each in found), default="") == mine.id:
            await self._remember(found)

    async def _remember(self, figures: Sequence[Figures]) -> None:
        now = time.time()
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


def _number(found: Any) -> float:
    return found if isinstance(found, int | float) else 0.0


def together(nodes: Sequence[Figures], publications: float) -> dict[str, Any]:
    """The figures of these nodes together. A user who is on two of them counts twice; latencies by
    other bounds do not count."""
    same = [node.latency for node in nodes if len(node.latency) == len(metrics.BOUNDS) + 1]
    spread = [sum(counts) for counts in zip(*same, strict=True)]
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
        "startedAt": min(filter(None, (node.started_at for node in nodes)), default=None),
        "draining": any(node.draining for node in nodes),
    }


def _milliseconds(spread: Sequence[int], share: float) -> float | None:
    found = metrics.quantile(metrics.BOUNDS, spread, share)
    return None if found is None else round(1000 * found, 2)
