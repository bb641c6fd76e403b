"""``scale``: does a node pay for what the clients of other nodes follow?

Nodes are added to one Redis, each with as many clients on jobs of its own. What a node has to
deliver stays the same; what it has to hear for that, and what a delivery costs it, should too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import chain, islice, repeat

import hiredis

from bench.feeds import read_feed
from bench.load.client import LoadClient, Row
from bench.measure import Usage, usage
from bench.report import Column, View
from bench.servers.base import Feed, FeedShape, Follower, Peer, Server

_TICK = 0.02  # seconds between the events of one tick and the next
_PACE = 4000  # microseconds between looks at the sockets: see load/src/main.c
_WARM = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Load:
    """How many nodes there are, one number after the other; and what each of them has.

    ``rate``: events a second for the jobs of one node.
    """

    nodes: tuple[int, ...]
    clients: int
    jobs: int
    rate: float
    seconds: float

    @property
    def members(self) -> int:
        """Clients of one job."""
        return self.clients // self.jobs


@dataclass
class Cluster:
    """The nodes so far, each with its clients and its jobs."""

    server: Server
    load: Load
    stack: AsyncExitStack
    peers: list[Peer] = field(default_factory=list)
    crowds: list[LoadClient] = field(default_factory=list)
    rooms: list[str] = field(default_factory=list)

    async def grow(self, count: int) -> None:
        """Add nodes until there are ``count``."""
        while len(self.peers) < count:
            number = len(self.peers) + 1
            if number == 1:
                peer = Peer(self.server.pid, self.server.port)
            else:
                peer = await self.server.grow(number)
            rooms = [f"job:bench-{number}-{job}" for job in range(self.load.jobs)]
            await self.server.prepare(rooms)
            crowd = await self.stack.enter_async_context(LoadClient(peer.port))
            plans = (
                self.server.plan(Follower(1000 * number + index, rooms[index % len(rooms)]))
                for index in range(self.load.members * len(rooms))
            )
            await crowd.connect(plans)
            self.peers.append(peer)
            self.crowds.append(crowd)
            self.rooms += rooms

    async def play(self, seconds: float) -> Row:
        """Publish for ``seconds``; what the nodes heard, delivered and spent on it."""
        load, server, nodes = self.load, self.server, len(self.peers)
        rounds = max(1, round(load.rate * seconds / load.jobs))
        events = rounds * len(self.rooms)
        shape = FeedShape(server.directory / "feed", events, load.members)
        made = await server.feed(self.rooms, shape)
        each = rounds * load.jobs * load.members
        for crowd in self.crowds:
            await crowd.begin()
        before, began = [usage(peer.pid) for peer in self.peers], time.monotonic()
        commands = islice(_commands(made), events)
        collecting = asyncio.gather(
            *(crowd.collect(each, seconds + 30, quiet=5, pace=_PACE) for crowd in self.crowds)
        )
        heard = await publish(server.redis_port, commands, load.rate * nodes)
        rows = await collecting
        took = time.monotonic() - began
        spent = [_spent(peer, then) for peer, then in zip(self.peers, before, strict=True)]
        server.played(self.rooms, shape, events)
        delivered = sum(row["deliveries"] for row in rows)
        return {
            "phase": "scale",
            "nodes": nodes,
            "events": events,
            "expected": each * nodes,
            "deliveries": delivered,
            "seconds": round(took, 3),
            "heard_per_second": round(heard / nodes / took, 2),
            "deliveries_per_second": round(delivered / nodes / took, 1),
            "cpu_per_million": round(1e6 * sum(spent) / max(1, delivered), 2),
            "busiest_node": round(100 * max(spent) / took, 1),
        }


async def measure(server: Server, load: Load) -> AsyncIterator[Row]:
    """A row per number of nodes. ``heard_per_second``: Redis messages that reach a node, on
    average, by what Redis answers to each PUBLISH; the rest per node, too."""
    async with AsyncExitStack() as stack:
        cluster = Cluster(server, load, stack)
        for count in load.nodes:
            await cluster.grow(count)
            await cluster.play(min(_WARM, load.seconds))
            yield {
                "case": f"{count} node{'s' if count > 1 else ''}",
                **await cluster.play(load.seconds),
            }


async def publish(port: int, commands: Iterator[bytes], rate: float) -> int:
    """Send PUBLISH commands at ``rate`` a second; how many subscribers got them, summed up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    replies, heard, sent = hiredis.Reader(), 0, 0
    try:
        began = time.monotonic()
        while True:
            due = int((time.monotonic() - began) * rate) + 1 - sent
            some = list(islice(commands, due))
            if due and not some:
                return heard
            writer.write(b"".join(some))
            sent += len(some)
            waiting = len(some)
            while waiting:
                replies.feed(await reader.read(65_536))
                while (reply := replies.gets()) is not False:
                    heard += reply
                    waiting -= 1
            await asyncio.sleep(_TICK)
    finally:
        writer.close()
        await writer.wait_closed()


def _commands(made: Feed) -> Iterator[bytes]:
    commands = list(read_feed(made.file))
    return chain.from_iterable(repeat(commands)) if made.loop else iter(commands)


def _spent(peer: Peer, before: Usage) -> float:
    return usage(peer.pid).since(before).cpu_seconds


_COLUMNS = [
    Column("heard_per_second", "Redis messages/s and node", 1),
    Column("cpu_per_million", "CPU s per million deliveries", 1),
    Column("deliveries_per_second", "deliveries/s and node", 0),
    Column("busiest_node", "busiest node %", 0),
]
COST = View(
    "Scale: nodes are added, each with clients on jobs of its own",
    _COLUMNS,
    headline=Column("cpu_per_million", "CPU seconds per million deliveries", 1),
)
HEARD = View(
    "Scale: what a node hears from Redis",
    _COLUMNS,
    headline=Column("heard_per_second", "Redis messages a second and node", 1),
)
