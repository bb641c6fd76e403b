"""Whether inboxes are right when all is over: counts against what is stored, and each connected
client's against a fresh one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import aiohttp

from hub import tokens
from hub.services.inbox.audit import audit
from hub.services.inbox.unread import InboxStores
from tests.chaos.cast import user
from tests.chaos.cluster import SECRET
from tests.chaos.crowd import Crowd

_CONVERGE: Final = 15.0  # seconds that the clients have, at most
_POLL: Final = 0.1

Unread = dict[str, int]


async def judge_inboxes(url: str, clients: Crowd, stores: InboxStores) -> list[str]:
    """Has every user mark one notification; what is wrong once the clients had time to hear it.

    Only for what is compared no more with what was published: marks make events of their own."""
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        fresh = [await _marked(http, url, user(number)) for number in range(len(clients))]
    problems = await _converged(clients, fresh)
    found = await audit(stores)
    if not found.unread:
        problems.append("nothing is unread: the audit says nothing")
    return problems + [
        f"{each.user}: {each.counted} counted as unread, {each.stored} stored"
        for each in found.drifts
    ]


async def _marked(http: aiohttp.ClientSession, url: str, name: str) -> Unread:
    """The user's count after marking one as read, by whichever node."""
    headers = {"Authorization": f"Bearer {tokens.mint(SECRET, name)}"}
    query = {"filter": "UNREAD", "limit": "1"}
    async with http.get(f"{url}/v1/notifications", params=query, headers=headers) as answer:
        page: dict[str, Any] = await answer.json()
    order = {"ids": [each["id"] for each in page["items"]], "as": "READ"}
    async with http.post(f"{url}/v1/notifications/mark", json=order, headers=headers) as answer:
        assert (await answer.json())["changed"] == 1
    async with http.get(f"{url}/v1/notifications/unread-count", headers=headers) as answer:
        unread: Unread = await answer.json()
        return unread


async def _converged(clients: Crowd, fresh: Sequence[Unread]) -> list[str]:
    """Which clients do not come to show the fresh counts."""
    told = await clients.ask("unread")
    try:
        async with asyncio.timeout(_CONVERGE):
            while told != list(fresh):
                await asyncio.sleep(_POLL)
                told = await clients.ask("unread")
    except TimeoutError:
        return [
            f"client {number} shows {shown} as unread, not {right}"
            for number, (shown, right) in enumerate(zip(told, fresh, strict=True))
            if shown != right
        ]
    return []
