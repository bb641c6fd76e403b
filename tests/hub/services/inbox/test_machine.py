"""Whatever happens in whatever order, every list and count on every node is what a model says, and
so is what each device shows that merely listens.

``HUB_LIVES=100`` tries that many orders, instead of ten.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from config.settings import Settings
from hub.domain.inbox import Preferences
from hub.domain.readstate import As, differs
from tests.hub.gateways.inboxes import serving
from tests.hub.services.inbox.world import World
from tests.support.stores import Opened, opened

USERS = ("ana", "bruno")
TOPICS = ("news", "team")
TYPES = ("a.one", "b.two")

DEVICES = 4
_LIVES = int(os.environ.get("HUB_LIVES", "0"))

users = st.sampled_from(USERS)
nodes = st.integers(0, 1)
states = st.sampled_from(As)
picks = st.integers(0, 1000)


class InboxMachine(RuleBasedStateMachine):
    """Two users with several devices, on two nodes."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    stores: ClassVar[Opened]
    urls: ClassVar[list[str]]
    numbers: ClassVar[itertools.count[int]]
    world: World

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.world = World(self.stores, f"e{next(self.numbers)}", USERS, self.urls)
        self.run(self.world.enter())

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.run(self.world.close())

    @precondition(lambda self: self.world.devices < DEVICES)
    @rule(user=users, node=nodes)
    def connect(self, user: str, node: int) -> None:
        self.run(self.world.connect(user, node))

    @precondition(lambda self: self.world.devices)
    @rule(pick=picks, node=nodes, rudely=st.booleans())
    def come_or_go(self, pick: int, node: int, rudely: bool) -> None:
        views = [view for person in self.world.people.values() for view in person.views]
        view = views[pick % len(views)]
        self.run(view.leave(rudely=rudely) if view.connected else view.connect(node))

    @precondition(lambda self: any(self.world.markers()))
    @rule(pick=picks, first=picks, second=picks, as_=states)
    def mark_on_a_device(self, pick: int, first: int, second: int, as_: As) -> None:
        markers = self.world.markers()
        user, view = markers[pick % len(markers)]
        everything = list(self.world.people[user].inbox)
        ids = list(dict.fromkeys(everything[each % len(everything)] for each in (first, second)))
        self.run(self.world.mark_on(view, user, ids, as_))

    @rule(
        to=st.lists(users, min_size=1, max_size=2, unique=True) | st.sampled_from(("all", *TOPICS)),
        type_=st.sampled_from(TYPES),
        critical=st.booleans(),
        key=st.sampled_from((None, None, "k")),
    )
    def publish(self, to: Any, type_: str, critical: bool, key: str | None) -> None:
        key = None if isinstance(to, str) else key
        self.run(self.world.publish(to, type_, critical=critical, key=key))

    @precondition(lambda self: any(person.inbox for person in self.world.people.values()))
    @rule(user=users, first=picks, second=picks, as_=states, node=nodes, now=st.booleans())
    def mark(self, user: str, first: int, second: int, as_: As, node: int, now: bool) -> None:
        everything = [id_ for person in self.world.people.values() for id_ in person.inbox]
        ids = list(dict.fromkeys(everything[pick % len(everything)] for pick in (first, second)))
        person = self.world.people[user]
        shown = [told for each in ids if (told := person.inbox.get(each)) and person.shows(told)]
        expected = sum(differs(told.state, as_) for told in shown)
        changed = self.run(self.world.mark(user, ids, as_, node))
        assert changed == expected
        if now:
            self.run(self.world.drain())
        assert self.run(self.world.mark(user, ids, as_, 1 - node)) == 0, "asked again"

    @rule(user=users, as_=states, pick=picks, bounded=st.booleans(), node=nodes)
    def mark_all(self, user: str, as_: As, pick: int, bounded: bool, node: int) -> None:
        person = self.world.people[user]
        listed = person.listed("ALL")
        up_to = listed[pick % len(listed)] if bounded and listed else None
        self.run(self.world.mark_all(user, as_, up_to, node))
        assert self.run(self.world.mark_all(user, as_, up_to, 1 - node)) == 0, "asked again"

    @precondition(lambda self: any(person.inbox for person in self.world.people.values()))
    @rule(user=users, marks=st.lists(st.tuples(picks, states, nodes), min_size=2, max_size=4))
    def act_at_once(self, user: str, marks: list[tuple[int, As, int]]) -> None:
        ids = self.world.people[user].listed("ALL")
        if ids:
            work = [([ids[pick % len(ids)], ids[0]], as_, node) for pick, as_, node in marks]
            self.run(self.world.mark_at_once(user, work))

    @rule(user=users, pick=picks, noticed=st.booleans())
    def expire(self, user: str, pick: int, noticed: bool) -> None:
        ids = list(self.world.people[user].inbox)
        if ids:
            self.run(self.world.expire(user, ids[pick % len(ids)], noticed=noticed))

    @rule(user=users, topic=st.sampled_from(TOPICS), wanted=st.booleans(), node=nodes)
    def subscribe(self, user: str, topic: str, wanted: bool, node: int) -> None:
        person, name = self.world.people[user], f"{self.world.prefix}-{topic}"
        inbox, who = self.world.nodes[node], self.world.who(user)
        if wanted:
            self.run(inbox.subscribe(who, name, who.user_id))
            person.join(name, self.run(self.world.end(f"topic:{name}")))
        else:
            self.run(inbox.unsubscribe(who, name, who.user_id))
            person.topics.discard(name)

    @rule(
        user=users,
        types=st.sets(st.sampled_from(TYPES)),
        topics=st.sets(st.sampled_from(TOPICS)),
        node=nodes,
    )
    def mute(self, user: str, types: set[str], topics: set[str], node: int) -> None:
        person = self.world.people[user]
        person.muted_types = types
        person.muted_topics = {f"{self.world.prefix}-{topic}" for topic in topics}
        wanted = Preferences(frozenset(types), frozenset(person.muted_topics))
        self.run(self.world.nodes[node].prefer(self.world.who(user), wanted))

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "world"):
            self.run(self.world.drain())
            self.run(self.world.check())


@pytest.mark.timeout(60 * _LIVES or 240)
def test_all_nodes_agree_with_a_model(settings: Settings) -> None:
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    InboxMachine.loop = loop
    InboxMachine.numbers = itertools.count(1)
    InboxMachine.stores = loop.run_until_complete(stack.enter_async_context(opened(settings)))
    InboxMachine.urls = [
        loop.run_until_complete(stack.enter_async_context(serving(settings))) for _ in range(2)
    ]
    try:
        run_state_machine_as_test(InboxMachine, settings=EXAMPLES)
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()


EXAMPLES = settings(
    max_examples=_LIVES or 10,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
