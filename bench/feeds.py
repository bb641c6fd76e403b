"""Feed files: events as the Redis commands that a publisher would have sent, made beforehand.

The load client plays them (``load/src/feed.h``), so that neither a publisher's own cost nor its
speed shows in what is measured: the process that delivers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_HEAD = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Record:
    """One Redis command and how many deliveries it causes."""

    command: tuple[bytes, ...]
    deliveries: int

    def encoded(self) -> bytes:
        """As it stands in a feed file."""
        parts = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in self.command)
        resp = b"*%d\r\n%b" % (len(self.command), parts)
        return _HEAD.pack(len(resp), self.deliveries) + resp


def write_feed(file: Path, records: Iterable[Record]) -> None:
    """Write a feed file."""
    with file.open("wb") as out:
        out.writelines(record.encoded() for record in records)


def read_feed(file: Path) -> Iterator[bytes]:
    """The commands of a feed file, as they go over the line."""
    with file.open("rb") as source:
        while head := source.read(_HEAD.size):
            size, _ = _HEAD.unpack(head)
            yield source.read(size)
