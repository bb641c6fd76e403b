"""Drives ``pair.mjs``: devices of one user, each on a node of its own."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from msgspec import Struct, convert

from bench.load.client import LoadError
from bench.measure import cores, pinned
from bench.servers.node import install

_DIRECTORY = Path(__file__).parent
_LONGEST = 30.0  # seconds; the program gives up earlier by itself


class Known(Struct, frozen=True):
    """When each device knew the same, and what. Milliseconds of the machine's monotonic clock;
    ``asked`` and ``answered`` are those of the device that marked, if one did."""

    unread: dict[str, int]
    told: list[float]
    asked: float = 0
    answered: float = 0


class Pair:
    """The devices while they run, as an async context manager. Every command raises
    :class:`LoadError` when one was refused, or the program ended."""

    def __init__(self, urls: Sequence[str], token: str) -> None:
        self._settings = {"urls": list(urls), "token": token}
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Pair:
        await install(_DIRECTORY)
        self._process = await asyncio.create_subprocess_exec(
            *("node", str(_DIRECTORY / "pair.mjs")),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            preexec_fn=pinned(cores()[1]),
        )
        self._write(self._settings)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.communicate()

    async def start(self) -> int:
        """Wait until all are connected; how much they show as unread."""
        return int(await self._ask("start"))

    async def converge(self, count: int) -> Known | None:
        """Wait until all show ``count`` and the same version, above the one before; None when
        they do not come to that."""
        return _known(await self._ask("converge", count))

    async def mark(self, device: int, id_: str, as_: str, count: int) -> Known | None:
        """Let one mark, and wait for its answer, then as :meth:`converge`."""
        return _known(await self._ask("mark", device, id_, as_, count))

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise LoadError("the clients were not started")
        return self._process

    def _write(self, what: Any) -> None:
        if (stdin := self._running().stdin) is not None:
            stdin.write(json.dumps(what).encode() + b"\n")

    async def _ask(self, *what: Any) -> Any:
        self._write(what)
        try:
            async with asyncio.timeout(_LONGEST):
                line = await _read(self._running().stdout)
        except TimeoutError:
            raise LoadError(f"the clients did not answer to {what[0]}") from None
        if not line:
            raise LoadError(f"the clients ended: {await _read(self._running().stderr, -1)}")
        answer = json.loads(line)
        if "error" in answer:
            raise LoadError(f"{what[0]}: {answer['error']}")
        return answer["result"]


async def _read(stream: asyncio.StreamReader | None, size: int = 0) -> str:
    """A line, or with -1 all that comes."""
    if stream is None:
        return ""
    return (await (stream.read(size) if size else stream.readline())).decode()


def _known(result: Any) -> Known | None:
    return None if result is None else convert(result, Known)
