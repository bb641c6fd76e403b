"""The common part of the publishing programs: keep a rate, report what was done."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

Publish = Callable[[int], Awaitable[object]]


async def publish_paced(publish: Publish, count: int, rate: float) -> None:
    """Call ``publish(1..count)`` at ``rate`` a second (0: one after the other) and report.

    A publish that takes longer than its share makes the next one late, never doubled: what was
    reached stands in the report. Prints ``ready`` before the first and a line of JSON at the end.
    """
    print("ready", flush=True)
    await asyncio.sleep(0.2)  # whoever read that may now begin to count
    began = due = time.monotonic()
    for number in range(1, count + 1):
        if rate and (early := due - time.monotonic()) > 0:
            await asyncio.sleep(early)
        due = max(due + 1 / rate, time.monotonic() - 1 / rate) if rate else due
        await publish(number)
    seconds = round(time.monotonic() - began, 6)
    print(json.dumps({"published": count, "seconds": seconds}), flush=True)
