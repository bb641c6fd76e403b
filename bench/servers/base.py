"""What a scenario needs to know of a contender."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench.measure import pinned
from bench.profile import Profiler
from hub.embedded import RedisServer

ROOT = Path(__file__).resolve().parents[2]
LOOPED_EVENTS = 4096  # enough, where the same events may be sent again


class StartError(Exception):
    """A contender did not start; the message says which and what it wrote last."""


@dataclass(frozen=True, slots=True)
class Follower:
    """One client of the crowd and the room (hub: channel) it is to hear."""

    index: int
    room: str


@dataclass(frozen=True, slots=True)
class FeedShape:
    """What to put into a feed."""

    file: Path
    events: int
    members: int  # clients in each room
    burst: int = 1  # events that are published together


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed file and how to play it."""

    file: Path
    loop: bool  # it may begin anew at its end
    records_per_burst: int


class Program:
    """A child process that says ``ready ...`` on standard output once it works."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path
    ) -> None:
        self.name, self._command, self._env, self._log = name, command, env, log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Its process id; raises :class:`StartError` before the start."""
        if self._process is None:
            raise StartError(f"{self.name} was not started")
        return self._process.pid

    async def start(self, core: int, seconds: float = 60) -> str:
        """Start it on ``core``; returns its ``ready`` line or raises :class:`StartError`."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, **self._env},
                preexec_fn=pinned(core),
            )
        line = await self.result(seconds)
        if not line.startswith("ready"):
            raise StartError(f"{self.name} said {line!r} instead of ready:\n{self._last_words()}")
        return line

    async def result(self, seconds: float) -> str:
        """Its next line after ``ready``; raises :class:`StartError` when it has none in time."""
        if self._process is None or self._process.stdout is None:
            raise StartError(f"{self.name} was not started")
        try:
            async with asyncio.timeout(seconds):
                line = (await self._process.stdout.readline()).decode().strip()
        except TimeoutError:
            line = ""
        if not line:
            raise StartError(f"{self.name} failed:\n{self._last_words()}")
        return line

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-8:])

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after ten seconds; again is harmless."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class Server(ABC):
    """A contender while it runs: an async context manager that starts and stops all of it."""

    name: str
    includes: str  # what the figures of this contender pay for, for the reader of a table
    event_source = "redis"  # "process": the server emits by itself when a client tells it to
    probe = '421["probe"]'  # a packet that is answered at once
    python = True  # whether the process that delivers is a Python one
    stores = False  # whether what its publishers publish is stored before it is delivered

    def __init__(self, directory: Path) -> None:
        self.directory = directory  # for logs and data, empty and private to this run
        self.port = 0
        self.pid = 0  # of the process that serves, alone or with children
        self.redis_port = 0
        self.profiler: Profiler | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Server:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @abstractmethod
    async def _start(self, stack: AsyncExitStack) -> None:
        """Start every process, each with its stop on ``stack``; set the ports and the pid."""

    async def grow(self, count: int) -> Peer:
        """Start a further node on the same Redis, the ``count``-th; it ends with this server."""
        return await self._node(self._stack, count)

    @abstractmethod
    async def _node(self, stack: AsyncExitStack, number: int) -> Peer:
        """Start a process that delivers, with its stop on ``stack``."""

    @abstractmethod
    async def prepare(self, rooms: Sequence[str]) -> None:
        """Make what the rooms need before anybody may follow them."""

    @abstractmethod
    def plan(self, follower: Follower) -> str:
        """The packets a client sends to join, tab between them (see ``load/src/pool.h``)."""

    @abstractmethod
    async def feed(self, rooms: Sequence[str], shape: FeedShape) -> Feed:
        """Events for ``rooms``, in turn, as the Redis commands its publishers would send."""

    @abstractmethod
    def played(self, rooms: Sequence[str], shape: FeedShape, records: int) -> None:
        """That many records of the last feed were sent: the next one goes on from there."""

    @abstractmethod
    def publisher(self, room: str, count: int, rate: float) -> Program:
        """A process that publishes ``count`` events to ``room`` as this contender's users do.

        It says ``ready`` once connected, publishes at ``rate`` a second (0: one after the other),
        and prints one line of JSON at the end: ``{"published": n, "seconds": s}``.
        """

    async def _run(self, stack: AsyncExitStack, program: Program, core: int) -> str:
        """Start a program that ends with this server; its ``ready`` line."""
        stack.push_async_callback(program.stop)
        return await program.start(core)

    @property
    def redis_url(self) -> str:
        """Where this contender's Redis is."""
        return f"redis://127.0.0.1:{self.redis_port}/0"


@dataclass(frozen=True, slots=True)
class Peer:
    """One of several processes that deliver."""

    pid: int
    port: int


ServerFactory = Callable[[Path], Server]


class RoomServer(Server):
    """What the contenders without accounts share: a client names its room and is in it."""

    async def prepare(self, rooms: Sequence[str]) -> None:
        """Rooms come into being by being joined."""

    def played(self, rooms: Sequence[str], shape: FeedShape, records: int) -> None:
        """Events without offsets can be sent again."""

    def plan(self, follower: Follower) -> str:
        """One CONNECT with the room."""
        return "40" + json.dumps({"room": follower.room})

    async def _start_redis(self, stack: AsyncExitStack) -> None:
        redis = RedisServer(self.directory / "redis")
        stack.push_async_callback(redis.stop)
        await redis.start()
        self.redis_port = redis.port
