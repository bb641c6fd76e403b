"""Job channels whose queued events gave way because the client reads too slowly."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, Protocol

from config.logs import get_logger
from hub import metrics
from hub.delivery.message import Message, Reset
from hub.domain import codes

Summary = Callable[[str], Awaitable[Reset]]
"""Where a channel's log ends, with the job's snapshot. Raises ``HubError`` UNAVAILABLE."""

_KEPT_AT_MOST: Final = 1000
_RETRY: Final = 1.0
_PREFIX: Final = "job:"
_log = get_logger(__name__)


def gives_way(channel: str) -> bool:
    """Whether a snapshot replaces the channel's events; those of users, topics and all never give
    way (contract section 4)."""
    return channel.startswith(_PREFIX)


class Target(Protocol):
    """The connection that lags."""

    @property
    def reading(self) -> bool:
        """Whether its client has taken everything that was queued."""

    def send_reset(self, notice: Reset) -> None:
        """Sends the notice."""

    def deliver(self, messages: Sequence[Message]) -> None:
        """Sends events, as far as ``Lagging.pass_on`` lets it."""


class Lagging:
    """What a client has lost of each job channel is nothing that the job's snapshot does not tell.
    As soon as the client has read what else was queued, it gets one ``reset`` with the snapshot for
    each channel, and then what came after that.

    Live events are kept while the snapshot is being read, and dropped before that. Some that it
    covers may come even later: what is stored is delivered a moment after that.
    """

    __slots__ = ("_busy", "_channels", "_covered", "_summary", "_target")

    def __init__(self, target: Target, summary: Summary) -> None:
        self._target = target
        self._summary = summary
        self._channels: dict[str, list[Message] | None] = {}  # → what is kept
        self._covered: dict[str, int] = {}  # up to where a snapshot went, until delivery is there
        self._busy = False

    def __bool__(self) -> bool:
        return bool(self._channels or self._covered)

    def lags(self, channel: str) -> bool:
        """Whether the last event of a channel was not passed on: a reset stands for it."""
        return channel in self._channels or channel in self._covered

    def add(self, channels: Collection[str]) -> None:
        """Notes that events of these channels were dropped."""
        self._channels.update(dict.fromkeys(channels))

    def forget(self, channel: str) -> None:
        """The channel does not lag any more, or is not followed."""
        self._channels.pop(channel, None)
        self._covered.pop(channel, None)

    def pass_on(self, message: Message) -> bool:
        """Whether the next event of a channel is to be sent now; else it is kept, or dropped."""
        channel = message.channel
        if channel not in self._channels:
            covered = self._covered.get(channel, 0)
            if message.offset >= covered:
                self._covered.pop(channel, None)
            return message.offset > covered
        kept = self._channels[channel]
        if kept is not None and len(kept) < _KEPT_AT_MOST:
            kept.append(message)
        else:
            self._channels[channel] = None
        return False

    async def catch_up(self) -> None:
        """Sends what is due, as long as the client reads; harmless while it is doing so already."""
        if self._busy:
            return
        self._busy = True
        try:
            while self._channels and self._target.reading:
                await self._summarise(next(iter(self._channels)))
        finally:
            self._busy = False

    async def _summarise(self, channel: str) -> None:
        self._channels[channel] = []
        try:
            notice = await self._summary(channel)
        except codes.HubError as error:
            _log.warning("lagging.retry", channel=channel, error=error.code.name)
            await asyncio.sleep(_RETRY)
            return
        kept = self._channels.get(channel)
        if kept is None:  # it is not followed any more, or more came than is kept
            return
        del self._channels[channel]
        self._covered[channel] = notice.offset
        metrics.COALESCED.add()
        self._target.send_reset(notice)
        if kept:
            self._target.deliver(kept)
