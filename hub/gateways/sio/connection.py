"""One client of the namespace ``/``: a subscriber that writes Socket.IO packets."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from hub.delivery.message import Message, Reset
from hub.domain import codes
from hub.domain.events import Position
from hub.domain.principal import Principal
from hub.gateways.sio.server import Client
from hub.services.following import Joined

_HELD_AT_MOST: Final = 1000


class Connection:
    """A connected client and the channels it follows.

    Until ``greet``, live events are held back, so that ``hello`` and what was missed come first.
    """

    def __init__(self, client: Client, principal: Principal) -> None:
        self.client = client
        self.principal = principal
        self.channels: dict[str, int] = {}  # in the order joined; → offset of the last event sent
        self.joined: list[Joined] = []  # what connecting joined, until it is told of
        self._held: list[Message | Reset] | None = []
        self._around_channel: str | None = None
        self._around = (b"", b"")
        client.socket.on_overflow = self._overflow

    # -- what a feed calls ------------------------------------------------------------------------

    def deliver(self, messages: Sequence[Message]) -> None:
        """Sends the next events of a channel, in one write."""
        if self._held is not None:
            self._hold(messages)
            return
        channel = messages[0].channel
        if channel != self._around_channel:
            self._surround(channel)
        before, after = self._around
        self.channels[channel] = messages[-1].offset
        if len(messages) == 1:
            message = messages[0]
            self.client.socket.push(message.socketio + before + message.digits + after)
        else:
            self.client.socket.push_all(
                [each.socketio + before + each.digits + after for each in messages]
            )

    def _surround(self, channel: str) -> None:
        """What stands around the channel's own offset at the end of its events: it stays the same
        until an event of another channel is sent."""
        names = list(self.channels)
        at = names.index(channel)
        offsets = list(map(str, self.channels.values()))
        before = "".join(f"{each}." for each in offsets[:at])
        after = "".join(f".{each}" for each in offsets[at + 1 :])
        self._around_channel = channel
        self._around = (before.encode(), after.encode() + b'"]')

    def reset(self, notice: Reset) -> None:
        """Tells that a channel goes on from another place."""
        if self._held is not None:
            self._hold([notice])
            return
        self._around_channel = None
        self.channels[notice.channel] = notice.offset
        self.client.socket.push(notice.socketio + self.recovery() + b'"]')

    # -- what the namespace calls -----------------------------------------------------------------

    def follows(self, channel: str, offset: int) -> None:
        """Notes that the client has everything of ``channel`` up to ``offset``."""
        self._around_channel = None
        self.channels[channel] = offset

    def forget(self, channel: str) -> None:
        """Notes that the client does not follow ``channel`` any more."""
        self._around_channel = None
        self.channels.pop(channel, None)

    def greet(self, hello: dict[str, Any], missed: list[Message | Reset]) -> None:
        """Sends ``hello``, then what was missed, then what was held; from then on it is live.
        What was missed may be more than the outbox holds, and must be bounded by the caller."""
        self.send("hello", hello)
        held, self._held = self._held or [], None
        with self.client.socket.outbox.backlog():
            for each in [*missed, *held]:
                if isinstance(each, Message):
                    self.deliver([each])
                else:
                    self.reset(each)

    def send(self, event: str, payload: dict[str, Any]) -> None:
        """Sends an event of the hub's own, with the recovery string last."""
        body = msgspec.json.encode([event, payload])
        self.client.socket.push(b"42" + body[:-1] + b',"' + self.recovery() + b'"]')

    def recovery(self) -> bytes:
        """The offset of Socket.IO's connection state recovery: the position in each channel."""
        return ".".join(map(str, self.channels.values())).encode()

    async def close(self, code: codes.Code, retry_after: float | None = None) -> None:
        """Sends ``closing`` and ends the connection, so that a stock client comes back by itself
        exactly when the code says that it may."""
        self.send("closing", _closing(code, retry_after))
        if code.retry:
            await self.client.socket.close(reason=code.name)
        else:
            await self.client.disconnect()

    def _hold(self, what: Sequence[Message | Reset]) -> None:
        if self._held is not None and len(self._held) < _HELD_AT_MOST:
            self._held.extend(what)
        else:
            self._overflow()

    def _overflow(self) -> None:
        """The client reads too slowly: it is told, if it still listens, and cut off; it resumes
        from its offsets when it returns."""
        body = msgspec.json.encode(["closing", _closing(codes.SLOW_CONSUMER, None)])
        self.client.socket.abort(last=b"42" + body)


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
