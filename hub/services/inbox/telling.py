"""Telling a user's devices that what the inbox receives was changed."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from hub.broker.journal import Journal
from hub.domain.publications import InboxChanged
from hub.stores.untold import Untold

AT_ONCE: Final = 100
"""Changes that are told late in one go."""

LATE: Final = timedelta(seconds=10)
"""After which whoever made a change does not tell of it any more: longer than anybody waits."""


class Telling:
    """Changes and tells, so that nothing is changed that nobody is ever told of: what was not told
    when it was changed is told by ``rest``. It may be told of a change that did not come to
    anything, or of one twice: that has the same id, so it is one event."""

    def __init__(self, untold: Untold, journal: Journal) -> None:
        self._untold = untold
        self._journal = journal

    async def change(self, told: InboxChanged, make: Callable[[], Awaitable[bool]]) -> bool:
        """Makes a change and tells of it; False if ``make`` says that it is none. Raises
        ``PyMongoError``, ``RedisError``; the change may be made nevertheless, and is told then."""
        await self._untold.note(told)
        made = await make()
        if made:
            await self._journal.append([told])
        await self._untold.forget([str(told.id)])
        return made

    async def rest(self, now: datetime) -> int:
        """Tells of the first ``AT_ONCE`` changes that should have been told by ``now``; how many
        these are. Raises ``PyMongoError``, ``RedisError``."""
        waiting = await self._untold.older_than(now - LATE, AT_ONCE)
        if waiting:
            await self._journal.append(waiting)
            await self._untold.forget([str(each.id) for each in waiting])
        return len(waiting)
