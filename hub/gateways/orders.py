"""Carrying out on this node what any node was asked to do with connections."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from heapq import nsmallest
from typing import Any, Final

import msgspec
from msgspec import UNSET

from config.logs import get_logger
from hub.broker.control import Control, Later
from hub.delivery.message import Notice
from hub.domain import codes, times
from hub.domain.channels import user_channel
from hub.gateways.presence import Presence
from hub.gateways.present import Present
from hub.services.admin.orders import (
    FIND,
    KICK,
    SAY,
    VIEWERS,
    Find,
    Found,
    Kick,
    Kicked,
    Say,
    Target,
    Viewers,
    is_meant,
)
from hub.services.bans import Bans
from hub.services.guests import Guests

_SLICE: Final = 0.005  # seconds at a time, of thousands of connections
_USERS_TOLD: Final = 1000
_RETRY: Final = 0.5  # seconds
_log = get_logger(__name__)


class Orders:
    """What is done with the connections of ``presence``, and with ``guests`` who are coming in.
    ``node``: the id of this one."""

    def __init__(self, presence: Presence, guests: Guests, bans: Bans, node: str) -> None:
        self._presence = presence
        self._guests = guests
        self._bans = bans
        self._node = node

    def register(self, control: Control) -> None:
        """Has ``control`` bring them here."""
        control.on(KICK, self.kick)
        control.on(FIND, self.find)
        control.on(SAY, self.say)
        control.on(VIEWERS, self.viewers)

    async def kick(self, body: bytes) -> Kicked | Later:
        """Ends connections, those of a user also while they come in; then bans their users, if that
        is wanted. Whoever comes back before the ban is in force is sent away by the ban."""
        order = msgspec.json.decode(body, type=Kick)
        code, users, count = codes.CATALOGUE[order.code], set[str](), 0
        if (user := order.target.user_id) is not None:
            refusal = codes.HubError(code, order.message, retry_after=order.retry_after)
            if count := self._guests.turn_back(user, refusal):
                users.add(user)
        async for each in self._meant(order.target):
            each.send_away(code, order.message, order.retry_after)
            count += 1
            users.add(each.principal.user_id)
        kicked = Kicked(count, sorted(users)[:_USERS_TOLD])
        if order.until is None or not users:
            return kicked
        return Later(partial(self._ban, order.until, users, order.message, kicked))

    async def _ban(
        self, until: float, users: set[str], message: str | None, kicked: Kicked
    ) -> Kicked:
        """``kicked``, once they are banned; tries as long as the ban would last."""
        while True:
            try:
                await self._bans.ban_until(until, users, message)
            except codes.HubError as error:
                if error.code is not codes.UNAVAILABLE:
                    raise
                _log.warning("orders.not_banned", users=len(users))
                await asyncio.sleep(_RETRY)
            else:
                return kicked

    async def find(self, body: bytes) -> list[Found]:
        """Lists connections."""
        order = msgspec.json.decode(body, type=Find)
        meant = [each async for each in self._meant(order.target) if each.sid > order.after]
        return [self._found(each) for each in nsmallest(order.limit, meant, key=lambda e: e.sid)]

    async def say(self, body: bytes) -> int:
        """Gives connections an event that no log has."""
        order = msgspec.json.decode(body, type=Say)
        notices, count = _Notices(order), 0
        async for each in self._meant(Target(channel=order.channel)):
            notice = notices.of(each.principal.user_id)
            count += notice is not None and each.tell(notice)
        return count

    async def viewers(self, body: bytes) -> list[str]:
        """Names the users who follow a channel."""
        order = msgspec.json.decode(body, type=Viewers)
        target = Target(channel=order.channel)
        return sorted({each.principal.user_id async for each in self._meant(target)})

    async def _meant(self, target: Target) -> AsyncIterator[Present]:
        """The connections that ``target`` means, between which others get their turn."""
        clock = asyncio.get_running_loop().time
        pause = clock() + _SLICE
        for each in list(self._presence):
            if is_meant(target, each.principal, each.sid, each.follows_now):
                yield each
            if clock() > pause:
                await asyncio.sleep(0)
                pause = clock() + _SLICE

    def _found(self, each: Present) -> Found:
        return Found(
            sid=each.sid,
            node=self._node,
            door=each.door,
            user_id=each.principal.user_id,
            address=each.address,
            channels=list(each.follows_now),
            connected_at=times.wire(times.from_ms(int(each.began * 1000))),
            outbox_bytes=each.outbox_bytes,
        )


class _Notices:
    """What is said to each: to all the same, or to each user on the user's own channel."""

    def __init__(self, order: Say) -> None:
        self._name = order.name
        self._everybody = Notice(order.name, bytes(order.envelope))
        self._users: frozenset[str] | None = None
        self._fields: dict[str, Any] = {}
        self._own: dict[str, Notice] = {}
        if order.users is not UNSET:
            self._users = frozenset(order.users)
            self._fields = msgspec.json.decode(order.envelope, type=dict[str, msgspec.Raw])

    def of(self, user: str) -> Notice | None:
        """What a connection of ``user`` is told, if anything."""
        if self._users is None:
            return self._everybody
        if user not in self._users:
            return None
        if user not in self._own:
            fields = self._fields | {"channel": user_channel(user)}
            self._own[user] = Notice(self._name, msgspec.json.encode(fields))
        return self._own[user]
