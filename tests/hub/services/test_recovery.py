"""Coming back to a session: to all of it, or knowingly to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hub.broker.sessions import Sessions
from hub.broker.slots import Slots
from hub.delivery.message import Message, Reset
from hub.domain import jobs, times
from hub.domain.codes import UNAVAILABLE, HubError
from hub.domain.events import Position
from hub.domain.principal import Principal, Role
from hub.embedded import RedisServer
from hub.services import recovery as recovery_module
from hub.services.channels import Channels
from hub.services.jobs import Jobs
from hub.services.recovery import Arrival, Recovery, Session
from tests.hub.domain import samples
from tests.hub.services.node import Node, Places, eventually, running_node

USER, ALL, JOB, NEWS = "user:u1", "all", "job:j1", "topic:news"
U1 = Principal("u1", frozenset({Role.USER}), frozenset({"p1"}), times.now())
U2 = replace(U1, user_id="u2")


class Client(Places):
    """A subscriber of many channels that keeps what it got, channel by channel."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets: dict[str, list[int]] = {}
        self.resets: list[Reset] = []

    def deliver(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.offsets.setdefault(message.channel, []).append(message.offset)

    def reset(self, notice: Reset) -> None:
        self.resets.append(notice)


@dataclass
class Hub:
    """A node with its recovery."""

    node: Node
    sessions: Sessions
    channels: Channels
    recovery: Recovery

    async def session(self, *channels: str, who: Principal = U1) -> Session:
        """A session of a client that was told that it follows these channels from where they
        end."""
        session = self.recovery.begin(who)
        session.start()
        for name in channels:
            session.roster.joined(name, self.end(name))
        await self.saved(session)
        return session

    def end(self, channel: str) -> Position:
        return self.node.ends.get(channel, Position("0", 0))

    async def saved(self, session: Session) -> None:
        """Returns once everything about the session is in Redis."""
        await self.sessions.saved(session._leg)

    async def back(self, pid: object, offset: object, who: Principal = U1) -> Arrival | None:
        """What a client that returns with these gets."""
        found = await self.recovery.find(who, pid, offset)
        return None if found is None else await self.recovery.restore(who, Client(), found)


@asynccontextmanager
async def recovering(node: Node, keep: float = 60, slots: int = 5) -> AsyncIterator[Hub]:
    sessions = Sessions(node.redis, node.keys, keep)
    channels = Channels(
        Jobs(node.heads, node.events), node.following, Slots(node.redis, node.keys, slots)
    )
    task = asyncio.create_task(sessions.run())
    try:
        yield Hub(node, sessions, channels, Recovery(sessions, channels))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def hub(node: Node) -> AsyncIterator[Hub]:
    async with recovering(node) as running:
        yield running


@pytest.fixture
async def job(node: Node) -> None:
    """A job of the project p1, with 3 events."""
    await node.publish(JOB, 3)
    await node.store_job(jobs.started(samples.job_started(), samples.T0), node.ends[JOB])


def mark(session: Session, *offsets: int) -> str:
    """The string that the session's connection sends when it stands there."""
    return session.roster.prefix.decode() + ".".join(map(str, offsets))


def missed(arrival: Arrival | None) -> dict[str, list[int]]:
    assert arrival is not None
    return {each.channel: [event.offset for event in each.events] for each in arrival.joined}


# -- coming back ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("job")
async def test_everything_missed_comes_in_order_and_then_what_is_new(hub: Hub) -> None:
    await hub.node.publish(USER, 2)
    await hub.node.publish(ALL, 1)
    session = await hub.session(USER, ALL, JOB)
    for channel, count in ((USER, 3), (ALL, 2)):
        await hub.node.publish(channel, count)
    await hub.node.publish(JOB, 4)
    found = await hub.recovery.find(U1, session.pid, mark(session, 2, 1, 4))
    assert found is not None
    client = Client()
    arrival = await hub.recovery.restore(U1, client, found)
    assert missed(arrival) == {USER: [3, 4, 5], ALL: [2, 3], JOB: [5, 6, 7]}
    assert arrival is not None
    assert arrival.recovered
    assert list(missed(arrival)) == [USER, ALL, JOB]
    for channel in (USER, ALL, JOB):
        await hub.node.publish(channel, 1)
    await eventually(lambda: client.offsets == {USER: [6], ALL: [4], JOB: [8]})


async def test_the_next_connection_of_a_session_has_the_same_pid_and_another_leg(hub: Hub) -> None:
    session = await hub.session(USER)
    found = await hub.recovery.find(U1, session.pid, mark(session, 0))
    assert found is not None
    after = hub.recovery.begin(U1, found)
    assert after.pid == session.pid
    assert after.roster.leg != session.roster.leg
    assert hub.recovery.begin(U1).pid != session.pid


async def test_on_another_node(hub: Hub, settings: Any) -> None:
    session = await hub.session(USER, ALL)
    await hub.node.publish(ALL, 2)
    async with running_node(settings) as other, recovering(other) as elsewhere:
        arrival = await elsewhere.back(session.pid, mark(session, 0, 0))
        assert missed(arrival) == {USER: [], ALL: [1, 2]}


async def test_two_connections_with_one_session_do_not_touch_each_other(hub: Hub) -> None:
    """A line that is dead and does not know it yet, and the one that came after it."""
    await hub.node.publish(ALL, 1)
    first = await hub.session(ALL)
    text = mark(first, 1)
    found = await hub.recovery.find(U1, first.pid, text)
    assert found is not None
    second, third = (hub.recovery.begin(U1, found) for _ in range(2))
    for session, channel in ((second, NEWS), (third, USER)):
        session.start()
        session.roster.joined(ALL, Position("e1", 1))
        session.roster.joined(channel, Position("0", 0))
        await hub.saved(session)
    first.roster.left(ALL)
    await hub.node.publish(ALL, 1)
    third.end()
    await hub.saved(first)
    assert missed(await hub.back(second.pid, mark(second, 1, 0))) == {ALL: [2], NEWS: []}
    assert await hub.back(third.pid, mark(third, 1, 0)) is None
    second.lose()
    assert missed(await hub.back(second.pid, mark(second, 2, 0))) == {ALL: [], NEWS: []}


async def test_without_the_own_channel_its_state_is_known_all_the_same(hub: Hub) -> None:
    await hub.node.publish(USER, 7)
    session = await hub.session(USER, ALL)
    session.roster.left(USER)
    await hub.saved(session)
    found = await hub.recovery.find(U1, session.pid, mark(session, 0))
    assert found is not None
    client = Client()
    arrival = await hub.recovery.restore(U1, client, found)
    assert missed(arrival) == {ALL: []}
    await hub.node.publish(USER, 1)
    await hub.node.publish(ALL, 1)
    await eventually(lambda: client.offsets == {ALL: [1]})


async def test_a_session_without_any_channel(hub: Hub) -> None:
    session = await hub.session(USER)
    session.roster.left(USER)
    await hub.saved(session)
    assert missed(await hub.back(session.pid, mark(session))) == {}


# -- starting afresh ------------------------------------------------------------------------------


async def test_another_user_gets_nothing(hub: Hub) -> None:
    session = await hub.session(ALL)
    assert await hub.back(session.pid, mark(session, 0), U2) is None
    assert await hub.back(session.pid, mark(session, 0)) is not None


@pytest.mark.usefixtures("job")
async def test_a_channel_that_may_not_be_read_any_more(hub: Hub) -> None:
    session = await hub.session(USER, ALL, JOB)
    without = replace(U1, projects=frozenset({"p2"}))
    assert await hub.back(session.pid, mark(session, 0, 0, 3), without) is None
    assert hub.node.following.channels == 0
    assert await hub.back(session.pid, mark(session, 0, 0, 3)) is not None


@pytest.mark.usefixtures("job")
async def test_a_job_that_is_gone(hub: Hub) -> None:
    session = await hub.session(USER, JOB)
    await hub.node.heads._channels.delete_one({"_id": JOB})
    assert await hub.back(session.pid, mark(session, 0, 3)) is None
    assert hub.node.following.channels == 0


async def test_a_log_that_does_not_reach_back_any_more(hub: Hub) -> None:
    await hub.node.publish(ALL, 6)
    session = await hub.session(USER, ALL)
    await hub.node.redis.xtrim(hub.node.keys.log(ALL), maxlen=2, approximate=False)
    await hub.node.events._events.delete_many({"channel": ALL, "offset": {"$lte": 4}})
    assert await hub.back(session.pid, mark(session, 0, 3)) is None
    assert hub.node.following.channels == 0
    assert missed(await hub.back(session.pid, mark(session, 0, 4))) == {USER: [], ALL: [5, 6]}


async def test_a_log_that_began_anew(hub: Hub) -> None:
    await hub.node.publish(ALL, 3)
    session = await hub.session(ALL)
    await hub.node.events._events.delete_many({"channel": ALL})
    await hub.node.heads._channels.delete_one({"_id": ALL})
    await hub.node.publish(ALL, 5, epoch="e2")
    assert await hub.back(session.pid, mark(session, 2)) is None
    assert hub.node.following.channels == 0


async def test_a_position_beyond_the_log(hub: Hub) -> None:
    await hub.node.publish(ALL, 3)
    session = await hub.session(ALL)
    for offset in (4, 1 << 52, 10**16 - 1):
        assert await hub.back(session.pid, mark(session, offset)) is None


async def test_the_first_event_of_a_log_was_not_saved(hub: Hub) -> None:
    """The node died right after it: the session knows no epoch, the string counts all the same."""
    session = await hub.session(USER, ALL)
    await hub.node.publish(ALL, 5)
    for offset in range(6):
        arrival = await hub.back(session.pid, mark(session, 0, offset))
        assert missed(arrival) == {USER: [], ALL: list(range(offset + 1, 6))}
    assert await hub.back(session.pid, mark(session, 0, 6)) is None
    assert await hub.back(session.pid, mark(session, 1, 5)) is None
    await hub.node.redis.xtrim(hub.node.keys.log(ALL), maxlen=2, approximate=False)
    await hub.node.events._events.delete_many({"channel": ALL, "offset": {"$lte": 3}})
    assert await hub.back(session.pid, mark(session, 0, 4)) is None


async def test_more_events_than_a_join_replays(hub: Hub) -> None:
    await hub.node.publish(ALL, 1)
    session = await hub.session(ALL)
    await hub.node.publish(ALL, 1001)
    assert await hub.back(session.pid, mark(session, 1)) is None
    arrival = await hub.back(session.pid, mark(session, 2))
    assert missed(arrival) == {ALL: list(range(3, 1003))}


async def test_more_bytes_than_are_replayed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await hub.node.publish(ALL, 1)
    session = await hub.session(USER, ALL)
    await hub.node.publish(USER, 5)
    await hub.node.publish(ALL, 5)
    arrival = await hub.back(session.pid, mark(session, 0, 1))
    assert arrival is not None
    size = sum(len(event.envelope) for each in arrival.joined for event in each.events)
    monkeypatch.setattr(recovery_module, "REPLAYED_AT_MOST", size - 1)
    assert await hub.back(session.pid, mark(session, 0, 1)) is None
    assert await hub.back(session.pid, mark(session, 0, 2)) is not None


async def test_a_lost_session_expires_and_one_that_ended_is_gone(node: Node) -> None:
    async with recovering(node, keep=0.5) as hub:
        lost, ended = await hub.session(ALL), await hub.session(ALL)
        lost.lose()
        ended.end()
        await hub.saved(await hub.session(ALL))
        assert await hub.back(ended.pid, mark(ended, 0)) is None
        assert await hub.back(lost.pid, mark(lost, 0)) is not None
        await asyncio.sleep(0.6)
        assert await hub.back(lost.pid, mark(lost, 0)) is None


@pytest.mark.parametrize(
    "pid", [None, 7, True, ["x"], {}, "", "x", "x" * 24, "*" * 24, "é" * 24, "x" * 60_000]
)
@pytest.mark.parametrize("offset", [None, 7, [], "", "abcd1.5", "５" * 6, "9" * 60_000])
async def test_garbage_is_just_not_recovered(hub: Hub, pid: object, offset: object) -> None:
    assert await hub.recovery.find(U1, pid, offset) is None


async def test_garbage_with_a_real_session(hub: Hub) -> None:
    session = await hub.session(USER, ALL)
    text = mark(session, 0, 0)
    for offset in (None, 0, text + ".0", text[:-2], text + " ", text.replace("0", "-1"), [text]):
        assert await hub.recovery.find(U1, session.pid, offset) is None
    for pid in (None, [session.pid], session.pid[:-1], session.pid + "x", session.pid.swapcase()):
        assert await hub.recovery.find(U1, pid, text) is None
    await hub.node.redis.set(hub.node.keys.session(session.pid, session.roster.leg), b"garbage")
    assert await hub.recovery.find(U1, session.pid, text) is None


# -- what was saved when --------------------------------------------------------------------------


async def test_a_change_that_may_have_been_told_cannot_be_recovered_from(hub: Hub) -> None:
    """The node dies between the acknowledgement of a subscribe and the save that follows it."""
    session = await hub.session(USER, ALL)
    text = mark(session, 0, 0)
    await session.unsettle()
    assert await hub.back(session.pid, text) is None
    session.roster.joined(NEWS, Position("0", 0))
    await hub.saved(session)
    assert await hub.back(session.pid, mark(session, 0, 0, 0)) is None
    session.settle()
    await hub.saved(session)
    assert missed(await hub.back(session.pid, text)) == {USER: [], ALL: [], NEWS: []}


async def test_every_change_under_way_counts(hub: Hub) -> None:
    session = await hub.session(USER)
    await session.unsettle()
    await session.unsettle()
    session.settle()
    await hub.saved(session)
    assert await hub.back(session.pid, mark(session, 0)) is None
    session.settle()
    await hub.saved(session)
    assert await hub.back(session.pid, mark(session, 0)) is not None


async def test_without_redis_nothing_changes_unsaved(hub: Hub, redis_server: RedisServer) -> None:
    session = await hub.session(USER)
    redis_server.kill()
    began = asyncio.get_running_loop().time()
    with pytest.raises(HubError) as caught:
        await session.unsettle()
    assert caught.value.code is UNAVAILABLE
    with pytest.raises(HubError) as caught:  # later it may still be found
        await hub.recovery.find(U1, session.pid, mark(session, 0))
    assert caught.value.code is UNAVAILABLE
    assert asyncio.get_running_loop().time() - began < 4.2
    await redis_server.start()
    await hub.saved(session)
    assert await hub.back(session.pid, mark(session, 0)) is not None


async def test_a_session_that_nobody_was_told_of_leaves_nothing_behind(hub: Hub) -> None:
    for leave in (Session.lose, Session.end):
        leave(hub.recovery.begin(U1))
    await hub.saved(await hub.session(ALL))
    assert len(await hub.node.redis.keys("*:session:*")) == 1
