"""What one device shows: the client of docs/notifications.md, on a real connection."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from hub.domain.events import Position
from tests.support.sioline import Line, line

MARKS: dict[str, tuple[str, bool]] = {
    "SEEN": ("seenAt", True),
    "READ": ("readAt", True),
    "UNREAD": ("readAt", False),
    "DISMISSED": ("dismissedAt", True),
    "RESTORED": ("dismissedAt", False),
}


class View:
    """A device of a user. ``items``: what is not dismissed, by id. ``unread``: what its badge says,
    ``version``: of the last number that the hub gave it. It keeps all of it while it is away."""

    def __init__(self, urls: list[str], token: str) -> None:
        self._urls = urls
        self._token = token
        self._stack = AsyncExitStack()
        self._taken = 0
        self._line: Line | None = None
        self.items: dict[str, dict[str, Any]] = {}
        self.unread, self.version = 0, -1
        self.known: dict[int, int] = {}
        self.at: dict[str, Position] = {}
        self._muted: dict[str, list[str]] = {}
        self._stale = False

    @property
    def connected(self) -> bool:
        return self._line is not None

    async def connect(self, node: int) -> None:
        """Connects, from where it left off if it was here before."""
        self._stale |= not self.at
        resumed = {name: {"epoch": at.epoch, "offset": at.offset} for name, at in self.at.items()}
        here = line(self._urls[node], self._token, channels=resumed)
        self._line, self._taken = await self._stack.enter_async_context(here), 0
        self._node = node
        hello = self._line.hello
        held = {each["channel"] for each in hello["channels"]}
        for name in set(self.at) - held:
            del self.at[name]
        for each in hello["channels"]:
            if each["channel"] not in resumed:
                self.at[each["channel"]] = Position(each["epoch"], each["offset"])
        self._show(hello["unread"])

    async def leave(self, *, rudely: bool) -> None:
        """The line breaks, or it takes leave."""
        line = self._line
        if line is not None and rudely:
            line.cut()
            await line.until(lambda: line.closed)
        await self._stack.aclose()
        self._line = None

    async def mark(self, ids: Any, as_: str, up_to: str | None = None) -> int:
        """Marks, and shows what the answer says; what changed."""
        assert self._line is not None
        wanted = {"ids": ids, "as": as_} | ({} if up_to is None else {"upTo": up_to})
        answer = await self._line.command("notifications:mark", wanted)
        assert answer["ok"], answer
        self._show(answer["data"]["unread"])
        changed: int = answer["data"]["changed"]
        return changed

    async def settle(self, ends: dict[str, Position]) -> None:
        """Returns once it has shown everything up to these places."""
        line = self._line
        assert line is not None
        for name, end in ends.items():
            await line.until(lambda name=name, end=end: self._reached(name) >= end.offset)
        while self._taken < len(line.log):
            entry = line.log[self._taken]
            self._taken += 1
            if entry[0] == "event":
                self._take(entry[1])
            elif entry[0] == "reset":
                self.at[entry[1]["channel"]] = Position(entry[1]["epoch"], entry[1]["offset"])
                self._stale = True
        if self._stale:
            self._stale = False
            await self._list()
            await self.settle(ends)  # what came before the answer is in it

    def _reached(self, channel: str) -> int:
        assert self._line is not None
        found = self.at[channel].offset if channel in self.at else -1
        told = [*self._line.named("event"), *self._line.named("reset")]
        offsets: list[int] = [each["offset"] for each in told if each["channel"] == channel]
        return max([found, *offsets])

    def _take(self, event: dict[str, Any]) -> None:
        channel, data = event["channel"], event["data"]
        before = self.at.get(channel)
        if before is not None:
            assert event["offset"] == before.offset + 1 or event["epoch"] != before.epoch, event
        self.at[channel] = Position(event["epoch"], event["offset"])
        own = channel.startswith("user:")
        if event["type"] == "NOTIFICATION_CREATED":
            self._add(data, own=own)
        elif event["type"] == "NOTIFICATIONS_CHANGED":
            self._change(data, own=own)
        if "unread" in data:
            self._show(data["unread"])

    def _add(self, data: dict[str, Any], *, own: bool) -> None:
        new = {name: value for name, value in data.items() if name not in ("unread", "updated")}
        if not own and data["id"] not in self.items:
            if self._muted.get("mutedTypes") or self._muted.get("mutedTopics"):
                self._stale = True  # whether it is muted is easier asked than worked out
                return
            self.unread += 1
        self.items[data["id"]] = new

    def _change(self, data: dict[str, Any], *, own: bool) -> None:
        state = data["state"]
        if state in ("PREFERENCES", "SUBSCRIPTIONS"):
            self._stale = True
            self.at.pop(f"topic:{data.get('topic')}", None)  # it is followed from a new place on
            return
        if state == "EXPIRED":
            for id_ in data["ids"]:
                self.items.pop(id_, None)
            self._stale |= not own  # of what went to many it says no number
            return
        if state == "RESTORED":
            self._stale = True  # it does not keep what was dismissed
            return
        field, yes = MARKS[state]
        for id_ in self._meant(data):
            item = self.items.get(id_)
            if item is not None:
                item[field] = item[field] or "now" if yes else None
                if state == "READ":
                    item["seenAt"] = item["seenAt"] or "now"
                if state == "DISMISSED":
                    del self.items[id_]

    def _meant(self, data: dict[str, Any]) -> list[str]:
        if not data.get("all"):
            return list(data["ids"])
        up_to = data.get("upTo")
        if up_to is not None and up_to not in self.items:
            self._stale = True
            return []
        key = self._key(up_to) if up_to else None
        return [id_ for id_ in self.items if key is None or self._key(id_) <= key]

    def _key(self, id_: str) -> tuple[str, str]:
        return self.items[id_]["createdAt"], id_

    def _show(self, unread: dict[str, int]) -> None:
        count, version = unread["count"], unread["version"]
        assert self.known.setdefault(version, count) == count, "one version, two counts"
        if version >= self.version:
            self.unread, self.version = count, version

    async def _list(self) -> None:
        assert self._line is not None
        answer = await self._line.command("notifications:list", {"limit": 100})
        assert answer["ok"], answer
        assert answer["data"]["nextCursor"] is None
        self.items = {each["id"]: each for each in answer["data"]["items"]}
        self._show(answer["data"]["unread"])
        url = f"{self._urls[self._node]}/v1/preferences"
        headers = {"Authorization": f"Bearer {self._token}"}
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as response:
            self._muted = await response.json()
