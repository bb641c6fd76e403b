"""One client of the namespace ``/``: a subscriber that writes Socket.IO packets."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from hub.delivery.message import Message, Reset
from hub.delivery.outbox import Entry
from hub.domain import codes
from hub.domain.events import Position
from hub.domain.principal import Principal
from hub.gateways.sio.lagging import Lagging, Summary, gives_way
from hub.gateways.sio.server import Client
from hub.services.following import Joined

_HELD_AT_MOST: Final = 1000
_END: Final = b'"]'


class Connection:
    """A connected client and the channels it follows.

    Until ``greet``, live events are held back, so that ``hello`` and what was missed come first.
    ``channels`` says what was handed to the transport, never what still waits: it is what the
    client sends back as its offset when it recovers.
    """

    __slots__ = (
        "_after", "_before", "_channel", "_held", "_lagging", "_live", "_socket", "_summary",
        "channels", "client", "joined", "principal",
    )  # fmt: skip

    def __init__(self, client: Client, principal: Principal, summary: Summary) -> None:
        self.client = client
        self.principal = principal
        self.channels: dict[str, int] = {}  # in the order joined; → offset of the last event sent
        self.joined: list[Joined] = []  # what connecting joined, until it is told of
        self._socket = client.socket
        self._held: list[Message | Reset] | None = []
        self._summary = summary
        self._lagging: Lagging | None = None  # most clients never lag
        self._live = False  # nothing is held, and no channel lags
        self._channel: str | None = None  # whose recovery string is prepared
        self._before = self._after = b""
        client.socket.pressure = self

    # -- what a feed calls ------------------------------------------------------------------------

    def deliver(self, messages: Sequence[Message]) -> None:
        """Sends the next events of a channel, in one write."""
        direct = self._socket.direct
        if direct is None or not self._live:
            self._deliver_behind(messages)
            return
        last = messages[-1]
        if last.channel != self._channel:
            self._prepare(last.channel)
        if len(messages) == 1:
            tail = self._before + last.digits + self._after
            size = len(tail)
            direct.send((last.frames.get(size) or last.frame(size)) + tail)
        else:
            direct.send(b"".join([self._frame(message) for message in messages]))
        self.channels[last.channel] = last.offset

    def reset(self, notice: Reset) -> None:
        """Tells that a channel goes on from another place."""
        if self._held is not None:
            self._hold([notice])
            return
        self._lags_no_more(notice.channel)
        self._socket.push(_Stamped(self, notice.socketio, notice.channel, notice.offset))

    def _frame(self, message: Message) -> bytes:
        tail = self._before + message.digits + self._after
        return message.frame(len(tail)) + tail

    def _prepare(self, channel: str) -> None:
        """What stands around the channel's own offset at the end of its events: it stays the same
        until an event of another channel is sent."""
        names = list(self.channels)
        at = names.index(channel)
        offsets = list(map(str, self.channels.values()))
        before = "".join(f"{each}." for each in offsets[:at])
        after = "".join(f".{each}" for each in offsets[at + 1 :])
        self._channel = channel
        self._before, self._after = before.encode(), after.encode() + _END

    def _deliver_behind(self, messages: Sequence[Message]) -> None:
        """Not everything before these was written, or some channel lags."""
        if self._held is not None:
            self._hold(messages)
        elif self._lagging is None or not self._lagging.keep(messages):
            for message in messages:
                self._socket.push(_Stamped(self, message.socketio, message.channel, message.offset))

    def stamp(self, channel: str | None, offset: int) -> bytes:
        """The end of a packet that is handed to the transport now: the recovery string. Of an
        event: from now on the client has its channel up to ``offset``."""
        if channel not in self.channels:  # it is none, or follows the channel no more
            return self.recovery() + _END
        if channel != self._channel:
            self._prepare(channel)
        self.channels[channel] = offset
        return self._before + b"%d" % offset + self._after

    # -- what the namespace calls -----------------------------------------------------------------

    def follows(self, channel: str, offset: int) -> None:
        """Notes that the client has everything of ``channel`` up to ``offset``."""
        self._channel = None
        self.channels[channel] = offset

    def forget(self, channel: str) -> None:
        """Notes that the client does not follow ``channel`` any more."""
        self._channel = None
        self.channels.pop(channel, None)
        self._lags_no_more(channel)

    def greet(self, hello: dict[str, Any], missed: list[Message | Reset]) -> None:
        """Sends ``hello``, then what was missed, then what was held; from then on it is live.
        What was missed may be more than the outbox holds, and must be bounded by the caller."""
        self.send("hello", hello)
        held, self._held = self._held or [], None
        self._live = True
        with self._socket.outbox.backlog():
            for each in [*missed, *held]:
                if isinstance(each, Message):
                    self.deliver([each])
                else:
                    self.reset(each)

    def send(self, event: str, payload: dict[str, Any]) -> None:
        """Sends an event of the hub's own, with the recovery string last."""
        self._socket.push(_Stamped(self, _head(event, payload)))

    def recovery(self) -> bytes:
        """The offset of Socket.IO's connection state recovery: the position in each channel."""
        return ".".join(map(str, self.channels.values())).encode()

    async def close(self, code: codes.Code, retry_after: float | None = None) -> None:
        """Sends ``closing`` and ends the connection, so that a stock client comes back by itself
        exactly when the code says that it may."""
        self.send("closing", _closing(code, retry_after))
        if code.retry:
            await self._socket.close(reason=code.name)
        else:
            await self.client.disconnect()

    def _hold(self, what: Sequence[Message | Reset]) -> None:
        if self._held is not None and len(self._held) < _HELD_AT_MOST:
            self._held.extend(what)
        else:
            self._too_slow()

    # -- when the client reads too slowly ---------------------------------------------------------

    def overflowed(self, entry: Entry) -> None:
        """The outbox is full: the events of jobs give way, to be replaced by one ``reset`` once the
        client reads again. If that is not enough, it is cut off."""
        outbox = self._socket.outbox
        lost = outbox.withdraw(gives_way)
        if isinstance(entry, _Stamped) and entry.channel is not None and gives_way(entry.channel):
            lost.add(entry.channel)
        elif not outbox.offer(entry):
            self._too_slow()
            return
        if lost:
            self._live = False
            self._lagging = self._lagging or Lagging(self, self._summary)
            self._lagging.add(lost)

    def relieved(self) -> None:
        """The client has read everything."""
        if self._lagging is not None:
            self._socket.host.spawn(self._lagging.catch_up())

    @property
    def reading(self) -> bool:
        """Whether the client has taken everything that was queued."""
        return not (self._socket.outbox or self._socket.closed)

    def _lags_no_more(self, channel: str) -> None:
        if self._lagging is not None:
            self._lagging.forget(channel)
            if not self._lagging:
                self._lagging, self._live = None, self._held is None

    def _too_slow(self) -> None:
        """It is told, if it still listens, and resumes from its offsets when it returns."""
        head = _head("closing", _closing(codes.SLOW_CONSUMER, None))
        self._socket.abort(last=head + self.stamp(None, 0))

    def too_large(self) -> None:
        """It is told why the connection ends."""
        self.send("closing", _closing(codes.PAYLOAD_TOO_LARGE, None))


