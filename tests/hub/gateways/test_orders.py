"""What administrators order reaches also who is on the way in."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest

from config.settings import Settings
from hub.broker.control import Later
from hub.domain import codes, times
from hub.domain.principal import Principal
from hub.gateways import orders
from hub.gateways.orders import Orders
from hub.services.admin.orders import Kick, Kicked, Target
from hub.services.inbox.inbox import Inbox
from tests.support.nodes import local_node, signed
from tests.support.sioline import line
from tests.support.wait import eventually


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Holds up ``u1`` on the way in: set when that has begun, and to be set for it to go on."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    enter = Inbox.enter

    async def enter_later(self: Inbox, who: Principal) -> Any:
        if who.user_id == "u1":
            begun.set()
            await go_on.wait()
        return await enter(self, who)

    monkeypatch.setattr(Inbox, "enter", enter_later)
    return begun, go_on


async def code_of(url: str) -> Any:
    """With which ``u1`` is refused."""
    async with line(url, signed("u1")) as client:
        return client.refusal and client.refusal["code"]


@pytest.mark.parametrize(("more", "code"), [({}, "KICKED"), ({"banSeconds": 60}, "BANNED")])
async def test_who_is_coming_in_is_kicked_too(
    settings: Settings, held: Any, more: dict[str, Any], code: str
) -> None:
    begun, go_on = held
    root = signed("root", roles=["admin"])
    async with local_node(settings) as node, line(node.url, root, namespace="/admin") as admin:
        coming = asyncio.create_task(code_of(node.url))
        await begun.wait()
        answer = await admin.command("kick", {"userId": "u1", **more})
        go_on.set()
        assert await coming == code
        assert answer["data"] == {"connections": 1, "users": ["u1"]}


class Bans:
    """Cannot be reached ``away`` times."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.given: list[tuple[float, set[str], str | None]] = []

    async def ban_until(self, until: float, users: set[str], message: str | None) -> None:
        if self.away:
            self.away -= 1
            raise codes.HubError(codes.UNAVAILABLE)
        self.given.append((until, users, message))


class Somebody:
    """Somebody who is connected."""

    follows_now: tuple[str, ...] = ("job:j1",)

    def __init__(self, user: str) -> None:
        self.principal = Principal(user, frozenset(), frozenset(), times.now())
        self.sid = f"sid-of-{user}"
        self.ended: list[Any] = []

    def send_away(self, *why: Any) -> None:
        self.ended.append(why)


async def test_a_kick_bans_whom_it_ended_as_soon_as_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "_RETRY", 0)
    there, spared, bans = [Somebody(f"u{n}") for n in range(1500)], Somebody("other"), Bans(2)
    spared.follows_now = ()
    given: Any = ([*there, spared], None, bans, "n1")
    order = Kick(Target(channel="job:j1"), "BANNED", "no", 60, until=7.0)
    later = await Orders(*given).kick(msgspec.json.encode(order))
    assert isinstance(later, Later)
    assert {len(each.ended) for each in there} == {1}  # before the ban is given
    assert there[0].ended == [(codes.BANNED, "no", 60)]
    assert (spared.ended, bans.given) == ([], [])
    kicked: Any = await later.answer()
    assert (kicked.connections, len(kicked.users)) == (1500, 1000)
    assert bans.given == [(7.0, {f"u{n}" for n in range(1500)}, "no")]
    nobody = Kick(Target(sid="gone"), "BANNED", "no", 60, until=7.0)
    assert await Orders(*given).kick(msgspec.json.encode(nobody)) == Kicked(0, [])


async def test_many_are_banned_at_once_and_nobody_when_it_is_over(settings: Settings) -> None:
    users = {f"u{number}" for number in range(600)}
    async with local_node(settings) as node:
        await node.bans.ban_until(time.time() - 1, ["late"])
        await node.bans.ban_until(time.time() + 60, users)

        async def known() -> bool:
            banned = {name.removeprefix("ban:") for name, _ in node.guests.standing}
            return banned == users

        await eventually(known)
