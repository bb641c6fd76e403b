"""Whether inboxes are right when all is over: on every device the count and version that a fresh
one gets, as many in the list, and no drift."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from hub import tokens
from tests.chaos.cluster import SECRET, Cluster
from tests.chaos.crowd import Crowd
from tests.support.process import environment

_CONVERGE: Final = 15.0  # seconds that the clients have, at most
_POLL: Final = 0.1
_PAGE: Final = 100
_AUDIT: Final = 120.0

Unread = dict[str, int]


async def judge_inboxes(cluster: Cluster, clients: Crowd) -> list[str]:
    """Has every user mark one notification; what is wrong once the clients had time to hear it.

    Only for what is compared no more with what was published: marks make events of their own. An
    announcement alone tells nobody the new count: without them nothing would have to converge."""
    fresh: dict[str, Unread] = {}
    problems: list[str] = []
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        for name in dict.fromkeys(clients.users):
            asking = _Asking(http, cluster.url, name)
            fresh[name] = await asking.mark_one()
            listed = await asking.listed()
            if listed != fresh[name]["count"]:
                problems.append(f"{name}: {listed} unread in the list, {fresh[name]} counted")
    return problems + await _converged(clients, fresh) + await _audited(cluster)


class _Asking:
    """A user by HTTP, at whichever node."""

    def __init__(self, http: aiohttp.ClientSession, url: str, name: str) -> None:
        self._http = http
        self._url = f"{url}/v1/notifications"
        self._headers = {"Authorization": f"Bearer {tokens.mint(SECRET, name)}"}

    async def mark_one(self) -> Unread:
        """The count after marking one otherwise than it was."""
        for filter_ in ("ALL", "DISMISSED"):
            for item in (await self._page(filter=filter_, limit="1"))["items"]:
                as_ = "UNREAD" if item["readAt"] else "READ"
                order = {"ids": [item["id"]], "as": as_ if filter_ == "ALL" else "RESTORED"}
                place = f"{self._url}/mark"
                async with self._http.post(place, json=order, headers=self._headers) as answer:
                    assert (await answer.json())["changed"] == 1
                return await self._counted()
        raise AssertionError("there is nothing in the inbox")

    async def listed(self) -> int:
        """How many are in the list of what is unread, page by page."""
        count = 0
        cursor: dict[str, str] = {}
        while True:
            page = await self._page(filter="UNREAD", limit=str(_PAGE), **cursor)
            count += len(page["items"])
            if page["nextCursor"] is None:
                return count
            cursor = {"cursor": page["nextCursor"]}

    async def _counted(self) -> Unread:
        async with self._http.get(f"{self._url}/unread-count", headers=self._headers) as answer:
            unread: Unread = await answer.json()
            return unread

    async def _page(self, **query: str) -> dict[str, Any]:
        async with self._http.get(self._url, params=query, headers=self._headers) as answer:
            page: dict[str, Any] = await answer.json()
            return page


async def _converged(clients: Crowd, fresh: Mapping[str, Unread]) -> list[str]:
    """Which clients do not come to show the fresh counts."""
    right = [fresh[name] for name in clients.users]
    told = await clients.ask("unread")
    try:
        async with asyncio.timeout(_CONVERGE):
            while told != right:
                await asyncio.sleep(_POLL)
                told = await clients.ask("unread")
    except TimeoutError:
        return different(clients.users, told, right)
    return []


def different(users: list[str], told: list[Unread | None], right: list[Unread]) -> list[str]:
    """Which clients show something else than is right."""
    return [
        f"client {number} of {name} shows {shown} as unread, not {wanted}"
        for number, (name, shown, wanted) in enumerate(zip(users, told, right, strict=True))
        if shown != wanted
    ]


async def _audited(cluster: Cluster) -> list[str]:
    """What ``python -m hub audit-unread`` finds."""
    assert cluster.settings is not None
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", "audit-unread"),
        env=environment(cluster.settings),
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        async with asyncio.timeout(_AUDIT):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return audited(said.decode(), process.returncode)


def audited(said: str, status: int | None) -> list[str]:
    """What is wrong by what the audit said: also that it found nothing to count."""
    *_, last = said.splitlines() or [""]
    clean = status == 0 and last.endswith(" 0 drifts") and " 0 unread," not in last
    return [] if clean else [f"audit-unread ended with {status}: {said}"]
