"""Who sees what feeds pass on: it is counted here, once per batch however many clients get it."""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from hub import metrics
from hub.delivery.members import Subscriber
from hub.delivery.message import Message

_STAMP: Final = slice(-26, -2)
"""Where an envelope has its time, which stands last: ``…"2026-01-28T10:15:30.123Z"}``."""

Look = Callable[[Sequence[Message], Collection[Subscriber]], None]


class Witness:
    """Counts. ``look``: who wants to see the events themselves, and whom they went to; None, as it
    is mostly, costs one comparison per batch."""

    look: Look | None = None

    def saw(self, messages: Sequence[Message], clients: int, told: Collection[Subscriber]) -> None:
        """Events were passed on to so many clients; ``told``: to whom, if anybody looks."""
        if clients:
            events = len(messages)
            metrics.EVENTS.by_labels[()] += events
            metrics.DELIVERIES.by_labels[()] += events * clients
            try:
                at = datetime.fromisoformat(messages[-1].envelope[_STAMP].decode())
            except ValueError:
                return
            metrics.LATENCY.observe(max(0.0, time.time() - at.timestamp()), times=events)
        if self.look is not None:
            self.look(messages, told)
