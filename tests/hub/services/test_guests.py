"""How long a guest may stay, by clocks of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from config.settings import Settings
from hub.broker.attendance import Attendance
from hub.broker.connect import open_redis
from hub.broker.keys import Keys
from hub.broker.orders import OrderBook
from hub.domain import codes
from hub.domain.principal import Principal, Role
from hub.domain.standing import Ban, Kick, Lift, LookUp, Order, Revocation, digest, encode_order
from hub.services.guests import Guests, Stay
from tests.support.wait import eventually

NOW = 1_800_000_000.0
IDLE = 1800.0


def who(user: str = "u1", left: float = 36_000, **fields: object) -> Principal:
    at = datetime.fromtimestamp(NOW + left, UTC)
    issued = float(str(fields.pop("issued_at", NOW)))
    token = fields.pop("token_id", None)
    name = None if token is None else str(token)
    return Principal(user, frozenset({Role.USER}), frozenset(), at, name, issued)


@dataclass(eq=False)
class Visitor:
    """A guest that notes what it is told."""

    principal: Principal
    sid: str = "s1"
    follows_now: tuple[str, ...] = ()
    activity: int = 0
    told: list[str] = field(default_factory=list)
    stay: Stay | None = None

    def warn(self) -> None:
        self.told.append("warned")

    def send_away(self, code: codes.Code, message: str | None, retry_after: float | None) -> None:
        self.told.append(code.name if retry_after is None else f"{code.name} {retry_after:.0f}")


class Scene:
    """The guests of one node, and its clocks."""

    def __init__(self, attendance: Attendance, book: OrderBook, limit: int) -> None:
        self.now = 100.0
        self.attendance = attendance
        self.book = book
        self.guests = Guests(
            attendance,
            book,
            limit=limit,
            idle_after=IDLE,
            clock=lambda: self.now,
            wall=lambda: NOW + self.now - 100,
        )

    async def welcome(self, principal: Principal | None = None, **how: object) -> Visitor:
        visitor = Visitor(principal or who(), **how)  # type: ignore[arg-type]
        visitor.stay = await self.guests.arrive(visitor.principal)
        await self.guests.settle(visitor.stay)
        self.guests.enter(visitor.stay, visitor)
        return visitor

    def passes(self, seconds: float, step: float = 5.0) -> None:
        """Time goes by, as the node's own ticks see it."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + step, end)
            self.guests.tick()

    def hear(self, *orders: Order) -> None:
        self.guests.hear([encode_order(order) for order in orders])


Make = Callable[..., Awaitable[Scene]]


@asynccontextmanager
async def opened(settings: Settings, limit: int = 1000) -> AsyncIterator[Scene]:
    redis, keys = open_redis(settings.redis_url or ""), Keys(settings.partitions)
    scene = Scene(Attendance(redis, keys, 1000), OrderBook(redis, keys), limit)
    tasks = [asyncio.create_task(work) for work in (scene.attendance.run(), scene.guests.run())]
    try:
        yield scene
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await scene.attendance.close()
        await redis.aclose()


@pytest.fixture
async def scene(settings: Settings) -> AsyncIterator[Scene]:
    async with opened(settings) as made:
        yield made


async def test_a_holder_is_warned_once_and_sent_away_25_seconds_after_the_expiry(
    scene: Scene,
) -> None:
    visitor = await scene.welcome(who(left=1000))
    scene.passes(939)
    assert visitor.told == []
    scene.passes(2)
    assert visitor.told == ["warned"]
    scene.passes(83)
    assert visitor.told == ["warned"]
    scene.passes(2)
    assert visitor.told == ["warned", "TOKEN_EXPIRED"]


async def test_a_token_in_its_grace_is_warned_of_at_once(scene: Scene) -> None:
    visitor = await scene.welcome(who(left=-3))
    scene.passes(1, 0.25)
    assert visitor.told == ["warned"]


async def test_a_new_token_counts_from_its_own_expiry(scene: Scene) -> None:
    visitor = await scene.welcome(who(left=100))
    scene.passes(50)
    assert visitor.told == ["warned"]
    assert visitor.stay is not None
    scene.guests.renew(visitor.stay, who(left=1000))
    scene.passes(800)
    assert visitor.told == ["warned"]
    scene.passes(100)
    assert visitor.told == ["warned", "warned"]
    scene.passes(80)
    assert visitor.told == ["warned", "warned", "TOKEN_EXPIRED"]


async def test_who_does_nothing_and_hears_nothing_is_idle(scene: Scene) -> None:
    idle, busy = await scene.welcome(), await scene.welcome(who("u2"))
    for _ in range(4):
        scene.passes(IDLE / 4 - 1)
        busy.activity += 1
    scene.passes(3)
    assert idle.told == []
    scene.passes(2)
    assert (idle.told, busy.told) == (["IDLE_TIMEOUT"], [])
    scene.passes(IDLE - 10)
    assert busy.told == []
    scene.passes(IDLE / 60 + 12)  # when it was active is known to a sixtieth
    assert busy.told == ["IDLE_TIMEOUT"]


async def test_the_warning_is_no_activity(scene: Scene) -> None:
    visitor = await scene.welcome(who(left=IDLE - 20))
    scene.passes(IDLE + 1)
    assert visitor.told == ["warned", "IDLE_TIMEOUT"]


