"""One live connection: its subscriptions, its messages, and the proof that it still hears."""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from hiredis import PushNotification, ReplyError
from redis.asyncio.connection import AbstractConnection
from redis.crc import key_slot

from config.logs import get_logger
from hub.broker.connect import honour_cancellation
from hub.broker.hotlog import Batch, merged, parse_live
from hub.broker.stream import ReplyStream

PING_INTERVAL: Final = 1.0
"""Seconds between pings; a connection on which nothing was heard for two intervals is dead."""

_AT_ONCE: Final = 500  # names in one command: a longer one would hold up the server
_SLICE: Final = 0.005  # seconds of handing over, after which others get their turn
_GRACE: Final = 0.05  # seconds in which a loop that was held up reads what came meanwhile
_SHARDED_SINCE: Final = 7  # the version of Redis; publish.lua decides the same way
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens by a link; every callable returns at once.

    ``wanted``: what is followed now: Redis name → channel. ``turn``: entered around each series of
    ``on_batch`` that one read gave, if there are several.
    """

    wanted: Mapping[bytes, str]
    on_batch: Callable[[Batch], None]
    on_confirmed: Callable[[bytes], None]
    turn: Callable[[], AbstractContextManager[None]]


class Link:
    """A connection to one server, from ``run`` on until it is lost.

    ``probes``: names of its own. What it publishes there it must hear: an answered ping proves
    only the socket. ``cluster``: each of its names is heard only where the name's slot is.
    """

    def __init__(
        self,
        listener: Listener,
        probes: Collection[bytes],
        on_up: Callable[["Link"], None],
        *,
        cluster: bool = False,
    ) -> None:
        self._listener = listener
        self._on_up = on_up
        self._cluster = cluster
        self._sharded = False
        self._loop = asyncio.get_running_loop()
        self._stream = ReplyStream(self._take, self._flush)
        self._changed: dict[bytes, None] = dict.fromkeys(probes)
        self._flushing = False
        self._asked: set[bytes] = set()
        self._unanswered: Counter[bytes] = Counter()  # subscriptions sent and not confirmed yet
        self._leaving: Counter[bytes] = Counter()  # ends of subscriptions, likewise
        self._ready: deque[Batch] = deque()
        self._pausing = False
        self._unreadable: set[str] = set()  # channels
        self._probes = dict.fromkeys(probes, 0)  # how often each was heard
        self._pings = self._answers = 0
        self.confirmed: set[bytes] = set()
        self.up = self.was_up = False

    async def run(self, connection: AbstractConnection) -> None:
        """Connects, subscribes to all that came by ``change``, and hears. Ends only by raising:
        redis-py's errors, ``OSError`` or ``TimeoutError`` when the connection is lost, and what a
        callback of the listener raised."""
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            await self._introduce(connection)
            honour_cancellation()
            await self._stream.take_over(connection)
            self._flush()
            await self._watch()
        finally:
            self.up = False
            self._ready.clear()
            self._stream.fail(ConnectionError("closed"))
            await connection.disconnect(nowait=True)

    def change(self, names: Iterable[bytes]) -> None:
        """Notes that these came to be wanted, or ceased to. They go out together with all that come
        in the same turn, or while earlier ones are not confirmed: a crowd needs few commands."""
        self._changed.update(dict.fromkeys(names))
        if not self._flushing:
            self._flushing = True
            if not self._unanswered:
                self._loop.call_soon(self._flush)

    async def _introduce(self, connection: AbstractConnection) -> None:
        await connection.send_command("HELLO", 3)  # a subscribed connection may send any command
        hello = await connection.read_response()
        _require_primary(hello)
        number = re.search(rb"\d+", hello[b"version"])
        self._sharded = self._cluster and number is not None and int(number[0]) >= _SHARDED_SINCE

    def _flush(self) -> None:
        """Writes what changed as far as the server takes it; the rest waits, at most each name
        once."""
        self._flushing = False
        while self._changed and self._stream.writable:
            some = [name for name, _ in zip(self._changed, range(_AT_ONCE), strict=False)]
            for name in some:
                del self._changed[name]
            self._subscribe([n for n in some if self._wanted(n) and n not in self._asked])
            self._unsubscribe([n for n in some if not self._wanted(n) and n in self._asked])
        if not self._changed and not self._pings:
            self._ping()  # the answer comes after all confirmations

    def _wanted(self, name: bytes) -> bool:
        return name in self._listener.wanted or name in self._probes

    def _subscribe(self, names: list[bytes]) -> None:
        self._asked.update(names)
        self._unanswered.update(names)
        for some in self._commands(names):
            self._stream.send("SSUBSCRIBE" if self._sharded else "SUBSCRIBE", *some)

    def _unsubscribe(self, names: list[bytes]) -> None:
        self._asked.difference_update(names)
        self._leaving.update(names)
        self.confirmed.difference_update(names)
        for some in self._commands(names):
            self._stream.send("SUNSUBSCRIBE" if self._sharded else "UNSUBSCRIBE", *some)

    def _commands(self, names: list[bytes]) -> Iterator[list[bytes]]:
        """The names of each command: sharded ones of different slots do not go together."""
        slots: dict[int, list[bytes]] = {}
        for name in names:
            slots.setdefault(key_slot(name) if self._sharded else 0, []).append(name)
        yield from slots.values()

    def _ping(self) -> None:
        """HELLO without arguments is a ping that also tells who answers."""
        if self._stream.writable:
            self._pings += 1
            for probe in self._probes:
                self._stream.send("SPUBLISH" if self._sharded else "PUBLISH", probe, self._pings)
            self._stream.send("HELLO")

    async def _watch(self) -> None:
        """Pings every interval; raises once the connection is lost or silent."""
        stream, loop = self._stream, self._loop
        ping_at = loop.time() + PING_INTERVAL
        while True:
            wake_at = min(ping_at, stream.heard_at + 2 * PING_INTERVAL)
            await asyncio.wait([stream.lost], timeout=max(0, wake_at - loop.time()))
            if stream.lost.done():
                stream.lost.result()
            if loop.time() >= ping_at:
                self._ping()
                ping_at = loop.time() + PING_INTERVAL
            if loop.time() >= stream.heard_at + 2 * PING_INTERVAL and not self._pausing:
                await asyncio.sleep(_GRACE)
                if loop.time() >= stream.heard_at + 2 * PING_INTERVAL:
                    raise TimeoutError(f"nothing heard for {2 * PING_INTERVAL:.0f} s")

    def _take(self, replies: list[Any]) -> None:
        wanted = self._listener.wanted
        batches: list[Batch] = []
        for reply in replies:
            if type(reply) is not PushNotification:
                self._answered(reply)
                continue
            kind = reply[0]
            if kind not in (b"message", b"smessage"):
                self._changed_by(kind, reply[1])
            elif channel := wanted.get(reply[1]):
                batches += self._parsed(channel, reply[2])
            elif reply[1] in self._probes:
                self._probes[reply[1]] += 1
        if self._flushing and not self._unanswered:
            self._flush()
        if batches:
            self._ready.extend(merged(batches))
            if not self._pausing:
                self._hand_over()

    def _parsed(self, channel: str, payload: bytes) -> Sequence[Batch]:
        """The batch; nothing where it is none, which is logged once of each channel."""
        try:
            return (parse_live(channel, payload),)
        except ValueError as error:
            if channel not in self._unreadable:
                self._unreadable.add(channel)
                _log.warning("live.unreadable", channel=channel, error=str(error))
            return ()

    def _changed_by(self, kind: bytes, name: bytes) -> None:
        if kind in (b"subscribe", b"ssubscribe"):
            self._confirm(name)
        elif kind in (b"unsubscribe", b"sunsubscribe"):
            self._left(name)

    def _answered(self, reply: Any) -> None:
        if isinstance(reply, ReplyError):
            raise ConnectionError(f"refused: {reply}")
        if not isinstance(reply, dict):
            return  # how many heard a probe
        _require_primary(reply)
        self._answers += 1
        heard = min(self._probes.values())
        if heard < self._answers - 1:
            raise ConnectionError("deaf: pings are answered, probes are not heard")
        if heard and not self.up:
            self.up = self.was_up = True
            self._on_up(self)

    def _confirm(self, name: bytes) -> None:
        self._unanswered[name] -= 1
        if self._unanswered[name] > 0:
            return  # a later subscription to the same name is still on its way
        del self._unanswered[name]
        if name not in self._asked:
            return  # its end is
        self.confirmed.add(name)
        self._listener.on_confirmed(name)

    def _left(self, name: bytes) -> None:
        if not self._leaving[name]:
            raise ConnectionError(f"{name.decode()} is not heard here any more")
        self._leaving[name] -= 1
        if not self._leaving[name]:
            del self._leaving[name]

    def _hand_over(self) -> None:
        """Hands over what was read. When that takes long the rest waits for the next turn of the
        event loop, and nothing more is read before."""
        on_batch, ready = self._listener.on_batch, self._ready
        if len(ready) == 1:
            on_batch(ready.popleft())
        else:
            until = self._loop.time() + _SLICE
            with self._listener.turn():
                while ready and self._loop.time() < until:
                    on_batch(ready.popleft())
        if ready and not self._pausing:
            self._stream.pause()
        elif self._pausing and not ready:
            self._stream.resume()
        self._pausing = bool(ready)
        if ready:
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if not self._ready:
            return  # the link was closed meanwhile
        try:
            self._hand_over()
        except Exception as error:  # noqa: BLE001 - asyncio would only log it
            self._stream.fail(error)


def _require_primary(hello: Mapping[bytes, Any]) -> None:
    if hello.get(b"role", b"master") != b"master":
        raise ConnectionError("the server is a replica")
