"""Redis as it is deployed: a cluster of primaries with replicas, and a primary under Sentinel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from hub.embedded import RedisServer
from hub.ports import free_port, is_free
from tests.support.wait import eventually

SLOTS: Final = 16384
_NODE_TIMEOUT: Final = 1500  # milliseconds after which a silent node is taken for dead
_CLUSTER_OPTIONS: Final = (
    *("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"),
    *("--cluster-node-timeout", str(_NODE_TIMEOUT), "--cluster-replica-validity-factor", "0"),
    # else all slots are refused while one primary is being replaced
    *("--cluster-require-full-coverage", "no"),
)


class Member(RedisServer):
    """A server with more options, and a client of its own."""

    def __init__(self, directory: Path, *options: str, port: int = 0) -> None:
        super().__init__(directory, port)
        self._options = options

    def _command(self) -> list[str]:
        return [*super()._command(), "--repl-diskless-sync-delay", "0", *self._options]

    def client(self) -> Redis:
        """For one short use, as a context manager."""
        return Redis(port=self.port, socket_timeout=5)

    async def ask(self, *words: str | int) -> Any:
        """The answer to one command."""
        async with self.client() as redis:
            return await redis.execute_command(*words)  # type: ignore[no-untyped-call]


class Cluster:
    """Three primaries, and a replica of each of the first ``replicas``."""

    def __init__(self, primaries: list[Member], replicas: list[Member]) -> None:
        self.primaries = primaries
        self.replicas = replicas

    @property
    def url(self) -> str:
        """All primaries, the first one last: nobody should depend on which is asked."""
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in reversed(self.primaries))
        return f"redis+cluster://{hosts}"

    async def owner(self, key: str) -> Member:
        """The primary that has the key now."""
        slot = await self.primaries[0].ask("CLUSTER", "KEYSLOT", key)
        members = {member.port: member for member in [*self.primaries, *self.replicas]}
        for member in members.values():
            if member.running:
                return members[await _owner(member, slot)]
        raise AssertionError("no member is running")

    async def move(self, key: str, target: Member) -> None:
        """Gives the slot of ``key``, without keys, to another primary, as resharding ends.

        The target is told first, and that it imports the slot: so its epoch is the highest, and
        what others still say of the former owner counts for nothing.
        """
        slot = await target.ask("CLUSTER", "KEYSLOT", key)
        former = (await (await self.owner(key)).ask("CLUSTER", "MYID")).decode()
        name = (await target.ask("CLUSTER", "MYID")).decode()
        await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", former)
        for member in sorted(self.primaries, key=lambda each: each is not target):
            await member.ask("CLUSTER", "SETSLOT", slot, "NODE", name)
        for member in [*self.primaries, *self.replicas]:
            await eventually(partial(_owned_by, member, slot, target.port))


@asynccontextmanager
async def cluster(directory: Path, *, replicas: int = 0) -> AsyncIterator[Cluster]:
    """A running cluster; every member knows all of it."""
    async with AsyncExitStack() as stack:
        members = [
            await _started(
                stack, Member(directory / f"node{number}", *_CLUSTER_OPTIONS, port=_port_with_bus())
            )
            for number in range(3 + replicas)
        ]
        made = Cluster(members[:3], members[3:])
        bounds = [SLOTS * number // 3 for number in range(4)]
        for member, first, end in zip(made.primaries, bounds, bounds[1:], strict=False):
            await member.ask("CLUSTER", "ADDSLOTS", *range(first, end))
            for other in members:
                if other is not member:
                    await member.ask("CLUSTER", "MEET", "127.0.0.1", other.port)
        for member in members:
            await eventually(partial(_knows, member, len(members)))
        for replica, primary in zip(made.replicas, made.primaries, strict=False):
            name = (await primary.ask("CLUSTER", "MYID")).decode()
            await replica.ask("CLUSTER", "REPLICATE", name)
            await eventually(partial(_synced, replica))
        for member in members:
            await eventually(partial(_is_whole, member))
        yield made


class Watched:
    """A primary, a replica and a Sentinel that watches them."""

    service: Final = "hubs"

    def __init__(self, primary: Member, replica: Member, sentinel: Member) -> None:
        self.primary = primary
        self.replica = replica
        self.sentinel = sentinel

    @property
    def url(self) -> str:
        """One Sentinel that is not there, and the one that is."""
        return f"redis+sentinel://127.0.0.1:1,127.0.0.1:{self.sentinel.port}/{self.service}/0"


class _Sentinel(Member):
    def _command(self) -> list[str]:
        config = self.data_dir / "sentinel.conf"
        config.write_text("\n".join(["bind 127.0.0.1", f"port {self.port}", *self._options]))
        return [super()._command()[0], str(config), "--sentinel"]


@asynccontextmanager
async def watched(directory: Path) -> AsyncIterator[Watched]:
    """A running trio; the Sentinel knows the replica."""
    async with AsyncExitStack() as stack:
        primary = await _started(stack, Member(directory / "primary"))
        replica = await _started(
            stack, Member(directory / "replica", "--replicaof", "127.0.0.1", str(primary.port))
        )
        await eventually(lambda: _synced(replica))
        name = Watched.service
        sentinel = await _started(
            stack,
            _Sentinel(
                directory / "sentinel",
                f"sentinel monitor {name} 127.0.0.1 {primary.port} 1",
                f"sentinel down-after-milliseconds {name} {_NODE_TIMEOUT}",
                f"sentinel failover-timeout {name} 5000",
            ),
        )

        async def knows_replica() -> bool:
            return len(await sentinel.ask("SENTINEL", "REPLICAS", name)) == 1

        await eventually(knows_replica)
        yield Watched(primary, replica, sentinel)


async def _started(stack: AsyncExitStack, member: Member) -> Member:
    await member.start()
    stack.push_async_callback(member.wait)
    stack.callback(member.kill)  # an orderly stop would wait for replicas
    return member


def _port_with_bus() -> int:
    """A port whose members can talk to each other 10000 above it, as older versions insist on."""
    while not (port := free_port()) < 55_536 or not is_free(port + 10_000):
        pass
    return port


async def _owner(member: Member, slot: int) -> int:
    for first, last, primary, *_ in await member.ask("CLUSTER", "SLOTS"):
        if first <= slot <= last:
            return int(primary[1])
    raise AssertionError(f"slot {slot} is nobody's")


async def _owned_by(member: Member, slot: int, port: int) -> bool:
    return await _owner(member, slot) == port


async def _knows(member: Member, count: int) -> bool:
    lines = (await member.ask("CLUSTER", "NODES")).decode().splitlines()
    return len(lines) == count and all("handshake" not in line for line in lines)


async def _is_whole(member: Member) -> bool:
    info = (await member.ask("CLUSTER", "INFO")).decode()
    return "cluster_state:ok" in info and f"cluster_slots_ok:{SLOTS}" in info


async def _synced(member: Member) -> bool:
    info: dict[str, Any] = await member.ask("INFO", "replication")
    return info.get("master_link_status") == "up"