async def test_who_has_left_is_not_looked_after(scene: Scene) -> None:
    visitor = await scene.welcome(who(left=10))
    assert visitor.stay is not None
    scene.guests.leave(visitor.stay)
    scene.guests.leave(visitor.stay)
    scene.passes(IDLE * 2, 60)
    scene.hear(Kick(user_id="u1"))
    assert visitor.told == []
    assert (len(scene.guests), list(scene.guests)) == (0, [])
    assert len(scene.attendance) == 0


async def test_a_suspended_process_finds_what_fell_due_meanwhile(scene: Scene) -> None:
    visitor = await scene.welcome(who(left=1000))
    scene.now += 5000
    scene.guests.tick()
    scene.guests.tick()
    assert visitor.told[-1:] == ["TOKEN_EXPIRED"]


async def test_a_node_has_so_many_guests(settings: Settings) -> None:
    async with opened(settings, limit=2) as scene:
        first = await scene.welcome()
        await scene.welcome(who("u2"))
        with pytest.raises(codes.HubError) as refused:
            await scene.welcome(who("u3"))
        assert refused.value.code is codes.TOO_MANY_CONNECTIONS
        assert first.stay is not None
        scene.guests.leave(first.stay)
        await scene.welcome(who("u3"))


# -- orders ---------------------------------------------------------------------------------------


async def test_an_order_concerns_those_it_names(scene: Scene) -> None:
    one = await scene.welcome(who(token_id="t1"), sid="a", follows_now=("job:j1",))
    two = await scene.welcome(who(token_id="t2"), sid="b")
    other = await scene.welcome(who("u2"), sid="c", follows_now=("job:j2",))

    def told() -> list[list[str]]:
        found = [list(each.told) for each in (one, two, other)]
        for each in (one, two, other):
            each.told.clear()
        return found

    scene.hear(Kick(sid="b"))
    assert told() == [[], ["KICKED"], []]
    scene.hear(Kick(job_id="j1"))
    assert told() == [["KICKED"], [], []]
    scene.hear(Kick(user_id="u1"))
    assert told() == [["KICKED"], ["KICKED"], []]
    scene.hear(Revocation(until=NOW + 9, digest=digest("t2")))
    assert told() == [[], ["UNAUTHENTICATED"], []]
    scene.hear(Revocation(until=NOW + 9, user_id="u2", issued=NOW - 1))
    assert told() == [[], [], []]
    scene.hear(Revocation(until=NOW + 9, user_id="u2", issued=NOW))
    assert told() == [[], [], ["UNAUTHENTICATED"]]
    scene.hear(Ban(user_id="u2", until=NOW + 60))
    assert told() == [[], [], ["BANNED 60"]]


async def test_what_a_later_hub_orders_is_no_reason_to_fail(scene: Scene) -> None:
    scene.guests.hear([b'{"kind":"NEW"}', b"nonsense", encode_order(Ban("u1", NOW + 5))])
    with pytest.raises(codes.HubError):
        await scene.guests.check(who())


async def test_an_order_between_asking_and_entering_refuses(scene: Scene) -> None:
    """Whoever comes in sees every order given before, or is found by it."""
    ban = Ban(user_id="u1", until=NOW + 60)
    stay = await scene.guests.arrive(who())
    scene.hear(ban)
    with pytest.raises(codes.HubError) as refused:
        await scene.guests.settle(stay)
    assert refused.value.code is codes.BANNED
    scene.guests.leave(stay)
    scene.hear(Lift(user_id="u1"))
    stay, visitor = await scene.guests.arrive(who()), Visitor(who())
    await scene.guests.settle(stay)
    scene.hear(ban)
    scene.guests.enter(stay, visitor)
    assert visitor.told == ["BANNED 60"]


async def test_a_ban_ends_by_itself(scene: Scene) -> None:
    await scene.guests.check(who())
    scene.hear(Ban(user_id="u1", until=NOW + 60))
    with pytest.raises(codes.HubError) as refused:
        await scene.guests.check(who())
    assert refused.value.retry_after == 60
    scene.now += 61
    await scene.guests.check(who())


async def test_a_renewed_token_that_was_revoked_meanwhile_is_found(scene: Scene) -> None:
    visitor = await scene.welcome(who(token_id="old"))
    scene.hear(Revocation(until=NOW + 9, digest=digest("new")))
    assert visitor.stay is not None
    scene.guests.renew(visitor.stay, who(token_id="new"))
    assert visitor.told == ["UNAUTHENTICATED"]


async def test_what_was_missed_is_read_and_what_is_over_forgotten(scene: Scene) -> None:
    visitor = await scene.welcome()
    ban = Ban(user_id="u1", until=NOW + 60)
    await scene.book.give(ban)  # nobody here hears it
    await scene.book.give(Ban(user_id="u2", until=NOW + 600))
    scene.hear(LookUp())

    async def found() -> bool:
        return visitor.told == ["BANNED 60"]

    await eventually(found)
    scene.now += 61
    longer = Ban(user_id="u1", until=NOW + 90)
    await scene.book.give(longer)  # a later one, of which this node has not heard yet
    await scene.guests.prune()
    assert len(scene.guests.standing) == 1
    assert (await scene.book.read()).keys() == {"ban:u1", "ban:u2"}
    scene.hear(longer)
    scene.now += 31
    await scene.guests.prune()
    assert (await scene.book.read()).keys() == {"ban:u2"}
    await scene.book.give(Lift(user_id="u2"))
    assert await scene.book.read() == {}
