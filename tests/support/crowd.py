"""Many stock JavaScript clients in one process."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.overheard import entries

_SCRIPT = Path(__file__).resolve().parents[1] / "e2e" / "js" / "crowd.mjs"
_LIMIT = 60.0


class Crowd:
    """The clients. ``hellos``: ``(client, milliseconds)`` of each ``hello``, in order."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._news = asyncio.Condition()
        self._states: list[list[dict[str, Any]]] = []
        self.hellos: list[tuple[int, int]] = []

    async def pump(self) -> None:
        """Reads what they report until they end."""
        assert self._process.stdout is not None
        async for what, *rest in entries(self._process.stdout):
            async with self._news:
                if what == "hello":
                    self.hellos.append((rest[0], rest[1]))
                else:
                    self._states.append(rest[0])
                self._news.notify_all()

    async def until_hellos(self, count: int) -> None:
        """Waits for so many in all."""
        async with asyncio.timeout(_LIMIT), self._news:
            await self._news.wait_for(lambda: len(self.hellos) >= count)

    async def states(self) -> list[dict[str, Any]]:
        """What each client has: ``{offsets, closing}``."""
        assert self._process.stdin is not None
        asked = len(self._states)
        self._process.stdin.write(b"\n")
        async with asyncio.timeout(_LIMIT), self._news:
            await self._news.wait_for(lambda: len(self._states) > asked)
        return self._states[-1]


@asynccontextmanager
async def crowd(urls: Sequence[str], tokens: Sequence[str], channel: str) -> AsyncIterator[Crowd]:
    """A client for each token, at the first URL; a client that loses it tries the next one."""
    process = await asyncio.create_subprocess_exec(
        "node", str(_SCRIPT), stdin=PIPE, stdout=PIPE, limit=1 << 26
    )
    assert process.stdin is not None
    settings = {"urls": urls, "tokens": tokens, "channel": channel}
    process.stdin.write(json.dumps(settings).encode() + b"\n")
    clients = Crowd(process)
    pump = asyncio.create_task(clients.pump())
    try:
        yield clients
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await pump
