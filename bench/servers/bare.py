"""Bare python-socketio, alone and with its Redis manager."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import socketio

from bench.feeds import Record, write_feed
from bench.measure import cores
from bench.payload import envelope
from bench.servers.base import LOOPED_EVENTS, Feed, FeedShape, Peer, Program, RoomServer


class Bare(RoomServer):
    """python-socketio, emitting in its own process."""

    name = "bare"
    includes = "python-socketio 5, asyncio; in-process emit; no auth, no offsets, nothing stored"
    event_source = "process"
    with_redis = False

    async def _start(self, stack: AsyncExitStack) -> None:
        if self.with_redis:
            await self._start_redis(stack)
        first = await self._node(stack, 1)
        self.pid, self.port = first.pid, first.port

    async def _node(self, stack: AsyncExitStack, number: int) -> Peer:
        url = self.redis_url if self.with_redis else "-"
        command = [sys.executable, "-m", "bench.servers.bare_server", url]
        program = Program("bare-server", command, {}, self.directory / f"server-{number}.log")
        ready = await self._run(stack, program, cores()[0])
        return Peer(program.pid, int(ready.split()[1]))

    async def feed(self, rooms: Sequence[str], shape: FeedShape) -> Feed:
        recorder = _Recorder(shape.members)
        manager = socketio.AsyncRedisManager("redis://unused", write_only=True)
        manager.redis, manager.connected = recorder, True
        for number in range(min(shape.events, LOOPED_EVENTS)):
            room = rooms[number % len(rooms)]
            await manager.emit("event", envelope(number + 1), namespace="/", room=room)
        write_feed(shape.file, recorder.records)
        return Feed(shape.file, loop=True, records_per_burst=shape.burst)

    def publisher(self, room: str, count: int, rate: float) -> Program:
        arguments = [self.redis_url, room, str(count), str(rate)]
        command = [sys.executable, "-m", "bench.publishers.bare", *arguments]
        return Program("bare-publisher", command, {}, self.directory / "publisher.log")


class BareRedis(Bare):
    """python-socketio behind its own Redis manager."""

    name = "bare-redis"
    includes = "python-socketio 5, asyncio; AsyncRedisManager; no auth, no offsets, nothing stored"
    event_source = "redis"
    with_redis = True


class _Recorder:
    """Stands where the manager has its Redis client: what it would publish becomes records."""

    def __init__(self, members: int) -> None:
        self.records: list[Record] = []
        self._members = members

    async def publish(self, channel: str, payload: Any) -> None:
        body = payload if isinstance(payload, bytes) else str(payload).encode()
        self.records.append(Record((b"PUBLISH", channel.encode(), body), self._members))
