"""The heartbeat of one session: the server pings, a client that does not answer is gone."""

import asyncio
from collections.abc import Callable


class Heartbeat:
    """One timer, no task. ``interval`` and ``timeout`` in seconds, as announced to the client."""

    __slots__ = ("_due", "_interval", "_loop", "_lost", "_ping", "_timeout", "_timer")

    def __init__(
        self,
        interval: float,
        timeout: float,
        ping: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self._interval = interval
        self._timeout = timeout
        self._ping = ping
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Waits for the time of the next ping; also what a pong does."""
        self._due = self._loop.time() + self._interval
        self._restart(self._interval, self._send)

    def stop(self) -> None:
        """No ping and no timeout from here on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self) -> None:
        """Pings. A late ping leaves less time for the pong, so that silence ends the session when
        it was announced to; but never less than half."""
        late = self._loop.time() - self._due
        self._restart(max(self._timeout - late, self._timeout / 2), self._lost)
        self._ping()

    def _restart(self, delay: float, then: Callable[[], None]) -> None:
        self.stop()
        self._timer = self._loop.call_later(delay, then)
