"""WebSocket frames as a server sends them: unmasked and unfragmented (RFC 6455, section 5.2)."""

import zlib
from collections.abc import Iterator
from typing import Final

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_COMPRESSED: Final = 0x40  # the first reserved bit (RFC 7692, section 6)
_WORTH_COMPRESSING: Final = 1024  # bytes; below that the header and the time are not repaid
_FLUSH_MARK: Final = b"\x00\x00\xff\xff"  # ends a flushed block and is not sent


class Binary(bytes):
    """A message that travels in a binary frame; any other ``bytes`` are UTF-8 text."""


def header(size: int, opcode: int = TEXT) -> bytes:
    """What precedes ``size`` bytes of payload."""
    first = 0x80 | opcode
    if size < 126:
        return bytes((first, size))
    if size < 65_536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


def frame(message: bytes) -> bytes:
    """The one frame that carries ``message``."""
    opcode = BINARY if isinstance(message, Binary) else TEXT
    return header(len(message), opcode) + message


def unframe(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The frames that ``header`` and ``frame`` made, taken apart: each one's opcode and payload."""
    at = 0
    while at < len(data):
        opcode, size = data[at] & 0x0F, data[at + 1]
        at += 2
        if size >= 126:
            more = 2 if size == 126 else 8
            size = int.from_bytes(data[at : at + more], "big")
            at += more
        yield opcode, data[at : at + size]
        at += size


class Deflater:
    """Makes compressed frames. Every message is compressed by itself: a window that is kept from
    one message to the next would cost each connection a quarter of a megabyte.

    ``window_bits``: what the client asked for, 9 to 15.
    """

    __slots__ = ("_window_bits",)

    def __init__(self, window_bits: int = 15) -> None:
        self._window_bits = window_bits

    def frame(self, message: bytes) -> bytes:
        """As ``frame``, smaller if it is worth it."""
        if len(message) < _WORTH_COMPRESSING:
            return frame(message)
        compressor = zlib.compressobj(1, zlib.DEFLATED, -self._window_bits)
        packed = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
        packed = packed.removesuffix(_FLUSH_MARK)
        opcode = BINARY if isinstance(message, Binary) else TEXT
        return header(len(packed), opcode | _COMPRESSED) + packed
