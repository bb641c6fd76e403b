"""Whether this node can do its work: the state of each store, and which have long been away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from config.logs import get_logger
from config.trouble import Trouble
from hub.broker.connect import honour_cancellation
from hub.domain.patience import PATIENCE
from hub.services.patience import FAILURES, unavailable

Check = Callable[[], Awaitable[object]]
"""Raises what a store raises that is away, or waits as long as it is."""

_EVERY: Final = 0.5  # seconds between questions
_EVERY_AWAY: Final = 0.1  # seconds, likewise, while there is no answer
_ONCE_MORE: Final = 0.2  # seconds for the answer after one that did not come
_log = get_logger(__name__)


class Health:
    """Asks every dependency, for at most ``PATIENCE``. ``watch``: whoever is not back for that is
    not back."""

    def __init__(self, checks: dict[str, Check], watch: "Watch") -> None:
        self._checks = checks
        self._watch = watch
        self.draining = False
        """Whether the node is about to stop, and wants no new clients."""

    async def state(self) -> dict[str, str]:
        """``{dependency: "ok" | what is wrong}``, all asked at once."""
        found = await asyncio.gather(*(_ask(check) for check in self._checks.values()))
        back = {name: "returning" if name in self._watch.away else "ok" for name in self._checks}
        return {
            name: back[name] if error is None else f"unreachable: {type(error).__name__}"
            for name, error in zip(self._checks, found, strict=True)
        }


class Watch:
    """Knows which stores have been away for a while, so that not everybody has to find it out by
    waiting. A store that is slow for a moment is not away."""

    def __init__(self, checks: dict[str, Check]) -> None:
        self._checks = checks
        self.away: set[str] = set()

    def require(self, *stores: str) -> None:
        """Raises ``HubError`` UNAVAILABLE while one of ``stores`` is known to be away; any, when
        none is given."""
        if self.away.intersection(stores) if stores else self.away:
            raise unavailable()

    async def run(self) -> None:
        """Watches until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, check in self._checks.items():
                tasks.create_task(self._watch(name, check))

    async def _watch(self, name: str, check: Check) -> None:
        trouble = Trouble(_log.bind(store=name), "store.away", "store.back")
        while True:
            honour_cancellation()  # PyMongo, too, may drop one as it connects
            error = await _ask(check)
            honour_cancellation()
            if error is not None and name not in self.away:  # or was it this process that slept?
                error = await _ask(check, _ONCE_MORE)
            if error is None:
                trouble.worked()
                self.away.discard(name)
            else:
                trouble.failed(error)
                self.away.add(name)
            await asyncio.sleep(_EVERY if error is None else _EVERY_AWAY)


async def _ask(check: Check, limit: float = PATIENCE) -> Exception | None:
    """What is wrong, if anything."""
    try:
        async with asyncio.timeout(limit):
            await check()
    except FAILURES as error:
        return error
    return None
