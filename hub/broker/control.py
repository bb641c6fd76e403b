"""Control: what every node of the cluster is told, and asked, by any one of them.

It is a stream, not pub/sub: a node whose connection was away carries out afterwards what it was
told meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker import keys as key_names
from hub.broker.connect import command, honour_cancellation
from hub.broker.journal import entries_of
from hub.broker.records import UNREADABLE
from hub.domain import ids

BLOCK: Final = 1.0
"""Seconds that a node waits in Redis for the next order."""

BRIEFLY: Final = 0.1
"""Seconds that are enough for a node that is well, to answer."""

_KEPT: Final = 1000  # orders at most
_KEPT_FOR: Final = 600  # seconds; after that a node that was cut off does not hear of them any more
_TRIMMED_EVERY: Final = 10  # seconds
_LATER_AT_MOST: Final = 100
_AT_ONCE: Final = 100
_RETRY: Final = 0.1
_ANSWERS_LIVE: Final = 10  # seconds
_WAIT: Final = 0.25  # seconds for one look at the answers
_FAILURES = (RedisError, OSError, TimeoutError)
_log = get_logger(__name__)

Handler = Callable[[bytes], Awaitable[object]]
"""Carries an order out, given its body as JSON. What it returns answers a question, as JSON; or is
``Later``."""


class Later(Struct, frozen=True):
    """What an order has begun goes on, and ``answer`` waits for it: meanwhile the orders that
    follow are carried out."""

    answer: Callable[[], Awaitable[object]]


class Order(Struct, frozen=True):
    """What all nodes are told. ``question``: where they are to answer; empty when they are not."""

    kind: str
    body: msgspec.Raw
    question: str = ""


class Answer(Struct, frozen=True):
    """One node's answer."""

    node: str
    body: msgspec.Raw


