"""Puts a quarter of an hour of an imagined cluster where the hub keeps its history, so that the
console's charts have something to show. ``history.py REDIS_URL``; reads nothing else."""

import asyncio
import math
import random
import sys
import time

import msgspec
from redis.asyncio import Redis

from hub.broker import keys
from hub.broker.figures import KEPT
from hub.domain import times


def moment(at: float, share: float, noise: random.Random) -> dict[str, object]:
    """The cluster at an instant; ``share``: how much of the quarter is over."""
    wave = 1 + 0.18 * math.sin(share * 9) + noise.uniform(-0.04, 0.04)
    burst = 2.4 * math.exp(-(((share - 0.62) / 0.035) ** 2))
    people = int(9 * wave * (0.8 + 0.3 * share))
    return {
        "at": times.wire(times.from_ms(int(at * 1000))),
        "cluster": {
            "connections": {"socketio": people, "websocket": people // 4, "sse": people // 6},
            "users": people,
            "channels": int(people * 1.6),
            "publicationsPerSecond": round(4.6 * wave * (1 + burst), 1),
            "deliveriesPerSecond": round(19 * wave * (1 + burst), 1),
            "latencyMs": {"p50": round(31 * wave, 2), "p99": round(58 * wave * (1 + burst / 2), 2)},
            "outboxBytes": int(9000 * burst * wave),
            "slowConsumers": 0,
            "dropped": 0,
            "memoryBytes": int(201e6 * (0.9 + 0.12 * share)),
            "cpuPercent": round(3 * wave * (1 + burst / 2), 1),
            "startedAt": times.wire(times.from_ms(int((at - 7200) * 1000))),
            "draining": False,
        },
        "jobs_live": int(4 * wave),
        "journal_lag": int(30 * burst * wave),
    }


async def main(url: str) -> None:
    """Replaces the history by the imagined one, up to now."""
    redis = Redis.from_url(url)
    noise, now = random.Random(7), time.time() // 2 * 2  # noqa: S311
    async with redis.pipeline(transaction=True) as pipe:  # the node adds to it meanwhile
        pipe.delete(keys.HISTORY)
        for n in range(KEPT):
            at = now - 2 * (KEPT - n)
            entry = msgspec.json.encode(moment(at, n / KEPT, noise))
            pipe.xadd(keys.HISTORY, {"f": entry}, f"{int(at * 1000)}-0")
        await pipe.execute()
    await redis.aclose()


asyncio.run(main(sys.argv[1]))
