"""Every contender by name, in the order in which they run and are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.servers.bare import Bare, BareRedis
from bench.servers.base import Server
from bench.servers.hub import Hub, HubInProcess
from bench.servers.node import Node, NodeRedis

CONTENDERS: Mapping[str, type[Server]] = {
    kind.name: kind for kind in (Hub, HubInProcess, Node, NodeRedis, Bare, BareRedis)
}


def chosen(only: Sequence[str] | None, *, through_redis: bool = False) -> list[type[Server]]:
    """The contenders a command runs; raises ``ValueError`` for a name that is none of them.

    ``through_redis`` leaves out those that emit in their own process.
    """
    if unknown := set(only or ()) - set(CONTENDERS):
        names = ", ".join(CONTENDERS)
        raise ValueError(f"unknown contender {', '.join(sorted(unknown))}; there are {names}")
    return [
        kind
        for name, kind in CONTENDERS.items()
        if (not only or name in only) and not (through_redis and kind.event_source == "process")
    ]
