"""What a process knows of announcements: read once for all users, kept up to date by what came and
ended since (docs/decisions/0034-announcements-belong-to-a-version.md)."""

import bisect
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from hub.domain.inbox import NEVER, Announcement, Everybody
from hub.stores.announcements import Announcements

_KEPT_AT_MOST: Final = 20_000
"""Announcements that are kept, of all channels."""

_GONE_KEPT: Final = 100
"""Those of a channel that have ended, for readers who are a little behind."""


class View(Struct, frozen=True):
    """A channel's announcements at a version of everybody's: those that count, in the order in
    which they came. ``last_gone``: since when the last one that ended does not count, or 0."""

    current: Sequence[Announcement]
    last_gone: int

    def after(self, everybody: int) -> Sequence[Announcement]:
        """Those that came after a version of everybody's."""
        return self.current[bisect.bisect(self.current, everybody, key=_came) :]


class Announced:
    """Announcements as they were at a version of everybody's.

    A version that is known costs nothing; a later one two round trips at once, for what came and
    ended since; a channel that is not known two, one after the other. Bounded: the channel that was
    not asked for longest is forgotten.
    """

    def __init__(self, announcements: Announcements) -> None:
        self._announcements = announcements
        self._logs: dict[str, _Log] = {}  # that which was asked for last at the end

    async def at(
        self, everybody: Everybody, channels: Collection[str]
    ) -> Mapping[str, View] | None:
        """By channel; None when a version so old is not known any more. Raises ``PyMongoError``."""
        version = everybody.version
        logs = {each: self._logs[each] for each in channels if each in self._logs}
        logs |= await self._read([each for each in channels if each not in logs], everybody)
        await self._update(
            {name: log for name, log in logs.items() if log.known_to < version}, everybody
        )
        self._keep(logs)
        if any(log.known_from > version for log in logs.values()):
            return None
        return {channel: log.view(version) for channel, log in logs.items()}

    async def _read(self, channels: Sequence[str], everybody: Everybody) -> dict[str, "_Log"]:
        if not channels:
            return {}
        version = everybody.version
        found = await self._announcements.current(channels, version)
        # Afterwards: what is not among these any more, as it was dated meanwhile, is in here.
        last_gone = await self._announcements.last_gone(channels, version)
        logs = {each: _Log(version, last_gone.get(each, 0)) for each in channels}
        _take(logs, found, everybody)
        return logs

    async def _update(self, logs: Mapping[str, "_Log"], everybody: Everybody) -> None:
        if logs:
            known_to = min(log.known_to for log in logs.values())
            _take(logs, await self._announcements.since(list(logs), known_to), everybody)

    def _keep(self, logs: Mapping[str, "_Log"]) -> None:
        for channel, log in logs.items():
            self._logs.pop(channel, None)
            self._logs[channel] = log
        kept = sum(log.size for log in self._logs.values())
        while kept > _KEPT_AT_MOST and len(self._logs) > len(logs):
            kept -= self._logs.pop(next(iter(self._logs))).size


class _Log:
    """A channel's announcements at any version from ``known_from`` to ``known_to``."""

    def __init__(self, everybody: int, last_gone: int) -> None:
        self.known_from = self.known_to = everybody
        self._last_gone = last_gone  # of those that are not here
        self._items: dict[str, Announcement] = {}
        self._views: dict[int, View] = {}

    @property
    def size(self) -> int:
        return 1 + len(self._items)

    def take(self, found: Iterable[Announcement], everybody: Everybody) -> None:
        """Goes on to ``everybody``, given what was read after it."""
        items = self._items
        for each in found:
            known = items.get(each.id, each)
            dates = min(known.came, each.came), min(known.gone, each.gone)
            items[each.id] = replace(each, came=dates[0], gone=dates[1])
        for id_ in everybody.came.keys() & items.keys():
            items[id_] = replace(items[id_], came=min(items[id_].came, everybody.came[id_]))
        for id_ in everybody.gone.keys() & items.keys():
            items[id_] = replace(items[id_], gone=min(items[id_].gone, everybody.gone[id_]))
        self.known_to = max(self.known_to, everybody.version)
        self._views.clear()
        self._forget_gone()

    def view(self, everybody: int) -> View:
        found = self._views.get(everybody)
        if found is None:
            items = self._items.values()
            current = sorted((each for each in items if each.counts(everybody)), key=_came)
            gone = (each.gone for each in items if each.gone <= everybody)
            found = View(current, max(gone, default=self._last_gone))
            self._views[everybody] = found
        return found

    def _forget_gone(self) -> None:
        gone = sorted((each for each in self._items.values() if each.gone < NEVER), key=_gone)
        for each in gone[:-_GONE_KEPT]:
            del self._items[each.id]
            self._last_gone = max(self._last_gone, each.gone)
            self.known_from = max(self.known_from, each.gone)


def _take(logs: Mapping[str, _Log], found: Iterable[Announcement], everybody: Everybody) -> None:
    by_channel: dict[str, list[Announcement]] = {channel: [] for channel in logs}
    for each in found:
        by_channel[each.channel].append(each)
    for channel, log in logs.items():
        log.take(by_channel[channel], everybody)


def _came(announcement: Announcement) -> int:
    return announcement.came


def _gone(announcement: Announcement) -> int:
    return announcement.gone
