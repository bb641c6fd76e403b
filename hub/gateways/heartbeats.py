"""The heartbeats of all sessions: the server pings, and a client that does not answer is gone."""

import asyncio
from typing import Final, Protocol

_GRAIN: Final = 0.001  # seconds; what falls due within it is done together


class Beating(Protocol):
    """A session as its heartbeat sees it."""

    def ping(self) -> None:
        """Sends a ping."""

    def timed_out(self) -> None:
        """There was no pong in time."""


class Heartbeats:
    """One timer for all sessions. They share ``interval`` and ``timeout`` (seconds, as announced to
    the clients), so those that fall due stand in the order in which they began to wait."""

    def __init__(self, interval: float, timeout: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._pings: dict[Beating, float] = {}  # → the time at which its ping is due
        self._pongs: dict[Beating, float] = {}  # → the time until which its pong is awaited
        self._timer: asyncio.TimerHandle | None = None

    def start(self, session: Beating) -> None:
        """Waits for the time of the next ping; also what a pong does."""
        self._pongs.pop(session, None)
        self._pings.pop(session, None)  # to the end
        due = self._pings[session] = asyncio.get_running_loop().time() + self._interval
        if self._timer is None or self._timer.when() > due + _GRAIN:
            self._set_timer()

    def stop(self, session: Beating) -> None:
        """No ping and no timeout from here on."""
        self._pings.pop(session, None)
        self._pongs.pop(session, None)
        if not (self._pings or self._pongs) and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def silent_for(self, session: Beating) -> float:
        """Seconds since ``start``; 0 for a session that is not waited for."""
        now = asyncio.get_running_loop().time()
        if (due := self._pings.get(session)) is not None:
            return now - (due - self._interval)
        if (due := self._pongs.get(session)) is not None:
            return now - (due - self._timeout - self._interval)
        return 0.0

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        fronts = [next(iter(waiting.values())) for waiting in (self._pings, self._pongs) if waiting]
        self._timer = loop.call_at(min(fronts) + _GRAIN, self._beat) if fronts else None

    def _beat(self) -> None:
        now = asyncio.get_running_loop().time()
        try:
            for session in _due(self._pongs, now):
                if _still_due(self._pongs, session, now):
                    del self._pongs[session]
                    session.timed_out()
            for session in _due(self._pings, now):
                if _still_due(self._pings, session, now):
                    # A late ping leaves less time for the pong, so that silence ends the session
                    # when it was announced to; but never less than half.
                    due = self._pings.pop(session)
                    self._pongs[session] = max(due + self._timeout, now + self._timeout / 2)
                    session.ping()
        finally:
            self._set_timer()


def _due(waiting: dict[Beating, float], now: float) -> list[Beating]:
    """Those in front whose time has come."""
    found = []
    for session, time in waiting.items():
        if time > now:
            break
        found.append(session)
    return found


def _still_due(waiting: dict[Beating, float], session: Beating, now: float) -> bool:
    """Whether none of those before it stopped it, or started it anew."""
    due = waiting.get(session)
    return due is not None and due <= now
