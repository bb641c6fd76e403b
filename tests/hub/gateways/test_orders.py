"""What administrators order reaches also who is on the way in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from config.settings import Settings
from hub.domain.principal import Principal
from hub.services.inbox.inbox import Inbox
from tests.support.nodes import local_node, signed
from tests.support.sioline import line


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
