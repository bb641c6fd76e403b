"""Acknowledgements, and the other payloads that several commands and events share."""

from collections.abc import Callable
from typing import Any, Protocol

from hub.domain.events import Position


class Answer(Protocol):
    """Sends the acknowledgement of a command; exactly one of these is to be called, once."""

    def __call__(self, reply: dict[str, Any]) -> None:
        """Sends it behind what was sent before."""

    def in_turn(self, size: int, reply: Callable[[], dict[str, Any]]) -> None:
        """Likewise; ``reply`` is called when everything before it was handed to the transport, so
        it may say what the client has. ``size``: bytes, about."""


def ok(data: dict[str, Any]) -> dict[str, Any]:
    """``{ok: true, data}``"""
    return {"ok": True, "data": data}


def position_fields(channel: str, position: Position) -> dict[str, Any]:
    """``{channel, epoch, offset}``"""
    return {"channel": channel, "epoch": position.epoch, "offset": position.offset}
