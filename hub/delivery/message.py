"""An event on its way to this node's connections, with what every transport makes of it once."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

import msgspec
from msgspec import Struct

from hub.delivery.frames import frame, header
from hub.domain.events import Encoded
from hub.domain.jobs import TERMINAL

_EVENT: Final = b'42["event",'
_STRING: Final = b',"'
_AROUND: Final = len(_EVENT) + len(_STRING)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Message:
    """One event for many subscribers. Encodings are made when the first subscriber of a
    transport asks for one, and shared by all."""

    def __init__(self, channel: str, epoch: str, event: Encoded) -> None:
        self.channel = channel
        self.epoch = epoch
        self.offset = event.offset
        self.envelope = event.envelope
        self.digits = b"%d" % event.offset

    def __len__(self) -> int:
        """Bytes of the envelope."""
        return len(self.envelope)

    @cached_property
    def socketio(self) -> bytes:
        """The Engine.IO packet of the Socket.IO event up to its last argument, the recovery
        string, which differs per connection: ``42["event",{…},"``."""
        return _EVENT + self.envelope + _STRING

    @cached_property
    def websocket(self) -> bytes:
        """The frame of a raw WebSocket: the envelope is the message."""
        return frame(self.envelope)

    @cached_property
    def sse(self) -> bytes:
        """The event of an event stream, with its position as its id."""
        return sse(self._kind.type, self.envelope, self.epoch, self.offset)

    @property
    def of_user(self) -> bool:
        """Whether it is on a user's own channel."""
        return self.channel.startswith("user:")

    @property
    def topic(self) -> str:
        """On a user's channel, the topic to which the user subscribes now, or does no longer; ""
        when it says nothing of that."""
        if b'"SUBSCRIPTIONS"' not in self.envelope:
            return ""
        try:
            told = _decode_subscription(self.envelope)
        except _UNREADABLE:
            return ""
        return str(told.data.topic) if told.type == "NOTIFICATIONS_CHANGED" else ""

    @property
    def ends_job(self) -> bool:
        """Whether it is the last event of a job."""
        kind = self._kind
        if kind.type == "JOB_STATUS_CHANGED":
            return kind.data.current_status in TERMINAL
        return kind.type in ("JOB_COMPLETED", "JOB_FAILED")

    @cached_property
    def _kind(self) -> "_Kind":
        try:
            return _decode_kind(self.envelope)
        except _UNREADABLE:  # no ingest wrote that
            return _Kind("", _Changed())


class _Changed(Struct, rename="camel"):
    current_status: Any = None


class _Kind(Struct):
    """What of an envelope says what it is about."""

    type: str
    data: _Changed


class _Subscription(Struct):
    topic: Any = ""


class _Told(Struct):
    """What an envelope says of a subscription."""

    type: str
    data: _Subscription


_decode_subscription = msgspec.json.Decoder(_Told).decode
_decode_kind = msgspec.json.Decoder(_Kind).decode


def sse(name: str, data: bytes, epoch: str = "", offset: int | None = None) -> bytes:
    """One event of an event stream (HTML standard, section 9.2); ``data``: JSON in one line.
    Without an offset it has no id, and the client keeps the one it has."""
    mark = b"" if offset is None else b"id: %b:%d\n" % (epoch.encode(), offset)
    return b"%bevent: %b\ndata: %b\n\n" % (mark, name.encode(), data)


class Run(tuple[Message, ...]):  # noqa: SLOT001 - a tuple cannot have any
    """Consecutive events of one channel, with the WebSocket frames that carry them.

    A frame ends with the recovery string of its connection: what stands *before* the event's own
    offset, the offset, and what stands *after* it. Mostly all connections have the same after, and
    a before of the same length. ``cuts``: for these two, the bytes between the befores, so that a
    connection's frames are ``before.join(cut)``. ``size``: bytes of the envelopes.
    """

    cuts: dict[tuple[int, bytes], list[bytes]]
    size: int

    def __init__(self, messages: Iterable[Message]) -> None:
        del messages  # are in the tuple already
        self.cuts = {}
        self.size = sum(map(len, self))

    def cut(self, key: tuple[int, bytes]) -> list[bytes]:
        """Makes ``cuts[key]``; the key is the length of the before, and the after."""
        size, after = key
        size += _AROUND + len(after)
        cut = [b""]
        for message in self:
            envelope, digits = message.envelope, message.digits
            begin = header(size + len(envelope) + len(digits))
            cut[-1] += begin + _EVENT + envelope + _STRING
            cut.append(digits + after)
        self.cuts[key] = cut
        return cut


class Notice:
    """An event that no log has: it has no offset, and whoever misses it has missed it."""

    def __init__(self, name: str, envelope: bytes) -> None:
        self._name = name
        self._envelope = envelope

    @cached_property
    def socketio(self) -> bytes:
        """As ``Message.socketio``."""
        return _EVENT + self._envelope + _STRING

    @cached_property
    def websocket(self) -> bytes:
        """As ``Message.websocket``."""
        return frame(self._envelope)

    @cached_property
    def sse(self) -> bytes:
        """As ``Message.sse``, without an id."""
        return sse(self._name, self._envelope)


class Reset:
    """Tells a subscriber that events up to ``offset`` were not or cannot be delivered
    (contract section 4). ``snapshot``: of a job channel."""

    def __init__(
        self, channel: str, epoch: str, offset: int, snapshot: dict[str, Any] | None = None
    ) -> None:
        self.channel = channel
        self.epoch = epoch
        self.offset = offset
        self.snapshot = snapshot

    def __len__(self) -> int:
        """Bytes, about."""
        return len(self.payload)

    @cached_property
    def payload(self) -> bytes:
        """``{channel, epoch, offset, snapshot?}`` as JSON."""
        fields = {"channel": self.channel, "epoch": self.epoch, "offset": self.offset}
        if self.snapshot is not None:
            fields["snapshot"] = self.snapshot
        return msgspec.json.encode(fields)

    @cached_property
    def socketio(self) -> bytes:
        """As ``Message.socketio``."""
        return b'42["reset",' + self.payload + b',"'

    @property
    def ends_job(self) -> bool:
        """Whether the snapshot is of a job that has ended."""
        return self.snapshot is not None and self.snapshot["status"] in TERMINAL

    @cached_property
    def websocket(self) -> bytes:
        """As ``Message.websocket``: ``{type: "RESET", channel, epoch, offset, snapshot?}``."""
        return frame(self._typed)

    @cached_property
    def sse(self) -> bytes:
        """As ``Message.sse``."""
        return sse("RESET", self._typed, self.epoch, self.offset)

    @property
    def _typed(self) -> bytes:
        return b'{"type":"RESET",' + self.payload[1:]