class Control:
    """Telling and asking all nodes, this one included. ``node``: the id of this one.

    Promises: an order that ``tell`` accepted is carried out by every node that lives, in the order
    of the telling, within milliseconds while its Redis connection is up and else when it is back,
    within ten minutes; twice if a connection broke in the telling. ``reading``: a client whose time
    limit exceeds ``BLOCK``.
    """

    def __init__(self, redis: Redis, reading: Redis, node: str) -> None:
        self.node = node
        self._redis = redis
        self._reading = reading
        self._handlers: dict[str, Handler] = {}
        self._later: set[asyncio.Task[None]] = set()
        self._trimmed = 0
        self._trouble = Trouble(_log, "control.lost", "control.restored")

    def on(self, kind: str, handler: Handler) -> None:
        """Has ``handler`` carry out the orders of a kind. It must not wait long: the next order
        does as long."""
        self._handlers[kind] = handler

    async def tell(self, kind: str, body: object) -> None:
        """Gives an order. Raises ``redis.RedisError``."""
        await self._add(Order(kind, msgspec.Raw(msgspec.json.encode(body))))

    async def ask(
        self,
        kind: str,
        body: object,
        nodes: Collection[str],
        *,
        within: float,
        doubted: Collection[str] = (),
    ) -> dict[str, bytes]:
        """Gives an order and waits for the answers of ``nodes``, at most ``within`` seconds; for
        those that are ``doubted``, ``BRIEFLY``. The answers that were given by then, by node.
        Raises ``redis.RedisError``."""
        question = ids.uuid7()
        missing, found = set(nodes), dict[str, bytes]()
        await self._add(Order(kind, msgspec.Raw(msgspec.json.encode(body)), question))
        loop = asyncio.get_running_loop()
        began = loop.time()
        while missing:
            limit = within if missing.difference(doubted) else min(within, BRIEFLY)
            if (left := began + limit - loop.time()) <= 0:
                break
            for answer in await self._answers(question, min(left, _WAIT)):
                found[answer.node] = bytes(answer.body)
                missing.discard(answer.node)
        return found

    async def run(self) -> None:
        """Carries out what is told from now on, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            last: bytes | None = None
            while True:
                honour_cancellation()
                try:
                    if last is None:
                        last = await self._end()
                    last = await self._next(last, tasks)
                except _FAILURES as error:
                    self._trouble.failed(error)
                    await asyncio.sleep(_RETRY)
                else:
                    self._trouble.worked()

    async def _add(self, order: Order) -> None:
        """Few orders are many bytes, and old ones are for nobody: both have a bound."""
        fields: dict[Any, Any] = {"o": msgspec.json.encode(order)}
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xadd(key_names.CONTROL, fields, maxlen=_KEPT, approximate=True)
            pipe.expire(key_names.CONTROL, _KEPT_FOR)
            added, _ = await pipe.execute()
        now = int(added.partition(b"-")[0]) // 1000  # by the clock of Redis
        if now >= self._trimmed + _TRIMMED_EVERY:
            self._trimmed = now
            oldest = f"{(now - _KEPT_FOR) * 1000}-0"
            await command(self._redis.xtrim(key_names.CONTROL, minid=oldest, approximate=False))

    async def _answers(self, question: str, limit: float) -> list[Answer]:
        """What was answered, at least one if that comes within ``limit`` seconds."""
        key = key_names.answers(question)
        first = await command(self._redis.blpop([key], timeout=max(limit, 0.01)))
        if first is None:
            return []
        more = await command(self._redis.lpop(key, _AT_ONCE))
        return [each for raw in (first[1], *(more or ())) if (each := _answer(raw)) is not None]

    async def _end(self) -> bytes:
        found = await command(self._reading.xrevrange(key_names.CONTROL, count=1))
        return found[0][0] if found else b"0-0"

    async def _next(self, last: bytes, tasks: asyncio.TaskGroup) -> bytes:
        reply = await command(
            self._reading.xread({key_names.CONTROL: last}, count=_AT_ONCE, block=int(BLOCK * 1000))
        )
        for entry_id, fields in entries_of(reply):
            last = entry_id
            await self._carry_out(fields.get(b"o", b""), tasks)
        return last

    async def _carry_out(self, raw: bytes, tasks: asyncio.TaskGroup) -> None:
        async with _whatever_comes():
            order = msgspec.json.decode(raw, type=Order)
            handler = self._handlers.get(order.kind)
            if handler is None:  # of a newer version of the hub
                return
            answer = await handler(bytes(order.body))
            if isinstance(answer, Later):
                await self._wait_beside(order.question, answer, tasks)
            elif order.question:
                await self._answer(order.question, answer)

    async def _wait_beside(self, question: str, later: Later, tasks: asyncio.TaskGroup) -> None:
        """Beside the orders that follow, unless too many are waited for already."""
        task = tasks.create_task(self._wait(question, later))
        self._later.add(task)
        task.add_done_callback(self._later.discard)
        if len(self._later) >= _LATER_AT_MOST:
            await asyncio.wait(self._later, return_when=asyncio.FIRST_COMPLETED)

    async def _wait(self, question: str, later: Later) -> None:
        async with _whatever_comes():
            answer = await later.answer()
            if question:
                await self._answer(question, answer)

    async def _answer(self, question: str, answer: object) -> None:
        key = key_names.answers(question)
        body = Answer(self.node, msgspec.Raw(msgspec.json.encode(answer)))
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.rpush(key, msgspec.json.encode(body))
            pipe.expire(key, _ANSWERS_LIVE)
            await pipe.execute()


@asynccontextmanager
async def _whatever_comes() -> AsyncIterator[None]:
    """The next order is carried out all the same."""
    try:
        yield
    except UNREADABLE as error:  # of another version, perhaps
        _log.warning("control.unreadable", error=str(error))
    except _FAILURES as error:
        _log.warning("control.not_answered", error=repr(error))
    except Exception:  # noqa: BLE001 - a fault of one order
        _log.exception("control.order_failed")


def _answer(raw: bytes) -> Answer | None:
    try:
        return msgspec.json.decode(raw, type=Answer)
    except UNREADABLE as error:
        _log.warning("control.unreadable", error=str(error))
        return None
