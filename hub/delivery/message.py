"""An event on its way to this node's connections, with what every transport makes of it once."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

import msgspec

from hub.delivery.frames import header
from hub.domain.events import Encoded

_EVENT: Final = b'42["event",'
_STRING: Final = b',"'
_AROUND: Final = len(_EVENT) + len(_STRING)


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
