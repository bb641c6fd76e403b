"""Leases: exclusive for as long as they are renewed, free by themselves when the holder dies."""

from typing import Final

from redis.asyncio import Redis

from hub.broker.scripts import Call, Script

_LEASE: Final = Script("lease")
_RELEASE: Final = Script("release")


class Leases:
    """The leases that ``holder`` takes. A lease saves double work; it is no lock: a holder that
    was suspended may still believe in it, so what it guards must bear two writers."""

    def __init__(self, redis: Redis, holder: str, ttl: float) -> None:
        self._redis = redis
        self._holder = holder
        self._ttl_ms = int(ttl * 1000)

    async def take(self, keys: list[str]) -> list[bool]:
        """Takes or renews each, in one round trip (to each server); says of each whether
        ``holder`` has it. One whose server does not answer is not held. Raises ``redis.RedisError``
        when none of them answers."""
        if not keys:
            return []
        calls = [Call([key], [self._holder, self._ttl_ms]) for key in keys]
        answers = await _LEASE.run_many(self._redis, calls, raise_on_error=False)
        errors = [answer for answer in answers if isinstance(answer, Exception)]
        if len(errors) == len(keys):
            raise errors[0]
        return [answer == 1 for answer in answers]

    async def release(self, keys: list[str]) -> None:
        """Gives back those that are still ``holder``'s."""
        if keys:
            await _RELEASE.run_many(self._redis, [Call([key], [self._holder]) for key in keys])
