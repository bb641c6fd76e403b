"""What is noted of an event's way: which events, and which steps."""

from typing import Final, Literal
from zlib import crc32

from msgspec import UNSET, Struct, UnsetType

_ALL: Final = 1 << 32

StepKind = Literal["STORED", "ROUTED", "WRITTEN"]


class Step(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One step: stored by ingest, routed by a node, written to a socket. ``at``: ISO 8601; None of
    a write that has not happened. ``node``: who says so."""

    step: StepKind
    at: str | None
    channel: str
    type: str
    node: str
    sid: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    door: str | UnsetType = UNSET


class Sample:
    """Which events are traced, as a share of all: everybody who sees an event says the same."""

    __slots__ = ("_below",)

    def __init__(self, share: float) -> None:
        self._below = round(share * _ALL)

    def __bool__(self) -> bool:
        return self._below > 0

    def takes(self, event_id: bytes) -> bool:
        """Whether that one is."""
        return crc32(event_id) < self._below
