"""Binary Engine.IO packets in a polling payload: base64 behind a ``b``."""

import base64

from engineio import exceptions

from hub.delivery.frames import Binary


def encode(packet: bytes) -> bytes:
    """How a packet travels in a payload."""
    return b"b" + base64.b64encode(packet) if isinstance(packet, Binary) else packet


def decode(text: str) -> Binary:
    """Reads what follows the ``b``; raises ``EngineIOError`` if that is no base64."""
    try:
        return Binary(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise exceptions.EngineIOError("not base64") from error
