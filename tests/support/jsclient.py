"""The stock JavaScript socket.io-client under Node, driven over its standard streams."""

from __future__ import annotations

import asyncio
import itertools
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.support.overheard import entries

_SCRIPT = Path(__file__).resolve().parents[1] / "e2e" / "js" / "client.mjs"
_LIMIT = 30.0


class JsClient:
    """One client. ``log``: everything that happened to it, ``[name, *arguments]``, in order."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()
        self.log: list[list[Any]] = []

    async def pump(self) -> None:
        """Reads what the client reports until it ends."""
        assert self._process.stdout is not None
        async for what, *rest in entries(self._process.stdout):
            if what == "reply":
                self._replies.pop(rest[0]).set_result(rest[1])
                continue
            async with self._news:
                self.log.append([what, *rest])
                self._news.notify_all()

    async def do(self, action: str, *args: Any) -> Any:
        """Makes the client do something; gives what came of it."""
        assert self._process.stdin is not None
        number = next(self._ids)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps([number, action, *args]).encode() + b"\n")
        async with asyncio.timeout(_LIMIT):
            return await reply

    async def command(self, name: str, payload: Any = None) -> Any:
        """Sends a command; gives its acknowledgement."""
        return await self.do("command", name, payload)

    async def until(self, true: Callable[[JsClient], object], limit: float = _LIMIT) -> None:
        """Waits until ``true(self)``."""
        try:
            async with asyncio.timeout(limit), self._news:
                await self._news.wait_for(lambda: bool(true(self)))
        except TimeoutError:
            raise AssertionError(f"waited in vain; the client's log: {self.log}") from None

    def events(self, channel: str) -> list[dict[str, Any]]:
        """The envelopes seen on ``channel``, in order, however they came."""
        seen = [entry[1] for entry in self.log if entry[0] == "event"]
        return [event for event in seen if event["channel"] == channel]

    def offsets(self, channel: str) -> list[int]:
        """Their offsets."""
        return [event["offset"] for event in self.events(channel)]

    def named(self, name: str) -> list[list[Any]]:
        """The arguments of everything logged as ``name``."""
        return [entry[1:] for entry in self.log if entry[0] == name]


Kind = TypeVar("Kind", bound=JsClient)


@asynccontextmanager
async def puppet(kind: type[Kind], script: Path, given: dict[str, Any]) -> AsyncIterator[Kind]:
    """A script that reports and does what it is told, ``given`` its settings."""
    process = await asyncio.create_subprocess_exec(
        "node", str(script), json.dumps(given), stdin=PIPE, stdout=PIPE, limit=1 << 24
    )
    client = kind(process)
    pump = asyncio.create_task(client.pump())
    try:
        yield client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await pump


@asynccontextmanager
async def js_client(url: str, token: str | None, **options: Any) -> AsyncIterator[JsClient]:
    """A client that connects to ``url``. Options: ``follow`` (channels it subscribes whenever it
    connects, from the offsets it has), ``listen`` (other events it logs),
    ``transports``, ``auth`` (instead of the token)."""
    given = {"url": url, "token": token, **options}
    async with puppet(JsClient, _SCRIPT, given) as client:
        yield client
