"""An event on its way to this node's connections, with what every transport makes of it once."""

from functools import cached_property
from typing import Any

import msgspec

from hub.delivery.frames import header
from hub.domain.events import Encoded


class Message:
    """One event for many subscribers. Encodings are made when the first subscriber of a
    transport asks for one, and shared by all."""

    def __init__(self, channel: str, epoch: str, event: Encoded) -> None:
        self.channel = channel
        self.epoch = epoch
        self.offset = event.offset
        self.envelope = event.envelope
        self.digits = b"%d" % event.offset
        self.frames: dict[int, bytes] = {}  # see ``frame``

    @cached_property
    def socketio(self) -> bytes:
        """The Engine.IO packet of the Socket.IO event up to its last argument, the recovery
        string, which differs per connection: ``42["event",{…},"``."""
        return b'42["event",' + self.envelope + b',"'

    def frame(self, tail: int) -> bytes:
        """``socketio`` behind the header of a WebSocket frame that holds ``tail`` more bytes; made
        once for each ``tail`` and kept in ``frames``."""
        made = self.frames.get(tail)
        if made is None:
            made = self.frames[tail] = header(len(self.socketio) + tail) + self.socketio
        return made


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
