"""Who is connected to this node, by whatever door, and how long each may stay: until the token has
expired, nothing happened for too long, or an order sends it away (contract sections 2, 4 and 9)."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from typing import Final, Protocol

from config.logs import get_logger
from config.trouble import Trouble
from hub import metrics
from hub.broker.attendance import Attendance
from hub.broker.connect import honour_cancellation
from hub.broker.orders import OrderBook
from hub.broker.records import UNREADABLE
from hub.domain import codes
from hub.domain.channels import job_channel
from hub.domain.principal import Principal
from hub.domain.standing import Kept, Kick, Lift, LookUp, Order, Standing, decode_order
from hub.services.patience import FAILURES, patiently
from hub.services.wheel import GRAIN, Wheel

WARNED_BEFORE: Final = 60.0
"""Seconds before a token's expiry at which its holder is told."""

EXPIRED_FOR: Final = 25.0
"""Seconds beyond its token's expiry that a connection lives."""

_LOOKS: Final = 60  # in the time after which somebody is idle
_PRUNE: Final = 60.0
_READ_AGAIN: Final = 0.2
_COME_BACK: Final = 10.0
_log = get_logger(__name__)


class Guest(Protocol):
    """A connection, as the node sees it. Nothing here may block or raise."""

    @property
    def principal(self) -> Principal:
        """Whose it is."""

    @property
    def sid(self) -> str:
        """Its name."""

    @property
    def follows_now(self) -> Collection[str]:
        """The channels."""

    @property
    def activity(self) -> object:
        """Differs from what it was whenever the client sent a command or was sent an event."""

    def warn(self) -> None:
        """The token is about to expire."""

    def send_away(self, code: codes.Code, message: str | None, retry_after: float | None) -> None:
        """Tells the client why, as far as that can be told, and ends the connection."""


class Stay:
    """One guest's time here, from asking to come in until ``Guests.leave``."""

    __slots__ = ("active_at", "activity", "allowed", "guest", "principal", "refusal", "warned")

    def __init__(self, principal: Principal, allowed: asyncio.Future[bool]) -> None:
        self.principal = principal
        self.allowed = allowed
        self.guest: Guest | None = None  # while it comes in
        self.refusal: codes.HubError | None = None
        self.activity: object = None
        self.active_at = 0.0
        self.warned = False


