"""Of each version of everybody's, whoever reads it and whenever, the same announcements count.

Readers are two processes, each with what it knows by then; between any two of a reader's queries
writers take steps. Writers die and begin again. ``HUB_LIVES=1000`` tries that many orders.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as options
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from config.settings import Settings
from hub.domain import times
from hub.domain.inbox import Announcement, Everybody
from hub.services.inbox import announced as module
from hub.services.inbox import announcing
from hub.services.inbox.announced import Announced
from hub.stores.announcements import Announcements
from hub.stores.inboxes import Inboxes
from tests.support.stores import Opened, opened

_LIVES = int(os.environ.get("HUB_LIVES", "0"))
picks = st.integers(0, 1000)
STEPS = 4
steps = st.integers(0, STEPS)
channels = st.sampled_from(["all", "topic:a"])


class Interrupted(Announcements):
    """Something happens before each of its queries."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def _find(self, query: dict[str, Any]) -> list[Announcement]:
        if self.meanwhile is not None:
            await self.meanwhile()
        return await super()._find(query)

    async def last_gone(self, channels: Any, everybody: int) -> dict[str, int]:
        if self.meanwhile is not None:
            await self.meanwhile()
        return await super().last_gone(channels, everybody)


@dataclass
class Writer:
    """Lets announcements come, or go; ``done`` of its steps."""

    announcements: list[Announcement]
    going: bool = False
    done: int = 0
    stored: bool = False
    noted: Everybody = field(default_factory=Everybody)


class AnnouncedMachine(RuleBasedStateMachine):
    """Writers, readers, and what each version was."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    stores: ClassVar[Opened]
    prefix: ClassVar[itertools.count[int]]

    @initialize()
    def begin(self) -> None:
        name = f"n{next(self.prefix)}"
        self.channels = {channel: f"{channel}-{name}" for channel in ("all", "topic:a")}
        db = self.stores.db
        self.store, self.inboxes = Interrupted(db), Inboxes(db)
        self.readers = [Announced(self.store), Announced(self.store)]
        self.writers: list[Writer] = []
        self.came: dict[str, int] = {}
        self.gone: dict[str, int] = {}
        self.where: dict[str, str] = {}
        self.seen: list[Everybody] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @rule(channel=channels, count=st.integers(1, 2), done=steps)
    def come(self, channel: str, count: int, done: int) -> None:
        at, ends = times.now(), times.now() + timedelta(hours=1)
        ids = [str(uuid4()) for _ in range(count)]
        name, content = self.channels[channel], {"type": "t", "title": "t"}
        self.where |= dict.fromkeys(ids, name)
        self.writers.append(
            Writer([Announcement(each, name, "e", 1, at, ends, content) for each in ids])
        )
        self.run(self._steps(self.writers[-1], done))

    @precondition(lambda self: any(each.stored for each in self.writers))
    @rule(pick=picks, done=steps)
    def go(self, pick: int, done: int) -> None:
        """Also one that several say has ended."""
        coming = [each for each in self.writers if not each.going and each.stored]
        chosen = coming[pick % len(coming)].announcements[pick % 2 :][:1]
        self.writers.append(Writer(chosen, going=True))
        self.run(self._steps(self.writers[-1], done))

    @precondition(lambda self: self.unfinished)
    @rule(pick=picks, count=steps)
    def write(self, pick: int, count: int) -> None:
        self.run(self._steps(self.unfinished[pick % len(self.unfinished)], count))

    @precondition(lambda self: self.came)
    @rule(pick=picks)
    def die(self, pick: int) -> None:
        """A writer does all of it once more."""
        self.writers[pick % len(self.writers)].done = 0

    @rule()
    def look(self) -> None:
        """A reader reads everybody's version, and no more yet."""
        self.seen.append(self.run(self._everybody()))

    @rule(late=st.booleans(), pick=picks, reader=st.integers(0, 2), meanwhile=st.lists(steps))
    def read(self, late: bool, pick: int, reader: int, meanwhile: list[int]) -> None:
        """``meanwhile``: how many steps the oldest writer takes before each query. The third reader
        knows nothing yet."""
        if not late or not self.seen:
            self.look()
        writing, one = iter(meanwhile), asyncio.Lock()

        async def step() -> None:
            async with one:  # two queries may be asked at once
                if self.unfinished:
                    await self._steps(self.unfinished[0], next(writing, 0))

        self.store.meanwhile = step
        everybody = self.seen.pop(pick % len(self.seen) if late else -1)
        names = [*self.channels.values()][: 1 + pick % 2]
        announced = [*self.readers, Announced(self.store)][reader]
        views = self.run(announced.at(everybody, names))
        self.store.meanwhile = None
        if views is None:
            return
        for name in names:
            expected = {
                id_
                for id_, came in self.came.items()
                if self.where[id_] == name
                and came <= everybody.version < self.gone.get(id_, 1 << 62)
            }
            view = views[name]
            assert {each.id for each in view.current} == expected
            assert [each.came for each in view.current] == sorted(
                self.came[each] for each in expected
            )
            for since in (0, everybody.version - 1):
                after = {each.id for each in view.after(since)}
                assert after == {each for each in expected if self.came[each] > since}
            gone = [
                at
                for id_, at in self.gone.items()
                if self.where[id_] == name and at <= everybody.version
            ]
            assert view.last_gone == max(gone, default=0)

    def teardown(self) -> None:
        for writer in getattr(self, "writers", ()):
            self.run(self._steps(writer, STEPS))
        if hasattr(self, "inboxes"):
            assert self.run(self._everybody()) == Everybody(self.run(self._everybody()).version)

    @property
    def unfinished(self) -> list[Writer]:
        return [each for each in self.writers if each.done < STEPS]

    async def _steps(self, writer: Writer, count: int) -> None:
        for _ in range(count):
            await self._step(writer)

    async def _everybody(self) -> Everybody:
        return (await self.inboxes.read(["nobody"]))["nobody"].everybody

    async def _step(self, writer: Writer) -> None:
        ids = [each.id for each in writer.announcements]
        match writer.done:
            case 0 if not writer.going:
                await self.store.insert_once(writer.announcements)
                writer.stored = True
            case 1 if writer.going:
                writer.noted = await self.inboxes.note(gone=ids)
                self.gone = {**dict.fromkeys(ids, writer.noted.version), **self.gone}
            case 1:
                writer.noted = await self.inboxes.note(came=ids)
                self.came = {**dict.fromkeys(ids, writer.noted.version), **self.came}
            case 2:
                await self.store.date(writer.noted)
            case 3:
                await self.inboxes.dated(writer.noted)
        writer.done += 1


