"""The audit trail: who did what, when, and what came of it."""

import asyncio
from collections import deque
from typing import Any, Final

from config.logs import get_logger
from config.trouble import Trouble
from config.values import Rate
from hub import metrics
from hub.broker.connect import honour_cancellation
from hub.domain.allowance import Allowance
from hub.domain.patience import PATIENCE
from hub.services.patience import FAILURES, patiently
from hub.stores.audit import Audit, Record, record

_WAITING_AT_MOST: Final = 1000
_STRANGERS: Final = Rate(60, 60)
_NOBODY: Final = "?"
_RETRY: Final = 1.0
_log = get_logger(__name__)


class Trail:
    """Records what was done. An administrator must be able to act while MongoDB is away: what
    cannot be stored is in the log, and is stored when that is possible; of so many the oldest give
    way, and only the log has them. Without ``run`` nothing is tried again."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._waiting: deque[Record] = deque()
        self._wake = asyncio.Event()
        self._trouble = Trouble(_log, "audit.not_stored", "audit.stored")
        self._strangers = Allowance(_STRANGERS)

    async def add(
        self,
        actor: str,
        action: str,
        target: str,
        outcome: str,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Records one thing; returns once it is stored, or kept for later."""
        one = record(actor, action, target, outcome, details)
        _log.info("admin.did", actor=actor, action=action, target=target, outcome=outcome)
        if self._waiting:  # MongoDB is away: nobody has to find that out anew
            self._keep(one)
            return
        try:
            async with asyncio.timeout(_RETRY):
                await self._audit.insert(one)
        except FAILURES as error:
            self._trouble.failed(error)
            self._keep(one)

    async def turned_away(self, user_id: str | None, action: str, address: str, code: str) -> None:
        """Records that somebody was not let in; ``user_id``: None when nobody knows who. Anybody
        can try, so of more than some a minute only the log has them."""
        actor = _NOBODY if user_id is None else user_id
        if self._strangers.take(asyncio.get_running_loop().time()):
            await self.add(actor, action, f"address:{address}", code)
        else:
            metrics.LIMITED.add(1, "audit_strangers")
            _log.warning("admin.refused", actor=actor, action=action, address=address, reason=code)

    async def page(self, before: str | None, limit: int) -> list[Record]:
        """As ``Audit.page``. Raises ``HubError`` UNAVAILABLE."""
        async with patiently():
            return await self._audit.page(before, limit)

    async def run(self) -> None:
        """Stores what could not be stored at once, until cancelled."""
        while True:
            honour_cancellation()
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await asyncio.sleep(_RETRY)
                await self._store(list(self._waiting))

    async def close(self) -> None:
        """Stores what still waits, if that is possible at once. To be called when ``run`` has
        ended."""
        try:
            async with asyncio.timeout(PATIENCE):
                if self._waiting:
                    await self._store(list(self._waiting))
        except TimeoutError as error:
            self._trouble.failed(error)
        if self._waiting:
            _log.warning("audit.lost", records=len(self._waiting))

    def _keep(self, one: Record) -> None:
        if len(self._waiting) >= _WAITING_AT_MOST:
            metrics.LIMITED.add(1, "audit_waiting")
            self._waiting.popleft()
        self._waiting.append(one)
        self._wake.set()

    async def _store(self, records: list[Record]) -> None:
        try:
            await self._audit.insert(*records)
        except FAILURES as error:
            self._trouble.failed(error)
            return
        self._trouble.worked()
        stored = {one.id for one in records}
        while self._waiting and self._waiting[0].id in stored:
            self._waiting.popleft()