class _Stamped:
    """A packet with a recovery string, which is known only when its turn comes."""

    __slots__ = ("_connection", "_head", "_offset", "channel")

    def __init__(
        self, connection: Connection, head: bytes, channel: str | None = None, offset: int = 0
    ) -> None:
        self._connection = connection
        self._head = head
        self.channel = channel
        self._offset = offset

    def __len__(self) -> int:
        return len(self._head)

    def encode(self) -> bytes:
        return self._head + self._connection.stamp(self.channel, self._offset)


def _head(event: str, payload: dict[str, Any]) -> bytes:
    """A packet up to its recovery string: ``42["event",{…},"``."""
    return b"42" + msgspec.json.encode([event, payload])[:-1] + b',"'


def _closing(code: codes.Code, retry_after: float | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"code": code.name, "message": code.message, "reconnect": code.retry}
    if retry_after is not None:
        fields["retryAfter"] = retry_after
    return fields


Answer = Callable[[dict[str, Any]], None]
"""Sends the acknowledgement of a command; to be called exactly once."""

Command = Callable[[Connection, Any, Answer], Awaitable[None]]
"""Handles a command's payload and answers, or raises ``HubError``."""


def ok(data: dict[str, Any]) -> dict[str, Any]:
    """``{ok: true, data}``"""
    return {"ok": True, "data": data}


def position_fields(channel: str, position: Position) -> dict[str, Any]:
    """``{channel, epoch, offset}``"""
    return {"channel": channel, "epoch": position.epoch, "offset": position.offset}
