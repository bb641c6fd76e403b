"""Asking again whether those who follow a job may (rule RN10.05.1): a permission can be taken away
while a stream is open, and a job that has ended is not kept for good."""

import asyncio
from typing import Final, Protocol, runtime_checkable

from config.logs import get_logger
from config.trouble import Trouble
from hub.domain import codes
from hub.domain.channels import Kind, parse_channel
from hub.domain.principal import Principal
from hub.services.channels import Channels, Follower
from hub.services.following import Following
from hub.services.jobs import Jobs
from hub.stores.heads import Head

PERIOD: Final = 10.0
"""Seconds between two looks at everybody."""

_AT_ONCE: Final = 64  # questions under way; those of one moment share a read
_log = get_logger(__name__)


@runtime_checkable
class Guarded(Follower, Protocol):
    """A connection that follows jobs in the name of somebody."""

    @property
    def principal(self) -> Principal:
        """Whose permissions count; those of the newest token."""

    def revoked(self, channel: str, code: codes.Code) -> None:
        """It does not follow the job any more: it may not, or the job is not kept any more. Must
        neither block nor raise."""


class Rechecks:
    """Asks what was asked when they joined (``Jobs.verdicts``), for all jobs that are followed on
    this node. What cannot be answered now takes nothing from anybody, and is asked again."""

    def __init__(self, jobs: Jobs, channels: Channels, following: Following) -> None:
        self._jobs = jobs
        self._channels = channels
        self._following = following
        self._asking = asyncio.Semaphore(_AT_ONCE)
        self._trouble = Trouble(_log, "rechecks.unanswered", "rechecks.answered")

    async def run(self) -> None:
        """Asks every ``PERIOD`` until cancelled."""
        while True:
            await asyncio.sleep(PERIOD)
            await self.everybody()

    async def everybody(self) -> None:
        """Asks for all who follow a job here."""
        pairs = [
            (each, channel)
            for channel in self._following.names(f"{Kind.JOB}:")
            for each in self._following.followers(channel)
            if isinstance(each, Guarded)
        ]
        while pairs:
            some, pairs = pairs[:_AT_ONCE], pairs[_AT_ONCE:]
            await asyncio.gather(*(self._ask(each, channel) for each, channel in some))

    async def _ask(self, connection: Guarded, name: str) -> None:
        channel = parse_channel(name)
        if channel is None:
            return
        async with self._asking:
            try:
                (verdict,) = await self._jobs.verdicts(connection.principal, [channel.subject])
            except codes.HubError as error:
                self._trouble.failed(error)
                return
        self._trouble.worked()
        if not self._still_follows(connection, name):
            return
        if isinstance(verdict, Head):
            if verdict.job is not None and verdict.job.ended:
                self._channels.needs_no_slot(connection, name)
        else:
            _log.info("rechecks.revoked", channel=name, code=verdict.code.name)
            self._channels.unsubscribe(connection, name)
            connection.revoked(name, verdict.code)

    def _still_follows(self, connection: Guarded, channel: str) -> bool:
        return any(each is connection for each in self._following.followers(channel))
