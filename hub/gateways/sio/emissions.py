"""Passing on what existing code emits through python-socketio's managers (contract section 8)."""

import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final

from config.logs import get_logger
from hub.delivery.feed import Subscriber
from hub.domain.emissions import NotTaken, parse_emission
from hub.gateways.sio.connection import Connection

_LOG_EVERY: Final = 60.0  # seconds
_log = get_logger(__name__)


class Emissions:
    """Takes managers' messages and delivers those that the hub takes to the Socket.IO connections
    that follow the channel here; so authorization was done when they joined it.

    ``followers``: who follows a channel now. ``at_most``: bytes of a message. ``dropped``: how many
    messages were not taken, by reason; logged once a minute at most.
    """

    def __init__(self, followers: Callable[[str], Collection[Subscriber]], at_most: int) -> None:
        self._followers = followers
        self._at_most = at_most
        self._logged = Counter[str]()
        self._log_at = 0.0
        self.dropped = Counter[str]()

    def hear(self, raw: bytes) -> None:
        """Takes one message."""
        try:
            emission = parse_emission(raw, at_most=self._at_most)
        except NotTaken as error:
            self.dropped[error.reason] += 1
            self._tell()
            return
        head = b"42[" + emission.name + emission.arguments + b',"'
        told = {
            follower: None
            for channel in emission.channels
            for follower in self._followers(channel)
            if isinstance(follower, Connection) and follower.client.sid not in emission.skipped
        }
        for connection in told:
            connection.relay(head)

    def _tell(self) -> None:
        now = time.monotonic()
        if now >= self._log_at:
            self._log_at = now + _LOG_EVERY
            _log.warning("emissions.dropped", **dict(self.dropped - self._logged))
            self._logged = self.dropped.copy()
