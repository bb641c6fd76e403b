"""Our own programs as child processes of a test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from config.settings import Settings, variable

ROOT = Path(__file__).resolve().parents[2]
_RATES = ("rate_connects", "rate_user_commands", "rate_requests", "rate_publishes")
_START = 20
_STOP = 15


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment that gives a child process these settings."""
    secret = settings.jwt_secret
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
        "HUB_REDIS_URL": settings.redis_url or "",
        "HUB_MONGO_URL": settings.mongo_url or "",
        "HUB_MONGO_DB": settings.mongo_db,
        "HUB_JWT_SECRET": "" if secret is None else secret.get_secret_value(),
        "HUB_LOG_FORMAT": "console",
        **{variable(name): str(getattr(settings, name)) for name in _RATES},
        **more,
    }


class Program:
    """A ``python -m`` program that prints a line beginning with ``ready`` once it works. ``log``:
    a file that its stderr is appended to, by default it is ours."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], log: Path | None = None
    ) -> None:
        self._argv = [sys.executable, "-m", *argv]
        self._env = env
        self._log = log
        self._process: Process | None = None
        self.ready_line = ""

    @property
    def pid(self) -> int:
        """The process id of the current life."""
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def _running(self) -> Process:
        assert self._process is not None, "not started"
        return self._process

    async def start(self) -> None:
        """Starts it (again) and waits until it says that it is ready."""
        with contextlib.ExitStack() as stack:
            errors = None if self._log is None else stack.enter_context(self._log.open("ab"))
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, cwd=ROOT, env=self._env, stdout=PIPE, stderr=errors
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(_START):
            line = await self._process.stdout.readline()
        self.ready_line = line.decode().strip()
        assert self.ready_line.startswith("ready"), f"{self._argv} said {line!r}"

    async def kill(self) -> None:
        """``kill -9``, and waits for the end."""
        self._running.kill()
        await self._running.wait()

    async def ended(self) -> int:
        """Waits until it ends by itself; the exit status."""
        return await self._running.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self._process is None or self._process.returncode is not None:
            return 0
        self._process.terminate()
        try:
            async with asyncio.timeout(_STOP):
                return await self._process.wait()
        except TimeoutError:
            await self.kill()
            raise


@asynccontextmanager
async def program(argv: Sequence[str], env: Mapping[str, str]) -> AsyncIterator[Program]:
    """A started program, stopped afterwards."""
    started = Program(argv, env)
    try:
        await started.start()
        yield started
    finally:
        await started.stop()
