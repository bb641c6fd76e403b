"""The packets of Socket.IO protocol 5, as text (and attachments), strictly.

Why not python-socketio's ``Packet``: it takes ``42{}``, ``452-[…]`` without its attachments and a
placeholder of another packet's attachment, and keeps an unfinished binary event for ever.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from socketio import packet

from hub.delivery.frames import Binary

CONNECT: Final = packet.CONNECT
DISCONNECT: Final = packet.DISCONNECT
EVENT: Final = packet.EVENT
ACK: Final = packet.ACK
CONNECT_ERROR: Final = packet.CONNECT_ERROR

ATTACHMENTS_AT_MOST: Final = 10
"""Attachments of one packet, as the reference parser allows."""

_BINARY: Final = {EVENT: packet.BINARY_EVENT, ACK: packet.BINARY_ACK}
_TEXT: Final = {binary: text for text, binary in _BINARY.items()}
_HEADER: Final = re.compile(
    r"(?P<type>[0-6])(?:(?<=[56])(?P<attachments>[1-9][0-9]{0,2})-)?"
    r"(?:(?P<namespace>/[^,]*)(?:,|\Z))?(?P<id>[0-9]{1,18})?(?=[^0-9]|\Z)",
)


class BadPacket(ValueError):
    """Not a packet that a client may send; the protocol wants the connection closed."""


@dataclass(slots=True)
class Packet:
    """A packet of a client. ``type`` is the textual one of a binary packet; ``data`` of an EVENT is
    a list with at least the name, of an ACK a list, of a CONNECT an object or None."""

    type: int
    namespace: str
    ack_id: int | None
    data: Any
    missing: int = 0
    attachments: list[bytes] = field(default_factory=list)

    def drop(self) -> bool:
        """Takes no notice of the next attachment; True once none is to come."""
        self.missing -= 1
        return not self.missing

    def attach(self, attachment: bytes) -> bool:
        """Takes the next attachment; True once the packet is whole."""
        self.attachments.append(attachment)
        self.missing -= 1
        if self.missing:
            return False
        try:
            self.data = _filled(self.data, self.attachments)
        except RecursionError as error:
            raise BadPacket("nested too deep") from error
        return True


def decode(text: str) -> Packet:
    """Reads a packet's text; raises ``BadPacket``."""
    header = _HEADER.match(text)
    if header is None:
        raise BadPacket("no packet")
    kind = int(header["type"])
    binary = kind in _TEXT
    if binary != (header["attachments"] is not None):
        raise BadPacket("a binary packet says how many attachments follow")
    missing = int(header["attachments"] or 0)
    if missing > ATTACHMENTS_AT_MOST:
        raise BadPacket("too many attachments")
    kind = _TEXT.get(kind, kind)
    rest = text[header.end() :]
    data = _json(rest) if rest else None
    _check(kind, bool(rest), data)
    ack_id = None if header["id"] is None else int(header["id"])
    if ack_id is not None and kind in (CONNECT, DISCONNECT):
        raise BadPacket("an id without anything to acknowledge")
    namespace, _, _ = (header["namespace"] or "/").partition("?")  # a query belongs to the URL
    return Packet(kind, namespace, ack_id, data, missing)


def _check(kind: int, present: bool, data: Any) -> None:
    if kind == CONNECT:
        sound = not present or isinstance(data, dict)
    elif kind == DISCONNECT:
        sound = not present
    elif kind == EVENT:
        sound = isinstance(data, list) and bool(data) and _is_name(data[0])
    else:
        sound = kind == ACK and isinstance(data, list)
    if not sound:
        raise BadPacket(f"a packet of type {kind} has no such payload")


def _is_name(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadPacket("not JSON") from error


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _filled(data: Any, attachments: list[bytes]) -> Any:
    """``data`` with its placeholders replaced."""
    if isinstance(data, list):
        return [_filled(item, attachments) for item in data]
    if not isinstance(data, dict):
        return data
    if data.get("_placeholder") is not True:
        return {key: _filled(value, attachments) for key, value in data.items()}
    number = data.get("num")
    if type(number) is not int or not 0 <= number < len(attachments):
        raise BadPacket("a placeholder without its attachment")
    return attachments[number]


def encode(kind: int, prefix: bytes, ack_id: int | None, args: Any) -> list[bytes]:
    """The Engine.IO packets of an EVENT or ACK: its text, then its attachments if it holds bytes.
    ``prefix``: the namespace and its comma, empty for ``/``."""
    stripped, attachments = packet.Packet.deconstruct_binary(list(args))
    number = b"" if ack_id is None else b"%d" % ack_id
    body = prefix + number + msgspec.json.encode(stripped)
    if not attachments:
        return [b"4%d%b" % (kind, body)]
    head = b"4%d%d-%b" % (_BINARY[kind], len(attachments), body)
    return [head, *(Binary(each) for each in attachments)]
