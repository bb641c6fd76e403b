"""Lua scripts, one file each; each file's head says what it does and takes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from hub import metrics


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a script."""

    keys: Sequence[str]
    args: Sequence[str | bytes | int]


class Script:
    """A script, sent by its digest and loaded where a server does not know it. ``source``: of one
    that a library brings; else it is in this folder."""

    def __init__(self, name: str, source: bytes | str | None = None) -> None:
        self._name = name
        if source is None:
            source = files(__package__).joinpath(f"{name}.lua").read_bytes()
        self.source = source.encode() if isinstance(source, str) else source
        self.digest = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, call: Call) -> Any:
        """The script's answer to one call."""
        return (await self.run_many(redis, [call]))[0]

    async def run_many(
        self, redis: Redis, calls: Sequence[Call], *, raise_on_error: bool = True
    ) -> list[Any]:
        """The answers to ``calls``, made in order and in one round trip (to each server). Scripts
        must bear being repeated: where a server does not know the script, the round trip is made
        again once it is loaded.

        Raises ``redis.RedisError`` for the first call that failed, unless errors are to be among
        the answers.
        """
        answers = await self._round_trip(redis, calls)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            await redis.script_load(self.source)
            answers = await self._round_trip(redis, calls)
        errors = [answer for answer in answers if isinstance(answer, Exception)]
        if raise_on_error and errors:
            raise errors[0]
        return answers

    async def _round_trip(self, redis: Redis, calls: Sequence[Call]) -> list[Any]:
        with metrics.STORES.timed("redis", self._name):
            return await self._send(redis, calls)

    async def _send(self, redis: Redis, calls: Sequence[Call]) -> list[Any]:
        async with redis.pipeline(transaction=False) as pipe:
            for call in calls:
                pipe.evalsha(self.digest, len(call.keys), *call.keys, *call.args)
            return await pipe.execute(raise_on_error=False)
