"""A Redis Cluster behind the face of one client.

redis-py has a cluster client, too. It is not used, because the failure of one server is the
failure of all in it (decision 9).
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MaxConnectionsError,
    MovedError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hub.broker.shards import Shards
from hub.broker.urls import Address, ServersUrl

_ATTEMPTS: Final = 5  # of a command that is sent elsewhere
_TRY_AGAIN: Final = 0.05
_FAILURES: Final = (RedisError, OSError, TimeoutError)
_LOST: Final = (RedisConnectionError, RedisTimeoutError, ClusterDownError)
_STREAMS: Final = ("STREAMS", b"STREAMS")
_EVERYWHERE: Final = frozenset({"SCRIPT LOAD", "FLUSHALL"})
_KEYLESS: Final = frozenset(
    {"CLIENT", "CLUSTER", "COMMAND", "CONFIG", "ECHO", "HELLO", "INFO", "PING", "PUBSUB", "SCRIPT"}
)

Command = tuple[tuple[Any, ...], Mapping[str, Any]]
"""A command's words, and redis-py's options for reading the reply."""


class ClusterRedis(Redis):
    """A client that sends each command to the primary of its key's slot.

    A pipeline is one round trip to each primary concerned, and the order of commands of one slot
    stays; with ``transaction`` each primary's part is a transaction. Commands are sent again where
    a slot has moved to, or when their server is gone and another has its slots; not after a
    time-out. All keys of a command must be of one slot. There is no ``pubsub`` (see ``live``).
    """

    def __init__(self, servers: ServersUrl, options: Mapping[str, Any]) -> None:
        # This pool never connects: redis-py's methods read settings off it.
        url = servers.of(*servers.addresses[0])
        super().__init__(connection_pool=ConnectionPool.from_url(url, **options))
        self.shards = Shards(servers, options)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await self.shards.aclose()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] in _EVERYWHERE:
            return await self._everywhere((args, options))
        [answer] = await run(self.shards, [(args, options)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pipeline(
        self, transaction: bool = True, shard_hint: str | None = None
    ) -> "ClusterPipeline":
        return ClusterPipeline(self, transaction)

    def pubsub(self, **kwargs: Any) -> Any:
        raise NotImplementedError("a cluster is heard through LiveChannels")

    async def _everywhere(self, command: Command) -> Any:
        """One answer, if any primary gave it: what the others lack shows when they are needed."""
        args, options = command
        clients = [self.shards.client(one) for one in await self.shards.primaries()]
        answers = await asyncio.gather(
            *(_execute(client, args, options) for client in clients), return_exceptions=True
        )
        good = [answer for answer in answers if not isinstance(answer, BaseException)]
        if not good:
            raise answers[0]
        return good[0]


class ClusterPipeline(Pipeline):
    """Commands for any primaries, sent together."""

    def __init__(self, redis: ClusterRedis, transaction: bool) -> None:
        super().__init__(redis.connection_pool, redis.response_callbacks, transaction, None)
        self._shards = redis.shards

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands, self.command_stack = self.command_stack, []
        answers = await run(self._shards, commands, transaction=self.is_transaction)
        errors = [answer for answer in answers if isinstance(answer, Exception)]
        if raise_on_error and errors:
            raise errors[0]
        return answers

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError("WATCH needs one connection")


@dataclass(slots=True)
class _Job:
    """A command on its way. ``owner``: who was asked last; ``asking``: who is to be asked next
    for a key that may have moved ahead of its slot."""

    args: tuple[Any, ...]
    options: Mapping[str, Any]
    slot: int | None
    owner: Address | None = None
    asking: Address | None = None
    answer: Any = None


async def run(
    shards: Shards, commands: Iterable[Command], *, transaction: bool = False
) -> list[Any]:
    """The answers to ``commands``, in order; an exception for one that failed."""
    jobs = [_Job(args, options, slot_of(args)) for args, options in commands]
    waiting = jobs
    for _ in range(_ATTEMPTS):
        seen = shards.version
        await _send_all(shards, waiting, transaction=transaction)
        failed = [job for job in waiting if isinstance(job.answer, Exception)]
        if any(isinstance(job.answer, _LOST) for job in failed):
            with contextlib.suppress(*_FAILURES):  # the command's own error says enough
                await shards.look_up(seen)
        waiting = [job for job in failed if await _goes_elsewhere(shards, job)]
        if not waiting:
            break
    return [job.answer for job in jobs]


async def _send_all(shards: Shards, jobs: Sequence[_Job], *, transaction: bool) -> None:
    parts: dict[tuple[Address, bool], list[_Job]] = {}
    for job in jobs:
        job.owner = job.asking or await shards.owner(job.slot)
        if job.owner is None:
            job.answer = ClusterDownError(f"slot {job.slot} is not served")
            continue
        parts.setdefault((job.owner, job.asking is not None), []).append(job)
    sends = [
        _send(shards.client(owner), part, asking=asking, transaction=transaction)
        for (owner, asking), part in parts.items()
    ]
    if len(sends) == 1:
        await sends[0]
    else:
        await asyncio.gather(*sends)


async def _send(client: Redis, jobs: list[_Job], *, asking: bool, transaction: bool) -> None:
    try:
        if len(jobs) == 1 and not asking and not transaction:
            jobs[0].answer = await _execute(client, jobs[0].args, jobs[0].options)
            return
        async with client.pipeline(transaction=transaction) as pipe:
            for job in jobs:
                if asking:
                    pipe.execute_command("ASKING")
                pipe.execute_command(*job.args, **job.options)
            answers = await pipe.execute(raise_on_error=False)
        for job, answer in zip(jobs, answers[1::2] if asking else answers, strict=True):
            job.answer = answer
    except _FAILURES as error:
        for job in jobs:
            job.answer = error


async def _execute(client: Redis, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    return await client.execute_command(*args, **options)  # type: ignore[no-untyped-call]


async def _goes_elsewhere(shards: Shards, job: _Job) -> bool:
    """Whether a command that failed can be sent again, with better hope."""
    error, job.asking = job.answer, None
    if isinstance(error, MovedError):
        shards.moved(error.slot_id, _redirection(error, job))
        return True
    if isinstance(error, AskError):
        job.asking = _redirection(error, job)
        return True
    if isinstance(error, TryAgainError):  # the keys of one command are moving one by one
        await asyncio.sleep(_TRY_AGAIN)
        return True
    if not isinstance(error, _LOST) or isinstance(error, RedisTimeoutError | MaxConnectionsError):
        return False
    return job.slot is None or await shards.owner(job.slot) != job.owner


def _redirection(error: AskError, job: _Job) -> Address:
    host = error.host or (job.owner or ("", 0))[0]  # empty: on the same host
    return host, int(error.port)


def slot_of(args: Sequence[Any]) -> int | None:
    """The slot of a command's first key; None when it has no key."""
    name = str(args[0]).upper()
    if name in ("EVAL", "EVALSHA", "FCALL"):
        key = args[3] if int(args[2]) else None
    elif name in ("XREAD", "XREADGROUP"):
        key = args[next(i for i, word in enumerate(args) if word in _STREAMS) + 1]
    elif len(args) == 1 or name.partition(" ")[0] in _KEYLESS:
        key = None
    else:
        key = args[1]
    return None if key is None else key_slot(key if isinstance(key, bytes) else str(key).encode())
