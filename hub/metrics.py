"""Every metric of the hub, by name. What is counted here is plain numbers: the hot path adds to
one per event, never per client, and nothing is formatted before somebody asks for it.

They are of the process, which is one node or one worker.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_LABELS_AT_MOST: Final = 100
_OTHER: Final = "other"

Labels = tuple[str, ...]


class _Family(Protocol):
    name: str

    def collect(self) -> Metric:
        """What it is now."""


class Count:
    """A number that only rises, one for each combination of labels. There are so many of these at
    most; further ones are counted as ``other``."""

    def __init__(self, name: str, meaning: str, *labels: str) -> None:
        self.name = f"{name}_total"
        self._meaning = meaning
        self._labels = labels
        self.by_labels: dict[Labels, float] = {} if labels else {(): 0}
        _FAMILIES.append(self)

    def add(self, amount: float = 1, *labels: str) -> None:
        """Counts."""
        found = self.by_labels
        if labels not in found and len(found) >= _LABELS_AT_MOST:
            labels = (_OTHER,) * len(labels)
        found[labels] = found.get(labels, 0) + amount

    @property
    def total(self) -> float:
        """Over all labels."""
        return sum(self.by_labels.values())

    def collect(self) -> Metric:
        family = CounterMetricFamily(self.name, self._meaning, labels=self._labels)
        for labels, value in list(self.by_labels.items()):
            family.add_metric(labels, value)
        return family


class Level:
    """A number that rises and falls; whoever knows it sets it when it is asked for."""

    def __init__(self, name: str, meaning: str, *labels: str) -> None:
        self.name = name
        self._meaning = meaning
        self._labels = labels
        self._values: dict[Labels, float] = {}
        _FAMILIES.append(self)

    def set(self, value: float, *labels: str) -> None:
        """Notes what it is now."""
        self._values[labels] = value

    def clear(self) -> None:
        """Nobody knows it now."""
        self._values.clear()

    def collect(self) -> Metric:
        family = GaugeMetricFamily(self.name, self._meaning, labels=self._labels)
        for labels, value in list(self._values.items()):
            family.add_metric(labels, value)
        return family


class Spread:
    """How durations are spread over buckets. ``bounds``: upper ones, in seconds."""

    def __init__(
        self, name: str, meaning: str, *labels: str, bounds: Sequence[float] | None = None
    ) -> None:
        self.name = name
        self.bounds = bounds or BOUNDS
        self._meaning = meaning
        self._labels = labels
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        if not labels:
            self._new(())
        _FAMILIES.append(self)

    def observe(self, seconds: float, *labels: str, times: int = 1) -> None:
        """Notes a duration that so many had."""
        counts = self._counts.get(labels) or self._new(labels)
        counts[bisect_left(self.bounds, seconds)] += times
        self._sums[labels] += seconds * times

    @contextmanager
    def timed(self, *labels: str) -> Iterator[None]:
        """Observes how long what is within takes."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.observe(time.monotonic() - began, *labels)

    def counts(self, *labels: str) -> list[int]:
        """How many fell into each bucket, the last one without bound."""
        return list(self._counts.get(labels) or self._new(labels))

    def _new(self, labels: Labels) -> list[int]:
        self._sums[labels] = 0.0
        self._counts[labels] = [0] * (len(self.bounds) + 1)
        return self._counts[labels]

    def collect(self) -> Metric:
        family = HistogramMetricFamily(self.name, self._meaning, labels=self._labels)
        names = [*map(str, self.bounds), "+Inf"]
        for labels, counts in list(self._counts.items()):
            buckets = list(zip(names, map(float, accumulate(counts)), strict=True))
            family.add_metric(labels, buckets, self._sums[labels])
        return family


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Below what ``share`` of all durations lie, interpolated; None when there are none."""
    left = sum(counts) * share
    if not left:
        return None
    lower = 0.0
    for upper, count in zip((*bounds, bounds[-1]), counts, strict=True):
        if count and left <= count:
            return lower + (upper - lower) * left / count
        left -= count
        lower = upper
    return lower


BOUNDS: Final = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Seconds."""

