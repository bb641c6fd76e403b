"""Watching the stores."""

from __future__ import annotations

import asyncio

import pytest

from hub.services.health import Watch


@pytest.mark.timeout(10)
async def test_a_watch_ends_although_a_driver_takes_its_cancellation_for_a_broken_line() -> None:
    asked = asyncio.Event()

    async def ping() -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("closed while connecting") from None

    watching = asyncio.create_task(Watch({"mongo": ping}).run())
    await asked.wait()
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
