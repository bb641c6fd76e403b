"""Connection state recovery: an unmodified Socket.IO client that returns gets what it missed
(contract section 4).

CONNECT gives the client the session's id (``pid``), every event a mark of where the client stands;
it sends both when it returns. The session is saved in such an order that a client that is told it
recovered has lost nothing, whatever died and whenever. In doubt it starts afresh, and is told so.
"""

import re
import secrets
from dataclasses import dataclass
from typing import Final

from config.logs import get_logger
from hub import metrics
from hub.broker.sessions import Leg, Sessions
from hub.domain import codes
from hub.domain.events import Position
from hub.domain.principal import Principal
from hub.domain.recovery import UNBEGUN, Roster, parse_itinerary, parse_mark
from hub.services.channels import Channels, Follower
from hub.services.following import Joined, Mode
from hub.services.patience import patiently

REPLAYED_AT_MOST: Final = 8 * 1024 * 1024
"""Bytes of missed events, of all channels together, that a return is answered with."""

_PID_BYTES: Final = 18
_PID: Final = re.compile(r"[A-Za-z0-9_-]{24}")
_log = get_logger(__name__)


class Session:
    """One connection's part in a recoverable session.

    ``roster`` is what the client was told of its channels, no more and no less, and is saved when
    it changes. A node may die between sending the acknowledgement of a change and saving it: so
    ``unsettle`` comes before it, and ``settle`` when the roster has the change.
    """

    __slots__ = (
        "_came_from", "_leg", "_sessions", "_unsettled", "_user_id", "pid", "restored", "roster",
    )  # fmt: skip

    def __init__(self, sessions: Sessions, user_id: str, pid: str, came_from: str | None) -> None:
        self.pid = pid
        self.roster = Roster()
        self.restored: dict[str, Position] = {}  # where it took up channels for its client
        self._sessions = sessions
        self._user_id = user_id
        self._came_from = came_from
        self._unsettled = 0
        self._leg = Leg(pid, self.roster.leg, self._content)

    def start(self) -> None:
        """The client was told of the session: from here on it is saved."""
        self.roster.on_change = self._save
        self._save()

    async def unsettle(self) -> None:
        """Returns once nobody can recover until ``settle``; each call needs one of that. Raises
        ``HubError`` UNAVAILABLE, and then it needs none."""
        self._unsettled += 1
        try:
            async with patiently():
                await self._sessions.saved(self._leg)
        except BaseException:
            self.settle()
            raise

    def settle(self) -> None:
        """What was to be told was told, and is in the roster."""
        self._unsettled -= 1
        self._save()

    def lose(self) -> None:
        """The connection broke; its client may come back."""
        if self._started:
            self._sessions.lose(self._leg)

    def end(self) -> None:
        """The client or the hub ended the connection in good order: nobody comes back to it."""
        if self._started:
            before = () if self._came_from is None else (self._came_from,)
            self._sessions.end(self._leg, *before)

    @property
    def over(self) -> bool:
        """Whether the connection was lost or ended."""
        return self._leg.lost

    @property
    def _started(self) -> bool:
        return self.roster.on_change is not None

    def _save(self) -> None:
        self._sessions.save(self._leg)

    def _content(self) -> bytes:
        if self._unsettled:
            return b""
        return self.roster.saved(self._user_id) or b""


@dataclass(frozen=True, slots=True)
class Return:
    """A client that has a session, and where it stands in each channel of that."""

    pid: str
    leg: str
    positions: dict[str, Position]


@dataclass(slots=True)
class Arrival:
    """What a new connection has joined, in order, with what it missed. ``topics``: those of its
    user as it arrived; later, those among them and in the store that are in one of both only."""

    joined: list[Joined]
    recovered: bool = False
    topics: frozenset[str] = frozenset()


class Recovery:
    """Begins sessions, and brings clients back to where they were."""

    def __init__(self, sessions: Sessions, followed: Channels) -> None:
        self._sessions = sessions
        self._channels = followed

    def begin(self, who: Principal, back: Return | None = None) -> Session:
        """A session for a new connection: a new one, or the one that the client is ``back`` in."""
        pid = secrets.token_urlsafe(_PID_BYTES) if back is None else back.pid
        came_from = None if back is None else back.leg
        return Session(self._sessions, who.user_id, pid, came_from)

    async def find(self, who: Principal, pid: object, offset: object) -> Return | None:
        """The session that a client of ``who`` claims; None when there is no such session of this
        user, or it does not go with the offset. Whatever the client sent, this does not raise, but
        for ``HubError`` UNAVAILABLE: a client that tries again later can still be recovered."""
        mark = parse_mark(offset)
        if mark is None or not isinstance(pid, str) or _PID.fullmatch(pid) is None:
            return None
        async with patiently():
            content = await self._sessions.load(pid, mark.leg)
        itinerary = parse_itinerary(content)
        if itinerary is None or itinerary.user_id != who.user_id:
            return None
        positions = itinerary.positions(mark)
        if positions is None:
            return None
        return Return(pid, mark.leg, positions)

    async def restore(self, who: Principal, subscriber: Follower, back: Return) -> Arrival | None:
        """Joins all channels of the session where the client stands in them. None, and nothing is
        joined then, unless ``who`` may read each of them and each log reaches back that far.
        Raises ``HubError`` UNAVAILABLE, and nothing is joined then either: later it may work."""
        try:
            joined = await self._rejoin(who, subscriber, back.positions)
            refusal = _shortfall(joined)
        except codes.HubError as error:
            self._leave(subscriber, back)
            if error.code is codes.UNAVAILABLE:
                raise
            refusal = error.code.name
        metrics.RECOVERIES.add(1, "recovered" if refusal is None else "refused")
        if refusal is None:
            return Arrival(joined, recovered=True)
        self._leave(subscriber, back)
        _log.info("recovery.refused", user_id=who.user_id, reason=refusal)
        return None

    def _leave(self, subscriber: Follower, back: Return) -> None:
        for name in back.positions:
            self._channels.unsubscribe(subscriber, name)

    async def _rejoin(
        self, who: Principal, subscriber: Follower, positions: dict[str, Position]
    ) -> list[Joined]:
        """Joins from each position. Where a log had not begun yet when that was saved, it is read
        from its beginning, and what the client has of it is left out."""
        since = {name: _readable(position) for name, position in positions.items()}
        joined = await self._channels.subscribe_all(who, subscriber, since)
        for each in joined:
            has = positions[each.channel].offset - since[each.channel].offset
            if has > len(each.events):
                each.mode = Mode.RESET
            each.events = each.events[has:]
        return joined


def _readable(position: Position) -> Position:
    return Position(UNBEGUN, 0) if position.epoch == UNBEGUN else position


def _shortfall(joined: list[Joined]) -> str | None:
    """Why these joins do not bring a client back to where it was; None if they do."""
    if any(each.mode is not Mode.REPLAYED for each in joined):
        return "the log does not reach back"
    if sum(len(event.envelope) for each in joined for event in each.events) > REPLAYED_AT_MOST:
        return "too much was missed"
    return None