class Guests:
    """The guests of a node: at most ``limit``. ``idle_after``: seconds. The clocks: one that goes
    on, and one that tells the time; both in seconds.

    Promises: nobody is let in whom an order keeps out that was given before, and whoever is in when
    it is heard is sent away in the same turn of the event loop. There is one wheel for all of them.
    """

    def __init__(
        self,
        attendance: Attendance,
        book: OrderBook,
        *,
        limit: int,
        idle_after: float,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._attendance = attendance
        self._book = book
        self._limit = limit
        self._idle_after = idle_after
        self._look_every = idle_after / _LOOKS
        self._clock = clock
        self._wall = wall
        self._stays: dict[str, list[Stay]] = {}
        self._count = 0
        grain = min(GRAIN, self._look_every)
        self._wheel: Wheel[Stay] = Wheel(clock(), grain)
        self._pause = max(grain, 0.01)
        self._standing = Standing()
        self._known = asyncio.Event()
        self._stale = asyncio.Event()
        self._stale.set()
        self._heard: list[Order] | None = None  # while what is kept is being read
        self._trouble = Trouble(_log, "standing.not_read", "standing.read")

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Guest]:
        """Those who are in."""
        for stays in list(self._stays.values()):
            for stay in stays:
                if stay.guest is not None:
                    yield stay.guest

    @property
    def standing(self) -> Standing:
        """Who is banned, and what is revoked, as this node knows it."""
        return self._standing

    # -- coming and going -------------------------------------------------------------------------

    async def check(self, who: Principal) -> None:
        """Raises ``HubError`` for somebody who is banned or whose token was revoked. A round trip
        is made by nobody; only a node that has just started waits until it knows."""
        if not self._known.is_set():
            async with patiently():
                await self._known.wait()
        refusal = self._standing.refusal(who, self._wall())
        if refusal is not None:
            raise refusal

    async def arrive(self, who: Principal) -> Stay:
        """Begins a stay, which has to be ended by ``leave`` in any case. What Redis is asked of it
        is on its way when this returns; ``settle`` has the answer. Raises ``HubError``, and then
        there is no stay."""
        await self.check(who)
        if self._count >= self._limit:
            metrics.LIMITED.add(1, "connections_per_node")
            raise codes.HubError(
                codes.TOO_MANY_CONNECTIONS, "the node is full", retry_after=_COME_BACK
            )
        stay = Stay(who, self._attendance.come(who.user_id))
        self._stays.setdefault(who.user_id, []).append(stay)
        self._count += 1
        return stay

    async def settle(self, stay: Stay) -> None:
        """Returns once it is certain that the stay is allowed; raises ``HubError`` if not."""
        async with patiently():
            allowed = await stay.allowed
        if not allowed:
            metrics.LIMITED.add(1, "connections_per_user")
            raise codes.HubError(
                codes.TOO_MANY_CONNECTIONS,
                "the user has all the connections that one may have",
                retry_after=_COME_BACK,
            )
        if stay.refusal is not None:
            raise stay.refusal

    def enter(self, stay: Stay, guest: Guest) -> None:
        """The guest is in, and was told so. If it was refused since ``settle``, it goes at once."""
        stay.guest, stay.activity = guest, guest.activity
        stay.active_at = self._clock()
        self._wheel.set(stay, stay.active_at)
        if stay.refusal is not None:
            self._send_away(stay, stay.refusal)

    def turn_back(self, user_id: str, refusal: codes.HubError) -> int:
        """Refuses those of a user who are coming in; how many that were."""
        coming = [stay for stay in self._stays.get(user_id, []) if stay.guest is None]
        for stay in coming:
            stay.refusal = refusal
        return len(coming)

    def leave(self, stay: Stay) -> None:
        """It is gone; harmless when that is known."""
        stays = self._stays.get(stay.principal.user_id, [])
        if stay not in stays:
            return
        stays.remove(stay)
        if not stays:
            del self._stays[stay.principal.user_id]
        self._count -= 1
        self._wheel.drop(stay)
        stay.guest = None
        stay.allowed.cancel()
        self._attendance.go(stay.principal.user_id)

    def renew(self, stay: Stay, who: Principal) -> None:
        """The same user has another token from now on."""
        stay.principal, stay.warned = who, False
        self._check_again([stay])
        if stay.guest is not None:
            self._wheel.set(stay, self._clock())

    # -- time -------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Looks after those whose time has come."""
        self._wheel.turn(self._clock(), self._look_after)

    def _look_after(self, stay: Stay) -> None:
        guest, now = stay.guest, self._clock()
        if guest is None:
            return
        if guest.activity != stay.activity:
            stay.activity, stay.active_at = guest.activity, now
        left = stay.principal.expires_at.timestamp() - self._wall()
        if left <= -EXPIRED_FOR:
            self._send_away(stay, codes.HubError(codes.TOKEN_EXPIRED))
            return
        if now >= stay.active_at + self._idle_after:
            self._send_away(stay, codes.HubError(codes.IDLE_TIMEOUT))
            return
        if left <= WARNED_BEFORE and not stay.warned:
            stay.warned = True
            guest.warn()
            stay.activity = guest.activity
        wait = left + EXPIRED_FOR if stay.warned else left - WARNED_BEFORE
        idle_in = stay.active_at + self._idle_after - now
        self._wheel.set(stay, now + min(wait, idle_in, self._look_every))

    # -- orders -----------------------------------------------------------------------------------

    def hear(self, messages: Collection[bytes]) -> None:
        """Carries out orders; from the live connection."""
        for raw in messages:
            try:
                order = decode_order(raw)
            except UNREADABLE as error:  # of a later version of the hub
                _log.warning("orders.unknown", error=str(error))
            else:
                self._obey(order)

    def look_up(self) -> None:
        """Orders may have been missed: reads what is kept, and looks at everybody again."""
        self._stale.set()

    def _obey(self, order: Order) -> None:
        if isinstance(order, LookUp):
            self._stale.set()
        elif isinstance(order, Kick):
            refusal = codes.HubError(codes.KICKED, order.message)
            for stay in self._targets(order):
                self._refuse(stay, refusal)
        else:
            self._standing.take(order)
            if self._heard is not None:
                self._heard.append(order)
            if not isinstance(order, Lift):
                user = order.user_id
                self._check_again(self._all() if user is None else self._stays.get(user, []))

    def _targets(self, kick: Kick) -> list[Stay]:
        stays = self._all() if kick.user_id is None else list(self._stays.get(kick.user_id, []))
        if kick.user_id is not None:
            return stays
        inside = [(stay, stay.guest) for stay in stays if stay.guest is not None]
        if kick.sid is not None:
            return [stay for stay, guest in inside if guest.sid == kick.sid]
        channel = job_channel(kick.job_id or "")
        return [stay for stay, guest in inside if channel in guest.follows_now]

    def _all(self) -> list[Stay]:
        return [stay for stays in self._stays.values() for stay in stays]

    def _check_again(self, stays: Collection[Stay]) -> None:
        now = self._wall()
        for stay in list(stays):
            if (refusal := self._standing.refusal(stay.principal, now)) is not None:
                self._refuse(stay, refusal)

    def _refuse(self, stay: Stay, refusal: codes.HubError) -> None:
        stay.refusal = refusal
        if stay.guest is not None:
            self._send_away(stay, refusal)

    @staticmethod
    def _send_away(stay: Stay, why: codes.HubError) -> None:
        if stay.guest is not None:
            stay.guest.send_away(why.code, why.message, why.retry_after)

    # -- running ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serves until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ticking())
            tasks.create_task(self._reading())
            tasks.create_task(self._pruning())

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            self.tick()

    async def _reading(self) -> None:
        """Reads what is kept, whenever it may differ from what is known."""
        while True:
            honour_cancellation()
            await self._stale.wait()
            self._stale.clear()
            self._heard = []
            try:
                kept = await self._book.read()
            except FAILURES as error:
                self._trouble.failed(error)
                self._stale.set()
                await asyncio.sleep(_READ_AGAIN)
                continue
            finally:
                heard, self._heard = self._heard, None
            self._trouble.worked()
            self._standing.replace(kept)
            for order in heard:
                if not isinstance(order, Kick | LookUp):
                    self._standing.take(order)
            self._known.set()
            self._check_again(self._all())

    async def _pruning(self) -> None:
        """Forgets what is in force no more."""
        while True:
            honour_cancellation()
            await asyncio.sleep(_PRUNE)
            await self.prune()

    async def prune(self) -> None:
        """Forgets the bans that are over, and the revocations of tokens that have expired."""
        now = self._wall()
        over: dict[str, Kept] = {name: kept for name, kept in self._standing if kept.until <= now}
        for name in over:
            self._standing.forget(name)
        try:
            await self._book.forget(over)
        except FAILURES as error:
            _log.warning("standing.not_pruned", error=repr(error))
