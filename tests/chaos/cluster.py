"""The processes of a run: what is killed, and started again on the same address."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from pydantic import SecretStr

from config.settings import Settings
from hub import ports
from hub.embedded import EmbeddedServer, MongoServer, RedisServer
from tests.chaos.cast import INGESTS, MONGO, NODES, PROXY, REDIS
from tests.support.process import Program, environment
from tests.support.proxies import Proxy

SECRET: Final = "chaos-needs-a-secret-of-at-least-32-bytes"

_LIMITS: Final = {  # all clients come from one address, and come again and again
    "HUB_RATE_CONNECTS": "100000/minute",
    "HUB_RATE_USER_COMMANDS": "100000/minute",
    "HUB_RATE_REQUESTS": "100000/minute",
    "HUB_RATE_PUBLISHES": "100000/second",
    "HUB_MAX_CONNECTIONS_PER_JOB": "1000",
    "HUB_MAX_CONNECTIONS_PER_USER": "1000",
}


class Part(Protocol):
    """A process that can be taken away and comes back as it was."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""

    async def start(self) -> None:
        """Starts it, again; returns once it works."""

    async def kill(self) -> None:
        """``kill -9``."""

    async def stop(self) -> object:
        """Asks it to end, and waits for that."""


class Store:
    """An embedded server as a part."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server

    @property
    def alive(self) -> bool:
        return self._server.running

    async def start(self) -> None:
        await self._server.start()

    async def kill(self) -> None:
        self._server.kill()

    async def stop(self) -> None:
        await self._server.stop()

    async def hang(self, seconds: float) -> None:
        """It does nothing for a while, and its connections stay open."""
        os.kill(self._server.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._server.pid, signal.SIGCONT)


@dataclass
class Cluster:
    """``url``: of the proxy. ``parts``: by name, in the order of their start. ``deaths``: which
    ended by themselves."""

    url: str
    redis_url: str
    parts: Mapping[str, Part]
    settings: Settings | None = None
    deaths: list[str] = field(default_factory=list)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def turn(self, name: str) -> asyncio.Lock:
        """Whoever does something to a part holds this."""
        return self._locks.setdefault(name, asyncio.Lock())

    def note_deaths(self) -> None:
        """To be called when everything should be alive."""
        for name, part in self.parts.items():
            if not part.alive:
                self.deaths.append(name)


@asynccontextmanager
async def hub_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Two nodes behind HAProxy, two ingest workers, Redis and MongoDB."""
    redis, mongo = RedisServer(folder / "redis"), MongoServer(folder / "mongo")
    redis.port, mongo.port = ports.free_port(), ports.free_port()
    settings = Settings(
        redis_url=redis.url, mongo_url=mongo.url, mongo_db="chaos", jwt_secret=SecretStr(SECRET)
    )
    env = environment(settings, **_LIMITS)
    numbers = [ports.free_port() for _ in NODES]
    proxy = Proxy("haproxy", numbers, folder / "proxy")
    parts: dict[str, Part] = {REDIS: Store(redis), MONGO: Store(mongo)}
    for name in INGESTS:
        parts[name] = Program(["workers.ingest"], env, folder / f"{name}.log")
    for name, port in zip(NODES, numbers, strict=True):
        argv = ["hub", "serve", "--port", str(port)]
        parts[name] = Program(argv, env, folder / f"{name}.log")
    parts[PROXY] = proxy
    async with _running(Cluster(proxy.url, redis.url, parts, settings)) as cluster:
        yield cluster


@asynccontextmanager
async def bare_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Two nodes of bare python-socketio behind HAProxy, and Redis."""
    redis = RedisServer(folder / "redis", ports.free_port())
    numbers = [ports.free_port() for _ in NODES]
    proxy = Proxy("haproxy", numbers, folder / "proxy")
    parts: dict[str, Part] = {REDIS: Store(redis)}
    for name, port in zip(NODES, numbers, strict=True):
        argv = ["tests.chaos.bare_node", "--redis", redis.url, "--port", str(port)]
        parts[name] = Program(argv, os.environ, folder / f"{name}.log")
    parts[PROXY] = proxy
    async with _running(Cluster(proxy.url, redis.url, parts)) as cluster:
        yield cluster


@asynccontextmanager
async def _running(cluster: Cluster) -> AsyncIterator[Cluster]:
    """Starts all parts, and stops them in the opposite order."""
    try:
        for part in cluster.parts.values():
            await part.start()
        yield cluster
    finally:
        for part in list(cluster.parts.values())[::-1]:
            await part.stop()
