"""Records that another process wrote into Redis. It may be of another version of the hub, or be
none of ours: what cannot be read is passed over, and is never a reason to end."""

from typing import Final, Generic, TypeVar

import msgspec

from config.logs import get_logger

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding JSON raises."""

_NOTED_AT_MOST: Final = 1000
_log = get_logger(__name__)

Shape = TypeVar("Shape")


class Records(Generic[Shape]):
    """Reads JSON of one shape. ``kind``: what the log calls it."""

    def __init__(self, kind: str, shape: type[Shape]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(shape).decode
        self._unreadable: set[str] = set()

    def read(self, raw: bytes, whose: str) -> Shape | None:
        """The record; None for one that cannot be read. Of ``whose`` that is logged once, until
        there is one that can be."""
        try:
            found = self._decode(raw)
        except UNREADABLE as error:
            self._note(whose, error)
            return None
        self._unreadable.discard(whose)
        return found

    def _note(self, whose: str, error: Exception) -> None:
        if whose in self._unreadable:
            return
        if len(self._unreadable) >= _NOTED_AT_MOST:
            self._unreadable.clear()
        self._unreadable.add(whose)
        _log.warning("record.unreadable", kind=self._kind, whose=whose, error=str(error))
