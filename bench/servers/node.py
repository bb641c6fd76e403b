"""Node's socket.io, alone and with its Redis adapter; npm packages are installed at first use."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from bench.measure import cores
from bench.payload import template
from bench.servers.base import (
    LOOPED_EVENTS,
    Feed,
    FeedShape,
    Peer,
    Program,
    RoomServer,
    StartError,
)

_DIRECTORY = Path(__file__).with_name("node")


async def _output(*command: str | Path, cwd: Path = _DIRECTORY) -> str:
    """Run a program, in the Node directory; raises :class:`StartError` with what it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env=_environment(),
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise StartError(f"{' '.join(map(str, command[:2]))} failed:\n{output.decode()[-2000:]}")
    return output.decode()


def _environment() -> dict[str, str]:
    return {**os.environ, "BENCH_EVENT": template()}


async def install(directory: Path = _DIRECTORY) -> None:
    """``npm ci`` in ``directory`` unless the installed packages are those of its lock file."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise StartError("socket.io and its client need node >= 20 and npm on PATH")
    lock = (directory / "package-lock.json").read_bytes()
    stamp = directory / "node_modules" / ".installed"
    with (directory / "package.json").open() as guard:
        await asyncio.to_thread(fcntl.flock, guard, fcntl.LOCK_EX)  # one install at a time
        if stamp.exists() and stamp.read_bytes() == lock:
            return
        await _output("npm", "ci", "--no-audit", "--no-fund", cwd=directory)
        stamp.write_bytes(lock)


class Node(RoomServer):
    """socket.io, emitting in its own process."""

    python = False
    name = "node"
    includes = "socket.io 4.8, ws; in-process emit; no auth, no offsets, nothing stored"
    event_source = "process"
    with_redis = False

    async def _start(self, stack: AsyncExitStack) -> None:
        await install()
        if self.with_redis:
            await self._start_redis(stack)
        first = await self._node(stack, 1)
        self.pid, self.port = first.pid, first.port

    async def _node(self, stack: AsyncExitStack, number: int) -> Peer:
        url = self.redis_url if self.with_redis else "-"
        program = self._program(f"node-server-{number}", "server.js", url)
        ready = await self._run(stack, program, cores()[0])
        return Peer(program.pid, int(ready.split()[1]))

    async def feed(self, rooms: Sequence[str], shape: FeedShape) -> Feed:
        events = min(shape.events, LOOPED_EVENTS)
        arguments = map(str, (shape.file, shape.members, events, *rooms))
        await _output("node", _DIRECTORY / "publish.js", "record", *arguments)
        return Feed(shape.file, loop=True, records_per_burst=shape.burst)

    def publisher(self, room: str, count: int, rate: float) -> Program:
        return self._program(
            "node-publisher", "publish.js", self.redis_url, room, str(count), str(rate)
        )

    def _program(self, name: str, script: str, *arguments: str) -> Program:
        command = ["node", str(_DIRECTORY / script), *arguments]
        return Program(name, command, {"BENCH_EVENT": template()}, self.directory / f"{name}.log")


class NodeRedis(Node):
    """socket.io behind its Redis adapter."""

    name = "node-redis"
    includes = "socket.io 4.8, ws; @socket.io/redis-adapter; no auth, no offsets, nothing stored"
    event_source = "redis"
    with_redis = True
