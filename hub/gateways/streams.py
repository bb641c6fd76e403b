"""The open streams of a node: clients that follow one job on a connection of their own, by raw
WebSocket or Server-Sent Events. They are counted, watched, drained and stopped together."""

import asyncio
import math
import random
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from config.logs import get_logger
from config.values import Rate
from hub.domain import codes
from hub.gateways.endings import CLIENT_GONE, note_end
from hub.gateways.present import Present
from hub.services.channels import Channels

_TICK: Final = 0.02  # seconds between batches
_GENTLE: Final = 10
_SHARE: Final = 0.8
_COME_BACK: Final = (0.5, 1.5)
_ABSENT: Final = object()
_log = get_logger(__name__)


class Stream(Present, Protocol):
    """One of them."""

    def close(
        self, code: codes.Code, retry_after: float | None = None, message: str | None = None
    ) -> None:
        """Tells the client why, and ends its connection."""


class Streams:
    """``outbox_bytes``: the bound of each stream's outbox. ``rate``: of what a client sends.
    ``accepting``: whether new ones are let in."""

    def __init__(self, channels: Channels, outbox_bytes: int, rate: Rate) -> None:
        self.channels = channels
        self.outbox_bytes = outbox_bytes
        self.rate = rate
        self.accepting = True
        self.arrives: Callable[[Present], None] = _nobody_asks
        """Called with each one before it is told anything."""
        self._open: dict[Stream, None] = {}
        self._leaving: dict[Stream, None] = {}
        self._nobody_leaving = asyncio.Event()
        self._nobody_leaving.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def open(self) -> list[Stream]:
        """All of them."""
        return list(self._open)

    def add(self, stream: Stream) -> None:
        """A client has come."""
        self.arrives(stream)
        self._open[stream] = None

    def leaves(self, stream: Stream) -> None:
        """A client was told that its stream ends: its connection is about to close."""
        if self._open.pop(stream, _ABSENT) is None:
            note_end(stream, "")
        self._leaving[stream] = None
        self._nobody_leaving.clear()

    def gone(self, stream: Stream) -> None:
        """Its connection has closed."""
        if self._open.pop(stream, _ABSENT) is None:
            note_end(stream, CLIENT_GONE)
        self._leaving.pop(stream, None)
        if not self._leaving:
            self._nobody_leaving.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` in a task that is owned here until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("streams.task_failed", exc_info=error)

    async def drain(self, seconds: float) -> None:
        """Lets nobody in any more, and sends everyone away, gently if ``seconds`` allow it; done
        when the last one has gone, or after ``seconds``."""
        self.accepting = False
        try:
            async with asyncio.timeout(seconds):
                await self._send_away(seconds)
                await self._nobody_leaving.wait()
        except TimeoutError:
            _log.warning("streams.drain_cut_short", streams=len(self._open) + len(self._leaving))

    async def _send_away(self, seconds: float) -> None:
        ticks = max(seconds * _SHARE / _TICK, 1)
        batch = max(_GENTLE, math.ceil(len(self._open) / ticks))
        while self._open:
            for stream in list(self._open)[:batch]:
                retry_after = round(random.uniform(*_COME_BACK), 2)  # noqa: S311 - spread, no secret
                stream.close(codes.DRAINING, retry_after)
            await asyncio.sleep(_TICK)

    async def stop(self) -> None:
        """Ends every stream and every task."""
        self.accepting = False
        for stream in list(self._open):
            stream.close(codes.DRAINING)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _nobody_asks(connection: Present) -> None:
    """The default for ``arrives``."""
