"""Doing to a cluster what the schedule says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tests.chaos.cast import CLIENTS
from tests.chaos.cluster import Cluster, Store
from tests.chaos.schedule import Fault, Kind

Cut = Callable[[Fault], Awaitable[None]]
"""Breaks the connections of that share of the clients."""


async def inflict(
    cluster: Cluster, faults: Sequence[Fault], cut: Cut, tell: Callable[[str], None]
) -> list[Fault]:
    """Does all of it, each at its time; returns those that apply to this cluster, once everything
    is back. What comes for a part that is still away waits until it is back."""
    began = asyncio.get_running_loop().time()
    done = []
    async with asyncio.TaskGroup() as tasks:
        for fault in faults:
            if fault.target != CLIENTS and fault.target not in cluster.parts:
                continue
            await asyncio.sleep(began + fault.at - asyncio.get_running_loop().time())
            done.append(fault)
            tasks.create_task(_do(cluster, fault, cut, tell))
    return done


async def _do(cluster: Cluster, fault: Fault, cut: Cut, tell: Callable[[str], None]) -> None:
    if fault.kind is Kind.CUT:
        tell(str(fault))
        await cut(fault)
        return
    async with cluster.turn(fault.target):
        part = cluster.parts[fault.target]
        if not part.alive:
            cluster.deaths.append(fault.target)
            tell(f"{fault.target} had died by itself")
        tell(str(fault))
        match fault.kind:
            case Kind.HANG:
                assert isinstance(part, Store)
                await part.hang(fault.amount)
                return
            case Kind.KILL if part.alive:
                await part.kill()
            case Kind.RESTART:
                await part.stop()
        await asyncio.sleep(fault.amount)
        await part.start()
        tell(f"{fault.target} is back")
