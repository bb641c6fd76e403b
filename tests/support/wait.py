"""Waiting for what no event tells of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(true: Callable[[], Awaitable[bool]], limit: float = 15) -> None:
    """Asks until ``true()``; fails after ``limit`` seconds."""
    async with asyncio.timeout(limit):
        while not await true():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.05)
