"""The raw WebSocket door (contract section 6): one envelope per text message."""

import asyncio
from typing import Final

from hub import metrics
from hub.delivery.message import Message, Notice, Reset
from hub.domain import codes
from hub.domain.principal import Principal
from hub.gateways.allowance import Allowance
from hub.gateways.heartbeats import Heartbeats
from hub.gateways.stream import JobStream
from hub.gateways.streams import Streams
from hub.gateways.websocket import WebSocket

PING_EVERY: Final = 4.0
PONG_WITHIN: Final = 10.0
"""Seconds: a peer that is gone is found, and its slot free, within 14 s."""


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
        del retry_after, message  # a close frame has no place for them
        if self._websocket is not None:
            self._websocket.close(code.ws or 1011, code.name, wait=True)

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
