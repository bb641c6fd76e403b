"""Live channels that run, and what they heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from hub.broker.hotlog import Batch
from hub.broker.keys import Keys
from hub.broker.live import LiveChannels

KEYS = Keys(16)


@dataclass
class Heard:
    """What came, in order."""

    batches: list[Batch] = field(default_factory=list)
    turns: list[list[Batch]] = field(default_factory=list)
    restored: int = 0
    on_restored: Callable[[], None] = lambda: None
    on_batch: Callable[[Batch], None] = lambda _: None
    _turn: list[Batch] | None = None

    def take(self, batch: Batch) -> None:
        self.batches.append(batch)
        if self._turn is not None:
            self._turn.append(batch)
        self.on_batch(batch)

    def restore(self) -> None:
        self.restored += 1
        self.on_restored()

    @contextmanager
    def turn(self) -> Iterator[None]:
        assert self._turn is None
        self._turn = []
        self.turns.append(self._turn)
        try:
            yield
        finally:
            self._turn = None

    def offsets(self, channel: str) -> list[int]:
        """The offsets that came on ``channel``."""
        return [
            offset
            for batch in self.batches
            if batch.channel == channel
            for offset in range(batch.first, batch.last + 1)
        ]

    async def until(self, holds: Callable[[], bool], seconds: float = 8) -> None:
        """Returns once ``holds``; fails when it does not in time."""
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - whatever it is that holds tells nobody
                await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(url: str, heard: Heard) -> AsyncIterator[LiveChannels]:
    """Live channels that are connected."""
    live = LiveChannels(url, KEYS, heard.take, heard.restore, heard.turn)
    running = asyncio.create_task(live.run())
    try:
        assert await live.wait_connected(5)
        yield live
    finally:
        running.cancel()
        await asyncio.wait([running])
        await live.close()
    if not running.cancelled():
        running.result()


def message(first: int, count: int = 1, epoch: str = "e1") -> bytes:
    """What ``publish.lua`` publishes for ``count`` events."""
    return f"{epoch} {first}\n".encode() + b"\n".join(
        b'{"offset":%d}' % offset for offset in range(first, first + count)
    )


def busy(seconds: float) -> None:
    """Keeps the event loop from everything else."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
