"""When something is due, for very many things at once: no timer of the event loop for each."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
GRAIN: Final = 0.25
"""Seconds: what is due within the same grain is taken together, at its end."""


class Wheel(Generic[Item]):
    """Items by the time at which they are due (seconds, of any clock that goes on). To set one
    costs a dictionary entry, and so does taking it off; a turn costs what is due in it."""

    def __init__(self, now: float, grain: float = GRAIN) -> None:
        self._grain = grain
        self._next = int(now / grain)  # the spoke that the next turn begins with
        self._spokes: dict[int, dict[Item, None]] = {}
        self._places: dict[Item, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def set(self, item: Item, at: float) -> None:
        """``item`` is due ``at`` that time, and at no other."""
        self.drop(item)
        place = self._places[item] = max(int(at / self._grain), self._next)
        self._spokes.setdefault(place, {})[item] = None

    def drop(self, item: Item) -> None:
        """It is not due any more; harmless when it is not."""
        place = self._places.pop(item, None)
        if place is None:
            return
        spoke = self._spokes[place]
        del spoke[item]
        if not spoke:
            del self._spokes[place]

    def turn(self, now: float, due: Callable[[Item], None]) -> None:
        """Takes off all that is due by ``now`` and hands it to ``due``, which may set it again."""
        end = int(now / self._grain)
        if end - self._next > len(self._spokes):  # the process was suspended, or nobody turned
            places = sorted(place for place in self._spokes if place < end)
        else:
            places = list(range(self._next, end))
        self._next = max(self._next, end)
        for place in places:
            for item in list(self._spokes.get(place, ())):
                if self._places.get(item) == place:
                    self.drop(item)
                    due(item)
