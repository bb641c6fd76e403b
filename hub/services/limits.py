"""How much anybody may do, counted over the whole cluster (contract sections 1 and 7).

The limits of one connection are in ``domain.allowance``: no node needs to ask for those.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from config.logs import get_logger
from config.settings import Settings
from config.trouble import Trouble
from config.values import Rate
from hub import metrics
from hub.broker.windows import Windows
from hub.domain import codes
from hub.services.patience import FAILURES

PATIENCE: Final = 0.2
"""Seconds that anybody waits to be counted; then it may be done without."""

_STEPS: Final = 4
_PAUSE: Final = 0.5  # seconds that Redis is not asked after it failed

_REMEMBERED: Final = 10_000  # users and addresses of which a node knows something
_BUNDLES: Final = 20  # in which a rate is reported
_FLOOD: Final = 5  # times what a period allows
_SLACK: Final = 0.005  # seconds: Redis counts in milliseconds
_log = get_logger(__name__)

What = Literal["connects", "user_commands", "publishes", "requests"]


class _Refused(NamedTuple):
    until: float
    times: int


class Limits:
    """Counts, and refuses what is too much: RATE_LIMITED with ``retryAfter``.

    While Redis is away nobody is refused for a rate: the connection's own limits hold on, and what
    costs Redis anything fails by itself. Who is refused is remembered here until there is room
    again, so a flood costs Redis nothing.
    """

    def __init__(
        self, settings: Settings, windows: Windows, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._windows = windows
        self._strategy = SlidingWindowCounterRateLimiter(windows)
        self._clock = clock
        self._items: dict[What, RateLimitItem] = {
            "connects": _item("connects", settings.rate_connects),
            "user_commands": _item("user_commands", settings.rate_user_commands),
            "publishes": _item("publishes", settings.rate_publishes),
            "requests": _item("requests", settings.rate_requests),
        }
        self._refused: OrderedDict[tuple[What, str], _Refused] = OrderedDict()
        self._unsaid: OrderedDict[tuple[What, str], tuple[int, float]] = OrderedDict()
        self._counting: set[asyncio.Task[bool]] = set()
        self._trouble = Trouble(_log, "limits.not_counted", "limits.counted_again")
        self._pause = 0.0  # until when Redis is not asked, after it failed

    async def run(self) -> None:
        """Counts until cancelled."""
        await self._windows.run()

    async def close(self) -> None:
        """Ends what is under way."""
        for task in self._counting:
            task.cancel()
        await asyncio.gather(*self._counting, return_exceptions=True)

    async def take(self, what: What, who: str, cost: int = 1) -> None:
        """Returns when ``who`` may do that; raises ``HubError``."""
        self._check(what, who)
        if not await self._wait_for(self._begin(what, who, cost)):
            self._check(what, who)

    def note(self, what: What, who: str) -> None:
        """The same for what is not worth a wait: it is counted while it is done, and who has done
        too much is refused the next time. Redis is told of a twentieth of the rate at a time, and
        of less than that in a whole period not at all. Raises ``HubError``."""
        self._check(what, who)
        item, now = self._items[what], self._clock()
        count, since = self._unsaid.pop((what, who), (0, now))
        if now - since > item.get_expiry():
            count, since = 0, now
        if (count + 1) * _BUNDLES >= item.amount:
            self._begin(what, who, count + 1)
        else:
            self._unsaid[what, who] = count + 1, since
            if len(self._unsaid) > _REMEMBERED:
                self._unsaid.popitem(last=False)

    def flooding(self, what: What, who: str) -> bool:
        """Whether so much was refused that no well-meaning client would go on."""
        found = self._refused.get((what, who))
        return found is not None and found.times > _FLOOD * self._items[what].amount

    def _check(self, what: What, who: str) -> None:
        """Raises when ``who`` was refused, and there can be no room yet."""
        found = self._refused.get((what, who))
        if found is None:
            return
        left = found.until - self._clock()
        if left <= 0:
            del self._refused[what, who]
            return
        self._refused[what, who] = found._replace(times=found.times + 1)
        metrics.LIMITED.add(1, what)
        raise codes.HubError(codes.RATE_LIMITED, retry_after=math.ceil(left * 1000) / 1000)

    async def _wait_for(self, counting: asyncio.Task[bool]) -> bool:
        """Whether it may be done; it may when that is not known in time. In steps: the time that a
        busy process does not get to read the answer is not Redis' time."""
        try:
            for _ in range(_STEPS):
                await asyncio.wait((counting,), timeout=PATIENCE / _STEPS)
                if counting.done():
                    return counting.result()
            self._failed(TimeoutError(f"no answer within {PATIENCE} s"))
            return True
        finally:
            counting.cancel()

    async def _count(self, what: What, who: str, cost: int) -> bool:
        """Whether it may be done."""
        if self._clock() < self._pause:
            return True
        item = self._items[what]
        cost = min(cost, item.amount)  # else it would never be allowed
        try:
            if await self._strategy.hit(item, who, cost=cost):
                self._trouble.worked()
                return True
            key, period = item.key_for(who), item.get_expiry()
            window = await self._windows.get_sliding_window(key, period)
        except FAILURES as error:
            self._failed(error)
            return True
        self._refused[what, who] = _Refused(self._clock() + _wait(item, cost, *window), 0)
        self._refused.move_to_end((what, who))
        while len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)
        return False

    def _failed(self, error: Exception) -> None:
        self._trouble.failed(error)
        self._pause = self._clock() + _PAUSE

    def _begin(self, what: What, who: str, cost: int) -> asyncio.Task[bool]:
        task = asyncio.get_running_loop().create_task(self._count(what, who, cost))
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)
        return task


def _wait(
    item: RateLimitItem, cost: int, last: int, last_left: float, now: int, now_left: float
) -> float:
    """Seconds until there is room for ``cost`` more. What the last window counted fades away while
    this one lasts, of which ``now_left`` is left, and a whole window."""
    period, room = item.get_expiry(), item.amount - cost
    if now <= room:  # enough of the last window has to fade away
        return _SLACK + max(0.0, last_left - (room - now + 1) * period / last if last else 0.0)
    left = max(0.0, now_left - period)
    return _SLACK + left + max(0.0, period - (room + 1) * period / now)


def _item(name: str, rate: Rate) -> RateLimitItem:
    return RateLimitItemPerSecond(rate.amount, rate.seconds, namespace=name)
