"""``python -m hub serve --processes N`` as a child process of a test."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.settings import Settings
from tests.support.process import ROOT, environment
from tests.support.wait import eventually


@dataclass
class Serving:
    """A running ``hub serve`` and the lines it printed."""

    process: Process
    log: Path
    ready: list[str] = field(default_factory=list)

    async def announced(self, count: int) -> None:
        """Waits for the next ``ready`` lines."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            for _ in range(count):
                line = (await self.process.stdout.readline()).decode()
                assert line.startswith("ready http://127.0.0.1:"), self.log.read_text()
                self.ready.append(line.strip())

    @property
    def url(self) -> str:
        return self.ready[0].removeprefix("ready ")

    @property
    def nodes(self) -> dict[str, int]:
        """Name of each running node → its process id, as the supervisor knows them."""
        found = {}
        for pid in children(self.process.pid):
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                if "hub" in line and "--seat" in line:
                    found[line[line.index("--seat") + 1].partition("/")[0]] = pid
        return found

    def open_session(self) -> str:
        """Opens an Engine.IO session on a connection of its own; gives its id."""
        status, text = self.request("GET")
        assert status == 200, text
        sid: str = json.loads(text[1:])["sid"]
        return sid

    def request(self, method: str, sid: str | None = None, body: Any = None) -> tuple[int, str]:
        """A polling request on a connection of its own."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        with contextlib.closing(connection):
            more = "" if sid is None else f"&sid={sid}"
            path = f"/socket.io/?EIO=4&transport=polling{more}"
            connection.request(method, path, body=body, encode_chunked=not isinstance(body, str))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def sessions_everywhere(self) -> dict[str, str]:
        """One session in each node: number of the node → session."""
        found: dict[str, str] = {}
        for _ in range(200):
            sid = self.open_session()
            found.setdefault(str(int(sid[:2], 16)), sid)
            if len(found) == len(self.nodes):
                return found
        raise AssertionError(f"200 connections reached only {sorted(found)}")


@asynccontextmanager
async def serving(
    settings: Settings, log: Path, processes: int = 2, port: int = 0, **env: str
) -> AsyncIterator[Serving]:
    """``hub serve`` with ``processes``, all of them ready; killed afterwards if it still runs."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub", "serve", "--port", str(port)),
            *("--processes", str(processes)),
            cwd=ROOT,
            env=environment(settings, **{"HUB_DRAIN_SECONDS": "1", **env}),
            stdout=PIPE,
            stderr=errors,
        )
    running = Serving(process, log)
    try:
        await running.announced(processes)
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            raise


def children(parent: int) -> set[int]:
    """The process ids of everything that ``parent`` started and that still runs."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent and fields[0] != "Z":
                    found.add(int(entry.name))
    return found


def alive(pid: int) -> bool:
    """Whether any thread of the process still runs: until then its sockets are open."""
    with contextlib.suppress(OSError):
        return any(running(each / "stat") for each in Path(f"/proc/{pid}/task").iterdir())
    return False


def running(stat: Path) -> bool:
    with contextlib.suppress(OSError):
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def gone(pids: set[int]) -> None:
    """Waits until all of them have ended."""

    async def none() -> bool:
        return not any(map(alive, pids))

    await eventually(none, limit=10)
