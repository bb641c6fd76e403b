"""The raw WebSocket door (contract section 6): one envelope per text message."""

import asyncio
from typing import Any, Final

from hub import metrics
from hub.delivery.message import Message, Notice, Reset
from hub.domain import codes
from hub.domain.allowance import Allowance
from hub.domain.principal import Principal
from hub.gateways.heartbeats import Heartbeats
from hub.gateways.stream import JobStream
from hub.gateways.streams import Streams
from hub.gateways.websocket import WebSocket

PING_EVERY: Final = 4.0
PONG_WITHIN: Final = 10.0
"""Seconds: a peer that is gone is found, and its slot free, within 14 s."""

_REASON_AT_MOST: Final = 123  # bytes, of a close frame (RFC 6455 section 5.5)
CLOSE_REASON: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": r"^[A-Z_]+( retryAfter=[0-9]+(\.[0-9]+)?)?(: .*)?$",
    "description": "The code's name, the seconds after which to come back, and what an "
    f"administrator had to say, where there is any; cut at {_REASON_AT_MOST} bytes.",
    "examples": ["KICKED: go home", "BANNED retryAfter=60: not now"],
}
"""What ``close_reason`` gives, for documents."""


class RawSocket(JobStream):
    """One client, and the owner of its WebSocket. It says nothing; what it says is ignored."""

    def __init__(self, host: Streams, heartbeats: Heartbeats, who: Principal, channel: str) -> None:
        super().__init__(host, heartbeats, who, channel)
        self._websocket: WebSocket | None = None
        self._allowance = Allowance(host.rate)

    def open(self, websocket: WebSocket) -> None:
        """The handshake was answered."""
        self._websocket = websocket
        websocket.on_pong = self._alive
        self.begin(websocket)
        websocket.begin(self)  # last: it may have sent too much already

    door = "WEBSOCKET"

    def form(self, what: Message | Notice | Reset) -> bytes:
        return what.websocket

    def say_end(self) -> None:
        if self._websocket is not None:
            self._websocket.close(1000, wait=True)

    def say_closing(self, code: codes.Code, retry_after: float | None, message: str | None) -> None:
        if self._websocket is not None:
            reason = close_reason(code, retry_after, message)
            self._websocket.close(code.ws or 1011, reason, wait=True)

    def ping(self) -> None:
        if self._websocket is not None:
            self._websocket.ping()

    def _alive(self) -> None:
        if not self._over:
            self._heartbeats.start(self)

    def received(self, message: str | bytes) -> None:
        """Ignored, up to the rate limit."""
        del message
        if not self._allowance.take(asyncio.get_running_loop().time()):
            metrics.LIMITED.add(1, "messages")
            self.close(codes.RATE_LIMITED)

    def failed(self, code: int) -> None:
        """It broke the protocol; the line is closed by whoever found out."""
        del code
        self.leave()
        self._host.leaves(self)


def close_reason(code: codes.Code, retry_after: float | None, message: str | None) -> str:
    """What a close frame says beside its number, as far as there is room: the code's name, when to
    come back, and what somebody had to say. ``BANNED retryAfter=60: see you tomorrow``."""
    said = code.name
    if retry_after is not None:
        said += f" retryAfter={f'{retry_after:.2f}'.rstrip('0').rstrip('.')}"
    if message and message != code.message:
        said += ": " + " ".join(message.split())
    cut = said.encode(errors="replace")[:_REASON_AT_MOST]
    return cut.decode(errors="ignore")
