"""Logging every frame of one user or one connection, for somebody who looks for what is wrong with
it. Switched on by ``HUB_LOG_WIRE`` from the start, and by the admin command ``tail`` for a while.

A connection that is looked at is an object of a class that logs; all others never ask whether they
are ([decision 47](../../docs/decisions/0047-a-watched-line-is-of-another-class.md)).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from config.logs import Subject, get_logger
from config.redaction import redact, shorten
from hub.delivery.frames import BINARY, TEXT, Binary, unframe
from hub.gateways.present import Present
from hub.gateways.sio.session import SEPARATOR, EngineSocket
from hub.gateways.sse import EventLine
from hub.gateways.websocket import WebSocket

SHOWN: Final = 500
"""Characters of a frame that are logged."""

_SWITCHES: Final = ("user:", "sid:")
_log = get_logger(__name__)


class Wire:
    """Whose frames are logged: ``user:<userId>``, ``sid:<sid>``. ``always``: from the start on.
    ``present``: who is connected."""

    def __init__(self, always: Collection[str], present: Iterable[Present]) -> None:
        self._always = frozenset(always)
        self._names = self._always
        self._present = present

    def arrives(self, connection: Present) -> None:
        """Somebody is about to be told that it is connected."""
        if self._names and self._meant(connection):
            _watch(connection.line, on=True)

    def follow(self, names: Iterable[str]) -> None:
        """Those that have a tail now, channels of all kinds; they replace the ones before."""
        wanted = self._always.union(name for name in names if name.startswith(_SWITCHES))
        if wanted == self._names:
            return
        self._names = wanted
        everybody = list(self._present)
        meant = [each.line for each in everybody if self._meant(each)]
        for each in everybody:  # a line may carry two connections
            _watch(each.line, on=any(each.line is line for line in meant))

    def _meant(self, connection: Present) -> bool:
        names = self._names
        return f"user:{connection.principal.user_id}" in names or f"sid:{connection.sid}" in names


class WatchedWebSocket(WebSocket):
    """Says what it sends and what it is sent."""

    __slots__ = ()

    def write(self, message: bytes) -> None:
        if self._deflater is not None and not self._closing:
            self._say("wire.out", message)
        super().write(message)

    def write_all(self, messages: list[bytes]) -> None:
        if self._deflater is not None and not self._closing:
            for each in messages:
                self._say("wire.out", each)
        super().write_all(messages)

    def send(self, data: bytes) -> None:
        if self._closing:
            return
        if self._deflater is None:  # else it was said before it was compressed
            for opcode, payload in unframe(data):
                if opcode in (TEXT, BINARY):
                    self._say("wire.out", Binary(payload) if opcode == BINARY else payload)
        self._transport.write(self.cork.take(self) + data)

    def received(self, kind: int, data: Any) -> None:
        if isinstance(data, str | bytes) and not self._closing:
            self._say("wire.in", data)
        super().received(kind, data)

    def close(self, code: int = 1000, reason: str = "", *, wait: bool = False) -> None:
        if not self._closing:
            self._say("wire.out", f"close {code} {reason}".rstrip())
        super().close(code, reason, wait=wait)

    def _say(self, event: str, message: str | bytes) -> None:
        _say(event, self._owner, message)


class WatchedLine(EventLine):
    """Likewise, an event stream."""

    def send(self, data: bytes) -> None:
        if not self._closing:
            _say("wire.out", self._owner, data)
        super().send(data)


class WatchedSocket(EngineSocket):
    """Likewise, a session: its polls and POSTs, and the WebSocket that it changes over to."""

    __slots__ = ()

    def serve(self, websocket: WebSocket) -> None:
        _watch(websocket, on=True)
        super().serve(websocket)

    async def post(self, body: bytes) -> None:
        for part in body.split(SEPARATOR):
            _say("wire.in", self, part)
        await super().post(body)

    def _payload(self) -> list[bytes]:
        packets = super()._payload()
        for each in packets:
            _say("wire.out", self, each)
        return packets


_WATCHED: Final[Mapping[type, type]] = {
    WebSocket: WatchedWebSocket,
    EventLine: WatchedLine,
    EngineSocket: WatchedSocket,
}
_PLAIN: Final = {watched: plain for plain, watched in _WATCHED.items()}


def _watch(line: Any, *, on: bool) -> None:
    """Makes a line one that says what it carries, or one that does not."""
    kind = (_WATCHED if on else _PLAIN).get(type(line))
    if kind is None:  # as it is wanted, or gone
        return
    line.__class__ = kind
    if isinstance(line, WebSocket):
        line.descriptor = -1  # nobody writes past it; it finds its way back by itself
    elif isinstance(line, EngineSocket):
        _watch(line.websocket, on=on)


def _say(event: str, who: Subject | None, message: str | bytes) -> None:
    """Secrets go before it is shortened: half a token would not be known as one."""
    size = len(message)
    if isinstance(message, Binary):
        text = "binary"
    elif isinstance(message, bytes):
        text = message.decode(errors="backslashreplace")
    else:
        text = message
    fields = {} if who is None else who.log_fields()
    _log.info(event, frame=shorten(redact(text), SHOWN), size=size, **fields)
