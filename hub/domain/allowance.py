"""How often somebody may do something."""

from typing import Final

from config.values import Rate

_FLOOD: Final = 5  # times what a period allows


class Allowance:
    """So much at once, and as much again in each period; what is not used does not add up.

    ``refused``: how many were refused since the last one that was allowed.
    """

    __slots__ = ("_each", "_free_at", "_period", "refused")

    def __init__(self, rate: Rate) -> None:
        self._each = rate.seconds / rate.amount
        self._period = float(rate.seconds)
        self._free_at = 0.0
        self.refused = 0

    @property
    def retry_after(self) -> float:
        """Seconds after a refusal until one more is allowed, at the latest."""
        return self._each

    @property
    def flooded(self) -> bool:
        """Whether so many were refused in a row that no well-meaning client would go on."""
        return self.refused * self._each > _FLOOD * self._period

    def take(self, now: float) -> bool:
        """Whether one more is allowed at ``now`` (seconds, of any clock that goes on)."""
        free_at = max(self._free_at, now) + self._each
        if free_at - now > self._period + self._each / 2:
            self.refused += 1
            return False
        self._free_at, self.refused = free_at, 0
        return True
