"""How often clients may connect, from wherever they do (``HUB_RATE_CONNECTS``)."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from config.values import Rate
from hub import metrics
from hub.domain.allowance import Allowance
from hub.gateways.addresses import site
from hub.services.limits import Limits

_FREE: Final = 5  # times as many handshakes as connects: a stock client makes one or two for each
_ADDRESSES_AT_MOST: Final = 10_000


class Gate:
    """Counts by address.

    A connect is counted over the whole cluster where its client can be told (``RATE_LIMITED``, at
    every live door). Before that, an Engine.IO handshake costs a session of 45 s; those are counted
    by this node alone, more generously, and refused with a plain 429.
    """

    def __init__(
        self, limits: Limits, rate: Rate, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._handshakes = Rate(rate.amount * _FREE, rate.seconds)
        self._clock = clock
        self._allowances: OrderedDict[str, Allowance] = OrderedDict()

    async def take(self, address: str) -> None:
        """Returns when another one may connect from there; raises ``HubError``."""
        await self._limits.take("connects", site(address))

    def flooding(self, address: str) -> bool:
        """Whether so many were refused that no well-meaning client would go on."""
        return self._limits.flooding("connects", site(address))

    def let_in(self, address: str) -> bool:
        """Whether another handshake is answered."""
        whom = site(address)
        allowance = self._allowances.get(whom)
        if allowance is None:
            allowance = self._allowances[whom] = Allowance(self._handshakes)
            if len(self._allowances) > _ADDRESSES_AT_MOST:
                self._allowances.popitem(last=False)
        self._allowances.move_to_end(whom)
        allowed = allowance.take(self._clock())
        if not allowed:
            metrics.LIMITED.add(1, "handshakes")
        return allowed
