"""Counting over the whole cluster: the sliding windows of the library ``limits``, kept by the hub's
own client, which never hangs and knows clusters and Sentinel (the library would open its own)."""

import asyncio
from typing import Any, Final

from limits.aio.storage import Storage
from limits.aio.storage.base import SlidingWindowCounterSupport
from limits.aio.storage.redis.bridge import RedisBridge
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.broker import keys
from hub.broker.connect import honour_cancellation
from hub.broker.scripts import Call, Script

_ACQUIRE: Final = Script("limit_acquire", RedisBridge.SCRIPT_ACQUIRE_SLIDING_WINDOW)
_LOOK: Final = Script("limit_look", RedisBridge.SCRIPT_SLIDING_WINDOW)
_AT_ONCE: Final = 500
_WAITING_AT_MOST: Final = 10_000
_FAILURES = (RedisError, OSError, TimeoutError)


class Windows(Storage, SlidingWindowCounterSupport):
    """What the library's strategies count in. What is asked for in one turn of the event loop, or
    while Redis answers, goes out in one round trip. Without ``run`` nothing is answered.

    Raises what Redis raises, and ``OSError`` when too much waits for it.
    """

    STORAGE_SCHEME = None

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self._redis = redis
        self._waiting: list[tuple[Script, Call, asyncio.Future[Any]]] = []
        self._wake = asyncio.Event()

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Whether so much more fits into the window, which it takes up then."""
        pair = keys.limit(key)
        return bool(await self._ask(_ACQUIRE, Call(pair, [limit, expiry, amount])))

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Count and remaining seconds, of the last window and of this one."""
        found = await self._ask(_LOOK, Call(keys.limit(key), [expiry]))
        if not found:
            return 0, 0.0, 0, 0.0
        last, last_left, now, now_left = (max(0.0, float(each or 0)) for each in found)
        return int(last), last_left / 1000, int(now), now_left / 1000

    async def run(self) -> None:
        """Speaks to Redis until cancelled."""
        while True:
            honour_cancellation()
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                honour_cancellation()
                batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                for script in (_ACQUIRE, _LOOK):
                    await self._flush(script, [each for each in batch if each[0] is script])

    async def _flush(
        self, script: Script, batch: list[tuple[Script, Call, asyncio.Future[Any]]]
    ) -> None:
        if not batch:
            return
        try:
            answers = await script.run_many(self._redis, [call for _, call, _ in batch])
        except _FAILURES as error:
            for _, _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # nobody may be waiting any more
            return
        for (_, _, answer), value in zip(batch, answers, strict=True):
            if not answer.done():
                answer.set_result(value)

    async def _ask(self, script: Script, call: Call) -> Any:
        if len(self._waiting) >= _WAITING_AT_MOST:
            raise OSError("too many limits wait for Redis")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((script, call, answer))
        self._wake.set()
        return await answer

    # -- what the sliding windows do not need -----------------------------------------------------

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """What it may raise."""
        return _FAILURES

    async def _unused(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("there are sliding windows only")

    incr = _unused
    get = _unused
    get_expiry = _unused
    check = _unused
    reset = _unused
    clear = _unused
    clear_sliding_window = _unused
