"""The figures of this node at a moment."""

import os
import resource
import time
from pathlib import Path
from typing import Final

from hub import metrics
from hub.broker.nodes import Nodes
from hub.domain import times
from hub.gateways.presence import Presence
from hub.services.admin.stats import Doors, Figures
from hub.services.following import Following

_STATM: Final = Path("/proc/self/statm")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Sampler:
    """Takes samples, each of the time since the one before."""

    def __init__(self, presence: Presence, following: Following, nodes: Nodes) -> None:
        self._presence = presence
        self._following = following
        self._nodes = nodes
        self._at = time.monotonic()
        self._cpu = time.process_time()
        self._events = metrics.EVENTS.total
        self._deliveries = metrics.DELIVERIES.total
        self._latency = metrics.LATENCY.counts()

    def sample(self) -> Figures:
        """The figures; also notes them where ``/metrics`` finds them."""
        at, cpu = time.monotonic(), time.process_time()
        events, deliveries = metrics.EVENTS.total, metrics.DELIVERIES.total
        latency = metrics.LATENCY.counts()
        seconds = max(at - self._at, 0.001)
        doors, users, waiting = self._count()
        me = self._nodes.me
        found = Figures(
            id=me.id,
            connections=doors,
            users=users,
            channels=self._following.channels,
            publications_per_second=round((events - self._events) / seconds, 1),
            deliveries_per_second=round((deliveries - self._deliveries) / seconds, 1),
            latency=[new - old for new, old in zip(latency, self._latency, strict=True)],
            outbox_bytes=waiting,
            slow_consumers=int(metrics.SLOW_CONSUMERS.total),
            dropped=int(metrics.DROPPED.total),
            memory_bytes=memory(),
            cpu_percent=round(100 * (cpu - self._cpu) / seconds, 1),
            started_at=times.wire(me.started_at),
            draining=me.draining,
        )
        self._at, self._cpu = at, cpu
        self._events, self._deliveries, self._latency = events, deliveries, latency
        return found

    def note(self) -> None:
        """Has ``/metrics`` know what is counted only when somebody asks."""
        doors, users, waiting = self._count()
        for door in Doors.__struct_fields__:
            metrics.CONNECTIONS.set(getattr(doors, door), door.upper())
        metrics.USERS.set(users)
        metrics.CHANNELS.set(self._following.channels)
        metrics.OUTBOX_BYTES.set(waiting)
        metrics.MEMORY.set(memory())
        metrics.STARTED_AT.set(self._nodes.me.started_at.timestamp())

    def _count(self) -> tuple[Doors, int, int]:
        doors, users, waiting = dict.fromkeys(Doors.__struct_fields__, 0), set(), 0
        for each in self._presence:
            doors[each.door.lower()] += 1
            users.add(each.principal.user_id)
            waiting += each.outbox_bytes
        return Doors(**doors), len(users), waiting


def memory() -> int:
    """Bytes of the process that are in memory."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * _PAGE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # at most, where there is no /proc