@pytest.mark.timeout(120 + _LIVES)
def test_of_one_version_the_same_announcements_count(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GONE_KEPT", 1)
    loop = asyncio.new_event_loop()
    manager = opened(settings)
    AnnouncedMachine.loop = loop
    AnnouncedMachine.prefix = itertools.count()
    AnnouncedMachine.stores = loop.run_until_complete(manager.__aenter__())
    try:
        run_state_machine_as_test(
            AnnouncedMachine,
            settings=options(
                max_examples=_LIVES or 25,
                stateful_step_count=50,
                deadline=None,
                phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes minutes
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(manager.__aexit__(None, None, None))
        loop.close()


async def test_what_was_forgotten_is_not_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many that ended a reader who is far behind would miss some."""
    monkeypatch.setattr(module, "_GONE_KEPT", 2)
    at, ends, ids = times.now(), times.now() + timedelta(hours=1), ["a", "b", "c", "d"]
    async with opened(settings) as stores:
        inboxes = stores.stores.inboxes
        announced, seen = Announced(inboxes.announcements), []
        content = {"type": "t", "title": "t"}
        coming = [Announcement(each, "all", "e", 1, at, ends, content) for each in ids]
        await announcing.date(inboxes, await announcing.announce(inboxes, coming))
        for gone in ids:
            everybody = (await inboxes.inboxes.read(["u"]))["u"].everybody
            views = await announced.at(everybody, ["all"])
            assert views is not None
            seen.append((everybody, views["all"]))
            await announcing.date(inboxes, await inboxes.inboxes.note(gone=[gone]))
        assert await announced.at((await inboxes.inboxes.read(["u"]))["u"].everybody, ["all"])
        for number, (everybody, before) in enumerate(seen):
            again = await announced.at(everybody, ["all"])
            assert (again is None) == (number < 2)
            if again is not None:
                assert again["all"].last_gone == before.last_gone
                assert [each.id for each in again["all"].current] == ids[number:]


async def test_who_notes_again_what_came_says_when_it_did(settings: Settings) -> None:
    """One that died before it dated the announcement, and whoever repeats its batch."""
    async with opened(settings) as stores:
        inboxes = stores.stores.inboxes.inboxes
        assert await inboxes.note(came=["a"]) == Everybody(1, {"a": 1})
        again = await inboxes.note(came=["a", "b"], gone=["$version"])
        assert again == Everybody(2, {"a": 1, "b": 2}, {"$version": 2})
        await inboxes.dated(Everybody(2, {"a": 1}))
        member = (await inboxes.read(["u"]))["u"]
        assert member.everybody == Everybody(2, {"b": 2}, {"$version": 2})