_FAMILIES: list[_Family] = []

CONNECTIONS: Final = Level("hub_connections", "Connections that are open", "door")
USERS: Final = Level("hub_users", "Users who have any connection to this node")
CHANNELS: Final = Level("hub_channels", "Channels that this node follows")
OUTBOX_BYTES: Final = Level("hub_outbox_bytes", "Bytes that wait for clients to read them")
SLOTS: Final = Level("hub_slots", "Slots of jobs that this node's clients hold")
STARTED_AT: Final = Level("hub_started_at_seconds", "When the node was started, Unix time")
MEMORY: Final = Level("hub_memory_bytes", "Resident memory of the process")

EVENTS: Final = Count("hub_events", "Events that this node passed on to anybody")
DELIVERIES: Final = Count("hub_deliveries", "Events times the clients that each was passed on to")
LATENCY: Final = Spread(
    "hub_publish_to_write_seconds", "From the journal's taking an event to its write to sockets"
)
DROPPED: Final = Count("hub_dropped", "Queued events that gave way because a client lags")
COALESCED: Final = Count("hub_coalesced", "Resets that stood for events that gave way")
SLOW_CONSUMERS: Final = Count("hub_slow_consumers", "Connections cut off because nobody read")
LIMITED: Final = Count("hub_limited", "What was refused because of a limit", "limit")
REPLAYS: Final = Count("hub_joins", "Channels joined, by how the client was caught up", "mode")
RECOVERIES: Final = Count("hub_recoveries", "Returns with a session, and what came of them", "how")
RESETS: Final = Count("hub_resets", "Channels that went on from another place")
GAP_FILLS: Final = Count("hub_gap_fills", "Gaps of channels that were filled from the log")
CLOSES: Final = Count("hub_closes", "Connections that ended, and why", "door", "reason")
REFUSALS: Final = Count("hub_refusals", "Connects and commands that were refused", "code")
LEASES: Final = Count("hub_lease_changes", "Leases taken and lost", "lease", "change")
STORES: Final = Spread("hub_store_seconds", "How long a store took to answer", "store", "operation")

JOURNAL_ENTRIES: Final = Level(
    "hub_journal_entries", "Publications that wait for ingest", "partition"
)
JOURNAL_OLDEST: Final = Level(
    "hub_journal_oldest_seconds", "For how long the oldest of them has waited", "partition"
)
DEAD_LETTERS: Final = Level(
    "hub_dead_letters", "Publications that cannot be processed", "partition"
)
PARTITION_LEASED: Final = Level(
    "hub_partition_leased", "Whether an ingest worker reads the partition", "partition"
)

INGESTED: Final = Count("hub_ingested", "Events that this worker stored")
INGEST_BATCH: Final = Spread("hub_ingest_batch_seconds", "How long a batch took this worker")
BURIED: Final = Count("hub_buried", "Dead letters that this worker made")

TRACED: Final = Count("hub_traced", "Steps of events that were noted for traces")
TRACES_LOST: Final = Count("hub_traces_lost", "Likewise, that were not kept: too many at once")

NAMES: Final = frozenset(family.name for family in _FAMILIES)
"""Of all of them."""


class _Hub:
    """Collects all that is in this module."""

    def collect(self) -> Iterator[Metric]:
        for family in _FAMILIES:
            yield family.collect()


REGISTRY: Final = CollectorRegistry(auto_describe=False)
"""The hub's metrics; others may be registered, too."""

REGISTRY.register(_Hub())


def exposition() -> bytes:
    """All metrics in Prometheus' text form."""
    return generate_latest(REGISTRY)


@contextmanager
def served(port: int | None) -> Iterator[None]:
    """Serves them on a port of its own, for a process that serves nothing else; not at all without
    a port. Raises ``OSError`` when the port is taken."""
    if port is None:
        yield
        return
    server, thread = start_http_server(port, registry=REGISTRY)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed(door: str, reason: str) -> None:
    """Counts a connection that has ended."""
    CLOSES.add(1, door, reason)
