"""Acknowledgements, and the other payloads that several commands and events share."""

from collections.abc import Callable
from typing import Any, Protocol

from hub.domain import codes
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


def comes_back(code: codes.Code) -> bool:
    """Whether a client is to come back by itself. From being idle its user brings it back."""
    return code.retry and code is not codes.IDLE_TIMEOUT


def closing_fields(
    code: codes.Code, retry_after: float | None, message: str | None = None
) -> dict[str, Any]:
    """The payload of ``closing``."""
    fields: dict[str, Any] = {"code": code.name, "message": message or code.message}
    fields["reconnect"] = comes_back(code)
    if retry_after is not None:
        fields["retryAfter"] = retry_after
    return fields
