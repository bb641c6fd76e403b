"""``python -m bench.publishers.bare REDIS_URL ROOM COUNT RATE``: the write-only Redis manager."""

from __future__ import annotations

import asyncio
import sys

import socketio

from bench.payload import envelope, stamp
from bench.publishers.pacing import publish_paced


async def main(url: str, room: str, count: int, rate: float) -> None:
    """Publish; see :func:`bench.publishers.pacing.publish_paced`."""
    manager = socketio.AsyncRedisManager(url, write_only=True)
    await manager.emit("warm-up", {}, namespace="/", room="nobody")

    async def publish(number: int) -> None:
        await manager.emit("event", envelope(number, stamp()), namespace="/", room=room)

    await publish_paced(publish, count, rate)
    await manager.redis.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
