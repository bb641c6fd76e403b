"""How often somebody may do something."""

from config.values import Rate


class Allowance:
    """So much at once, and as much again in each period; what is not used does not add up."""

    __slots__ = ("_each", "_free_at", "_period")

    def __init__(self, rate: Rate) -> None:
        self._each = rate.seconds / rate.amount
        self._period = float(rate.seconds)
        self._free_at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is allowed at ``now`` (seconds, of any clock that goes on)."""
        free_at = max(self._free_at, now) + self._each
        if free_at - now > self._period + self._each / 2:
            return False
        self._free_at = free_at
        return True
