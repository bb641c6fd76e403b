"""What existing code emits through python-socketio's managers (contract section 8, last paragraph):
which of their messages the hub takes, and what it makes of them.

A manager publishes JSON that tells servers to emit, but also to disconnect clients or to move them
between rooms. The hub takes nothing but plain events for its own channels.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from hub.domain.channels import parse_channel

OWN_EVENTS: Final = frozenset({"hello", "event", "reset", "closing", "token-expiring"})
"""Names of the hub's own events: nobody else speaks in its name."""

RESERVED_EVENTS: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Names that Socket.IO keeps for itself."""

CHANNELS_AT_MOST: Final = 50
NAME_AT_MOST: Final = 128
"""Characters of an event's name."""

_PICKLE: Final = b"\x80"


class Emission(Struct, frozen=True):
    """An event for whoever follows one of ``channels`` now, but for the connections ``skipped``.

    ``arguments``: JSON, each value with a comma before it. ``name``: JSON, too.
    """

    channels: Sequence[str]
    name: bytes
    arguments: bytes
    skipped: Sequence[str]


class NotTaken(Exception):
    """The message is none that the hub takes; ``reason`` is one word, for counting."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Message(Struct):
    """A manager's message, as far as the hub looks at it."""

    method: str
    event: str = ""
    data: Any = None
    room: str | list[str] | None = None
    namespace: str | None = None
    skip_sid: str | list[str] | None = None
    callback: Any = None
    binary: bool = False


_decode = msgspec.json.Decoder(_Message).decode


def parse_emission(raw: bytes, *, at_most: int) -> Emission:
    """The emission that ``raw`` asks for. ``at_most``: bytes. Raises ``NotTaken``."""
    if len(raw) > at_most:
        raise NotTaken("oversize")
    if raw.startswith(_PICKLE):  # of python-socketio before 5.14; it is never looked into
        raise NotTaken("pickle")
    try:
        message = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        raise NotTaken("malformed") from None
    _check(message)
    try:
        return Emission(
            _channels(message.room),
            msgspec.json.encode(message.event),
            b"".join(b"," + msgspec.json.encode(each) for each in _arguments(message.data)),
            _several(message.skip_sid),
        )
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
        raise NotTaken("malformed") from None


def _check(message: _Message) -> None:
    if message.method != "emit":
        raise NotTaken("control")
    if message.namespace not in (None, "/"):
        raise NotTaken("namespace")
    if message.callback is not None:
        raise NotTaken("callback")
    if message.binary:
        raise NotTaken("binary")
    if not 0 < len(message.event) <= NAME_AT_MOST or message.event in OWN_EVENTS | RESERVED_EVENTS:
        raise NotTaken("name")


def _channels(room: str | list[str] | None) -> Sequence[str]:
    rooms = list(dict.fromkeys(_several(room)))
    if not 0 < len(rooms) <= CHANNELS_AT_MOST or None in map(parse_channel, rooms):
        raise NotTaken("room")
    return rooms


def _several(given: str | list[str] | None) -> Sequence[str]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else given


def _arguments(data: Any) -> Sequence[Any]:
    """The event's arguments: managers put them into a list, and None means that there are none."""
    if not isinstance(data, list):
        raise NotTaken("malformed")
    return () if data == [None] else data
