"""Control: what every node of the cluster is told, and asked, by any one of them.

It is a stream, not pub/sub: a node whose connection was away carries out afterwards what it was
told meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
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
from hub.domain import ids

BLOCK: Final = 1.0
"""Seconds that a node waits in Redis for the next order."""

_KEPT: Final = 1000  # orders; enough for any outage that a node survives
_AT_ONCE: Final = 100
_RETRY: Final = 0.1
_ANSWERS_LIVE: Final = 10  # seconds
_WAIT: Final = 0.25  # seconds for one look at the answers
_FAILURES = (RedisError, OSError, TimeoutError)
_log = get_logger(__name__)

Handler = Callable[[bytes], Awaitable[object]]
"""Carries an order out, given its body as JSON. What it returns answers a question, as JSON."""


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
    of the telling, within milliseconds while its Redis connection is up and else when it is back;
    twice if a connection broke in the telling. ``reading``: a client whose time limit exceeds
    ``BLOCK``.
    """

    def __init__(self, redis: Redis, reading: Redis, node: str) -> None:
        self.node = node
        self._redis = redis
        self._reading = reading
        self._handlers: dict[str, Handler] = {}
        self._trouble = Trouble(_log, "control.lost", "control.restored")

    def on(self, kind: str, handler: Handler) -> None:
        """Has ``handler`` carry out the orders of a kind. It must not wait long."""
        self._handlers[kind] = handler

    async def tell(self, kind: str, body: object) -> None:
        """Gives an order. Raises ``redis.RedisError``."""
        await self._add(Order(kind, msgspec.Raw(msgspec.json.encode(body))))

    async def ask(
        self, kind: str, body: object, nodes: Collection[str], *, within: float
    ) -> dict[str, bytes]:
        """Gives an order and waits for the answers of ``nodes``, at most ``within`` seconds; those
        that were given by then, by node. Raises ``redis.RedisError``."""
        question = ids.uuid7()
        missing, found = set(nodes), dict[str, bytes]()
        await self._add(Order(kind, msgspec.Raw(msgspec.json.encode(body)), question))
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while missing and (left := until - loop.time()) > 0:
            for answer in await self._answers(question, min(left, _WAIT)):
                found[answer.node] = bytes(answer.body)
                missing.discard(answer.node)
        return found

    async def run(self) -> None:
        """Carries out what is told from now on, until cancelled."""
        last: bytes | None = None
        while True:
            honour_cancellation()
            try:
                if last is None:
                    last = await self._end()
                last = await self._next(last)
            except _FAILURES as error:
                self._trouble.failed(error)
                await asyncio.sleep(_RETRY)
            else:
                self._trouble.worked()

    async def _add(self, order: Order) -> None:
        fields: dict[Any, Any] = {"o": msgspec.json.encode(order)}
        added = self._redis.xadd(key_names.CONTROL, fields, maxlen=_KEPT, approximate=True)
        await command(added)

    async def _answers(self, question: str, limit: float) -> list[Answer]:
        """What was answered, at least one if that comes within ``limit`` seconds."""
        key = key_names.answers(question)
        first = await command(self._redis.blpop([key], timeout=max(limit, 0.01)))
        if first is None:
            return []
        more = await command(self._redis.lpop(key, _AT_ONCE))
        return [msgspec.json.decode(raw, type=Answer) for raw in (first[1], *(more or ()))]

    async def _end(self) -> bytes:
        found = await command(self._reading.xrevrange(key_names.CONTROL, count=1))
        return found[0][0] if found else b"0-0"

    async def _next(self, last: bytes) -> bytes:
        reply = await command(
            self._reading.xread({key_names.CONTROL: last}, count=_AT_ONCE, block=int(BLOCK * 1000))
        )
        for entry_id, fields in entries_of(reply):
            last = entry_id
            await self._carry_out(fields[b"o"])
        return last

    async def _carry_out(self, raw: bytes) -> None:
        try:
            order = msgspec.json.decode(raw, type=Order)
            handler = self._handlers.get(order.kind)
            if handler is None:  # of a newer version of the hub
                return
            answer = await handler(bytes(order.body))
            if order.question:
                await self._answer(order.question, answer)
        except _FAILURES as error:
            _log.warning("control.not_answered", error=repr(error))
        except Exception:  # noqa: BLE001 - the next order is to be carried out all the same
            _log.exception("control.order_failed")

    async def _answer(self, question: str, answer: object) -> None:
        key = key_names.answers(question)
        body = Answer(self.node, msgspec.Raw(msgspec.json.encode(answer)))
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.rpush(key, msgspec.json.encode(body))
            pipe.expire(key, _ANSWERS_LIVE)
            await pipe.execute()
