"""How long a caller waits for what a store does not give."""

from typing import Final

PATIENCE: Final = 1.8
"""Seconds that anybody waits for a store: with all that is around it, an answer takes no more than
two."""

COME_BACK: Final = 2
"""Seconds after which a caller that was refused for want of a store is asked to try again."""
