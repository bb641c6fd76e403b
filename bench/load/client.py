"""Drives the load client: one command out, one line of JSON back."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Any

from bench.load.build import load_client
from bench.measure import cores, pinned

Row = dict[str, Any]

_LONGEST = 300.0  # seconds; no command runs longer


class LoadError(Exception):
    """The load client ended or did not do what was asked; the message has its own words."""


class LoadClient:
    """A crowd of Socket.IO clients against one server, as an async context manager.

    Times it reports are ``_ms`` or seconds; every command raises :class:`LoadError` when the
    program ended, with what it wrote to standard error.
    """

    def __init__(self, port: int, path: str = "/socket.io/") -> None:
        self.port = port
        self._path = f"{path}?EIO=4&transport=websocket"
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> LoadClient:
        self._process = await asyncio.create_subprocess_exec(
            load_client(),
            str(self.port),
            self._path,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            preexec_fn=pinned(cores()[1]),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._running()
        if process.returncode is None:
            process.kill()
        await process.communicate()

    async def connect(self, plans: Iterable[str], window: int = 64) -> Row:
        """Open one client per plan, ``window`` at a time; raises unless all of them got ready."""
        with NamedTemporaryFile("w", prefix="bench-plan-", suffix=".txt") as file:
            file.writelines(f"{plan}\n" for plan in plans)
            file.flush()
            row = await self._ask(f"connect {file.name} {window}")
        if row["ready"] != row["clients"]:
            raise LoadError(
                f"only {row['ready']} of {row['clients']} clients connected{await self._said()}"
            )
        return row

    async def begin(self) -> None:
        """Forget what was counted so far."""
        await self._ask("begin")

    async def send(self, index: int, packet: str) -> None:
        """Let one client send a packet; what comes of it shows in the next :meth:`collect`."""
        await self._tell(f"send {index} {packet}")

    async def collect(self, expect: int, seconds: float, *, quiet: float = 3, pace: int = 0) -> Row:
        """Wait for ``expect`` deliveries, at most ``seconds``, or until none came for ``quiet``.

        With ``expect`` 0 the server says in its ``done`` event how many to expect.
        """
        return await self._ask(f"collect {expect} {seconds * 1000:.0f} {quiet * 1000:.0f} {pace}")

    async def feed(
        self, file: Path, redis: int, *, loop: bool, burst: int, low: int, seconds: float, pace: int
    ) -> Row:
        """Closed loop: ``burst`` records to Redis whenever at most ``low`` deliveries are due."""
        arguments = f"{file} {redis} {loop:d} {burst} {low} {seconds * 1000:.0f} {pace}"
        await self.begin()
        return await self._ask(f"feed {arguments}")

    async def pace(self, file: Path, redis: int, *, loop: bool, rate: float, seconds: float) -> Row:
        """Open loop: ``rate`` records a second to Redis."""
        await self.begin()
        return await self._ask(f"pace {file} {redis} {loop:d} {rate} {seconds * 1000:.0f}")

    async def drop(self, count: int, seconds: float, probe: str) -> Row:
        """Close ``count`` clients at once; one that stays times its answers to ``probe``."""
        return await self._ask(f"drop {count} {seconds * 1000:.0f} {probe}")

    async def wait(self, seconds: float) -> Row:
        """Answer pings and do nothing else."""
        return await self._ask(f"wait {seconds * 1000:.0f}")

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise LoadError("the load client was not started")
        return self._process

    async def _tell(self, command: str) -> None:
        stdin = self._running().stdin
        if stdin is None:
            raise LoadError("the load client has no input")
        stdin.write(f"{command}\n".encode())
        await stdin.drain()

    async def _ask(self, command: str) -> Row:
        stdout = self._running().stdout
        if stdout is None:
            raise LoadError("the load client has no output")
        await self._tell(command)
        async with asyncio.timeout(_LONGEST):
            line = await stdout.readline()
        if not line:
            raise LoadError(f"the load client ended{await self._said()}")
        row: Row = json.loads(line)
        return row

    async def _said(self) -> str:
        """What it wrote to standard error so far, for a message; ends it."""
        process = self._running()
        if process.returncode is None:
            process.kill()
        _, said = await process.communicate()
        return f": {said.decode(errors='replace').strip()}" if said else ""
