"""Events: what a channel's log holds and every transport carries (contract section 3)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hub.domain import codes, times
from hub.domain.versions import CURRENT


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a channel's log: everything up to and including ``offset`` of ``epoch``."""

    epoch: str
    offset: int


def position_told(epoch: str | None, offset: int | None) -> Position | None:
    """The position that a client says it has, by whichever door; None when it says nothing. Raises
    INVALID_REQUEST for half of one; offset 0 needs no epoch, it is the beginning of any log."""
    if offset is None:
        if epoch is not None:
            raise codes.invalid("offset", "is needed beside an epoch")
        return None
    if epoch is None and offset > 0:
        raise codes.invalid("epoch", "is needed beside an offset")
    return Position(epoch or "", offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of a channel's log. ``offset`` rises by exactly 1 within an ``epoch``."""

    id: str
    channel: str
    epoch: str
    offset: int
    type: str
    data: dict[str, Any]
    timestamp: datetime
    job_id: str | None = None
    progress: dict[str, Any] | None = None

    @property
    def position(self) -> Position:
        """Its place in the log."""
        return Position(self.epoch, self.offset)

    def encode(self) -> bytes:
        """The envelope as JSON: the same bytes for every client on every transport."""
        return msgspec.json.encode(
            _Envelope(
                v=CURRENT,
                id=self.id,
                channel=self.channel,
                epoch=self.epoch,
                offset=self.offset,
                type=self.type,
                job_id=UNSET if self.job_id is None else self.job_id,
                data=self.data,
                progress=UNSET if self.progress is None else self.progress,
                timestamp=times.wire(self.timestamp),
            )
        )


class _Envelope(Struct, frozen=True, rename="camel"):
    """The wire's order of fields."""

    v: int
    id: str
    channel: str
    epoch: str
    offset: int
    type: str
    job_id: str | UnsetType
    data: dict[str, Any]
    progress: dict[str, Any] | UnsetType
    timestamp: str


class Encoded(Struct, frozen=True, gc=False):
    """An event as it travels between processes: its place in the log and its envelope."""

    offset: int
    envelope: bytes
