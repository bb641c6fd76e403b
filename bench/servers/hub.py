"""The hub as it ships: ``hub serve``, ``workers.ingest``, Redis and MongoDB, a process each.

Only the node (``hub serve``) has the measured core for itself; worker, Redis and database share the
other one with the load client.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jwt

from bench.feeds import Record, write_feed
from bench.measure import cores
from bench.payload import envelope
from bench.servers.base import Feed, FeedShape, Follower, Peer, Program, Server, StartError
from hub.broker.keys import Keys
from hub.domain.events import Position
from hub.embedded import MongoServer, RedisServer, free_port
from hub.stores.heads import Head, Heads
from hub.stores.mongo import open_mongo
from workers import Publisher

_DATABASE = "bench"
_PROJECT = "bench"
_PARTITIONS = 16  # the default of HUB_PARTITIONS
_STORED_WITHIN = 180  # seconds that ingest has for the first events of all channels


def live_records(
    ends: Mapping[str, Position], rooms: Sequence[str], shape: FeedShape
) -> Iterator[Record]:
    """What ingest publishes to the nodes once events are stored, for ``rooms`` in turn,
    each from the end of its log on.

    This is the one place that knows the hub's live message, as ``hub/broker/scripts/publish.lua``
    writes it and ``hub.broker.hotlog.parse_live`` reads it. Events that one burst brings to a
    channel travel as one message, as they do out of one batch of ingest.
    """
    keys = Keys(_PARTITIONS)
    offsets = {room: ends[room].offset for room in rooms}
    for number in range(shape.events // shape.burst):
        room = rooms[number % len(rooms)]
        first, offsets[room] = offsets[room] + 1, offsets[room] + shape.burst
        epoch = ends[room].epoch
        events = [
            json.dumps(
                {**envelope(offset, channel=room), "epoch": epoch},
                ensure_ascii=False,
                separators=(",", ":"),
            )
            for offset in range(first, first + shape.burst)
        ]
        message = f"{epoch} {first}\n" + "\n".join(events)
        command = (b"PUBLISH", keys.live(room).encode(), message.encode())
        yield Record(command, shape.members * shape.burst)


class Hub(Server):
    """One node with everything on: tokens, offsets, recovery strings, limits."""

    name = "hub"
    includes = "hub serve: JWT, offsets, recovery strings; live events from Redis"
    probe = '421["unsubscribe",{"channel":"job:none"}]'
    stores = True
    command: Sequence[str] = ("-m", "hub", "serve", "--host", "127.0.0.1", "--port", "0")

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._secret = secrets.token_urlsafe(48)
        self._ends: dict[str, Position] = {}  # of the channels that were fed
        self.mongo_url = ""
        self.metrics_port = 0  # of the ingest worker

    async def _start(self, stack: AsyncExitStack) -> None:
        redis = RedisServer(self.directory / "redis")
        mongo = MongoServer(self.directory / "mongo")
        for server in (redis, mongo):
            stack.push_async_callback(server.stop)
            await server.start()
        self.redis_port, self.mongo_url = redis.port, mongo.url
        self.metrics_port = free_port()
        ingest = self._program(
            "hub-ingest", "-m", "workers.ingest", HUB_METRICS_PORT=str(self.metrics_port)
        )
        await self._run(stack, ingest, cores()[1])
        first = await self._node(stack, 1)
        self.pid, self.port = first.pid, first.port

    async def _node(self, stack: AsyncExitStack, number: int) -> Peer:
        node = self._program(f"hub-node-{number}", *self.command)
        ready = await self._run(stack, node, cores()[0])
        return Peer(node.pid, int(re.split(r"[ :]", ready)[-1]))

    async def prepare(self, rooms: Sequence[str]) -> None:
        """Start the jobs among ``rooms``; give every other channel a first event."""
        async with Publisher(self.redis_url) as publisher:
            users = [room.removeprefix("user:") for room in rooms if room.startswith("user:")]
            for at in range(0, len(users), 100):
                some = users[at : at + 100]
                await publisher.notify(users=some, type="bench", title="t", body="b")
            for room in set(rooms) - {f"user:{user}" for user in users}:
                job_id = room.removeprefix("job:")
                job = publisher.job(job_id, project_id=_PROJECT, owner_id="o")
                await job.start(total_scenarios=1_000_000, total_features=1)
                await job.status("GENERATING")
        await self._heads(rooms)

    def plan(self, follower: Follower) -> str:
        user = follower.room.removeprefix("user:")
        if user != follower.room:
            return "40" + json.dumps({"token": self._token(user)})
        subscribe = json.dumps(["subscribe", {"channel": follower.room}])
        return "40" + json.dumps({"token": self._token(f"u{follower.index}")}) + f"\t421{subscribe}"

    async def feed(self, rooms: Sequence[str], shape: FeedShape) -> Feed:
        if unknown := [room for room in rooms if room not in self._ends]:
            heads = await self._heads(unknown)
            self._ends |= {room: head.position for room, head in heads.items()}
        write_feed(shape.file, live_records(self._ends, rooms, shape))
        return Feed(shape.file, loop=False, records_per_burst=1)

    def played(self, rooms: Sequence[str], shape: FeedShape, records: int) -> None:
        """Live messages of a feed are stored nowhere, so this remembers their last offsets."""
        for number, room in enumerate(rooms):
            end = self._ends[room]
            batches = len(range(number, records, len(rooms)))
            self._ends[room] = Position(end.epoch, end.offset + shape.burst * batches)

    def publisher(self, room: str, count: int, rate: float) -> Program:
        arguments = [self.redis_url, room.removeprefix("job:"), _PROJECT, str(count), str(rate)]
        command = [sys.executable, "-m", "bench.publishers.hub", *arguments]
        return Program("hub-publisher", command, {}, self.directory / "publisher.log")

    async def _heads(self, rooms: Sequence[str]) -> dict[str, Head]:
        """Where every room's log ends, once ingest has stored what it was given."""
        client = open_mongo(self.mongo_url, timeout=30)
        found: dict[str, Head] = {}
        try:
            async with asyncio.timeout(_STORED_WITHIN):
                while missing := [room for room in dict.fromkeys(rooms) if room not in found]:
                    began = time.monotonic()
                    some = await Heads(client[_DATABASE]).read(missing)
                    found |= {room: head for room, head in some.items() if head.offset}
                    if len(found) < len(rooms):  # and leave the database to ingest for a while
                        await asyncio.sleep(max(0.1, 3 * (time.monotonic() - began)))
        except TimeoutError:
            raise StartError(f"the channels were not there within {_STORED_WITHIN} s") from None
        finally:
            await client.close()
        return found

    def user_token(self, user: str) -> str:
        """A token of somebody who may follow the benchmark's jobs."""
        return self._token(user)

    def admin_token(self) -> str:
        """A token of an administrator."""
        return self._token("root", roles=["admin"])

    def _token(self, user: str, **more: Any) -> str:
        claims = more | {"sub": user, "exp": int(time.time()) + 3600, "projects": [_PROJECT]}
        return jwt.encode(claims, self._secret, "HS256")

    def _program(self, name: str, *arguments: str, **more: str) -> Program:
        env = {
            "HUB_REDIS_URL": self.redis_url,
            "HUB_MONGO_URL": self.mongo_url,
            "HUB_MONGO_DB": _DATABASE,
            "HUB_JWT_SECRET": self._secret,
            "HUB_LOG_LEVEL": "WARNING",
            # Limits that a crowd from one address on one job would run into. They stay on.
            "HUB_MAX_CONNECTIONS_PER_JOB": "1000000",
            "HUB_RATE_COMMANDS": "1000000/second",
            "HUB_RATE_CONNECTS": "1000000/second",
            "HUB_RATE_USER_COMMANDS": "1000000/second",
            "HUB_RATE_REQUESTS": "1000000/second",
            "HUB_RATE_PUBLISHES": "1000000/second",
            **more,
        }
        return Program(name, [sys.executable, *arguments], env, self.directory / f"{name}.log")


class HubInProcess(Hub):
    """The same node handing events to its feeds by itself: what ``node`` and ``bare`` do."""

    name = "hub-in-process"
    includes = "hub serve: JWT, offsets, recovery strings; in-process emit"
    event_source = "process"
    command = ("-m", "bench.servers.hub_server")
