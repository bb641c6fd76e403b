"""Tails: what happens to the events of a user or a job, shown while it happens."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker.connect import honour_cancellation
from hub.broker.control import Control, Later
from hub.broker.records import Records
from hub.broker.traces import WATCH, TraceStore
from hub.domain import codes
from hub.services.admin.cluster import Cluster
from hub.services.admin.orders import TAILS
from hub.services.patience import FAILURES, patiently
from hub.services.tracing import Tracer

AT_MOST: Final = 20
"""Channels that this node's administrators watch at a time."""

_EVERY: Final = 0.2  # seconds
_RENEW: Final = WATCH / 3
_log = get_logger(__name__)

Show = Callable[[Any], None]


class Tails:
    """The tails that administrators on this node have. Without ``run`` nothing is shown."""

    def __init__(
        self, store: TraceStore, control: Control, cluster: Cluster, tracer: Tracer
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._shows: dict[str, dict[object, Show]] = {}
        self._places: dict[str, bytes] = {}
        self._wake = asyncio.Event()
        self._steps: Records[dict[str, Any]] = Records("tail", dict)
        self._tracer = tracer
        self._trouble = Trouble(_log, "tails.held_up", "tails.go_on")
        control.on(TAILS, self._look_up)

    async def begin(self, owner: object, channel: str, show: Show) -> None:
        """Has ``show`` called with each step from now on; returns once every node notes them (the
        workers do within a second). Raises ``HubError``."""
        if channel not in self._shows and len(self._shows) >= AT_MOST:
            raise codes.HubError(codes.CONFLICT, f"this node watches {AT_MOST} already")
        async with patiently():
            if channel not in self._places:
                self._places[channel] = await self._store.tail_end(channel)
            self._shows.setdefault(channel, {})[owner] = show
            self._wake.set()
            await self._store.watch([channel])
            await self._cluster.ask(TAILS, None)

    def end(self, owner: object, channel: str | None = None) -> None:
        """Shows ``owner`` no more of a channel, of any when none is given. It is watched a few
        seconds longer."""
        for name in [channel] if channel is not None else list(self._shows):
            shows = self._shows.get(name, {})
            shows.pop(owner, None)
            if not shows:
                self._shows.pop(name, None)
                self._places.pop(name, None)

    async def run(self) -> None:
        """Shows and renews, until cancelled."""
        loop, due = asyncio.get_running_loop(), 0.0
        while True:
            honour_cancellation()
            if not self._shows:
                self._wake.clear()
                await self._wake.wait()
            try:
                if loop.time() >= due:
                    due = loop.time() + _RENEW
                    await self._store.watch(list(self._shows))
                await self._show()
            except FAILURES as error:
                self._trouble.failed(error)
            else:
                self._trouble.worked()
            await asyncio.sleep(_EVERY)

    async def _show(self) -> None:
        for channel, place in list(self._places.items()):
            for at, raw in await self._store.tail(channel, place):
                if channel not in self._places:
                    break
                self._places[channel] = at
                step = self._steps.read(raw, channel)
                for show in list(self._shows.get(channel, {}).values()):
                    if step is not None:
                        show(step)

    async def _look_up(self, body: bytes) -> Later:
        del body
        return Later(self._tracer.look_up)
