"""Logging what goes wrong for a while: a line when it begins and one when it is over, not one for
each attempt in between."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Any

import structlog


class Trouble:
    """Something that may fail again and again. ``begins`` and ``ends``: the events that are logged.

    What has several parts (partitions, channels) is in trouble from the first part that fails until
    the last one works again.
    """

    def __init__(self, log: structlog.stdlib.BoundLogger, begins: str, ends: str) -> None:
        self._log = log
        self._begins = begins
        self._ends = ends
        self._failing: set[Hashable] = set()
        self._since = 0.0

    def failed(self, error: object, part: Hashable = None, **fields: Any) -> None:
        """An attempt failed; ``fields`` are logged with it, if it is the first one."""
        if not self._failing:
            self._since = time.monotonic()
            reason = repr(error) if isinstance(error, BaseException) else error
            self._log.warning(self._begins, error=reason, **fields)
        self._failing.add(part)

    def worked(self, part: Hashable = None) -> None:
        """An attempt went well, or nobody tries that part any more."""
        if part not in self._failing:
            return
        self._failing.discard(part)
        if not self._failing:
            self._log.info(self._ends, seconds=round(time.monotonic() - self._since, 1))
