"""Connection state recovery on the wire: two nodes in this process, lines that break."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from config.settings import Settings
from hub import tokens
from hub.broker.sessions import Sessions
from hub.domain import jobs
from hub.embedded import RedisServer
from hub.services import joining
from tests.conformance.raw import endpoint
from tests.conftest import JWT_SECRET
from tests.hub.domain import samples
from tests.hub.gateways.inboxes import serving
from tests.hub.services.node import Node, running_node
from tests.support.sioline import Line, line

USER, ALL, JOB, NEWS = "user:u1", "all", "job:j1", "topic:news"


class Cluster:
    """Two nodes, and a writer of their channels' logs."""

    def __init__(self, urls: list[str], writer: Node) -> None:
        self.urls = urls
        self.writer = writer
        self.stack = AsyncExitStack()

    @staticmethod
    def token(user: str = "u1", project: str = "p1") -> str:
        return tokens.mint(JWT_SECRET, user, projects=[project])

    async def line(self, at: int = 0, *, user: str = "u1", project: str = "p1", **how: Any) -> Line:
        """A client of node ``at``."""
        token = self.token(user, project)
        return await self.stack.enter_async_context(line(self.urls[at], token, **how))

    async def publish(self, channel: str, count: int = 1) -> None:
        await self.writer.publish(channel, count)


@pytest.fixture
async def cluster(settings: Settings) -> AsyncIterator[Cluster]:
    """With a job of 3 events."""
    async with (
        serving(settings) as one,
        serving(settings) as two,
        running_node(settings) as writer,
    ):
        await writer.publish(JOB, 3)
        await writer.store_job(jobs.started(samples.job_started(), samples.T0), writer.ends[JOB])
        made = Cluster([one, two], writer)
        async with made.stack:
            yield made


async def saved(cluster: Cluster, session: Line) -> None:
    """Returns once the line's session can be recovered from; the test fails if that never is."""
    assert session.offset is not None
    key = cluster.writer.keys.session(session.pid, session.offset[:4])
    async with asyncio.timeout(5):
        while b"[" not in (await cluster.writer.redis.get(key) or b""):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def followed(one: Line, channel: str, **position: Any) -> dict[str, Any]:
    """The answer to a successful subscribe."""
    answer = await one.command("subscribe", {"channel": channel, **position})
    assert answer["ok"], answer
    data: dict[str, Any] = answer["data"]
    return data


# -- coming back ----------------------------------------------------------------------------------


async def test_every_event_ends_with_where_the_client_stands(cluster: Cluster) -> None:
    one = await cluster.line()
    await followed(one, JOB)
    await cluster.publish(JOB)
    await one.until(lambda: one.offsets(JOB) == [4])
    await cluster.publish(ALL, 2)
    await one.until(lambda: one.offsets(ALL) == [1, 2])
    strings = [entry[-1] for entry in one.log if entry[0] in ("hello", "event")]
    leg = strings[0][:4]
    assert strings == [f"{leg}2.0.0", f"{leg}3.0.0.4", f"{leg}3.0.1.4", f"{leg}3.0.2.4"]


@pytest.mark.parametrize("at", [0, 1], ids=["the same node", "another node"])
async def test_what_was_missed_follows_hello_before_anything_new(cluster: Cluster, at: int) -> None:
    one = await cluster.line()
    await followed(one, JOB)
    await cluster.publish(USER, 2)
    await one.until(lambda: one.offsets(USER) == [1, 2])
    await saved(cluster, one)
    one.cut()
    await cluster.publish(JOB, 2)
    await cluster.publish(ALL, 3)

    async def go_on() -> None:
        for _ in range(20):
            await cluster.publish(JOB)
            await cluster.publish(ALL)

    publishing = asyncio.create_task(go_on())
    two = await cluster.line(at, back=one)
    assert two.pid == one.pid
    assert two.sid != one.sid
    assert two.hello["recovered"] is True
    assert two.hello["userId"] == "u1"
    assert {each["channel"]: each["offset"] for each in two.hello["channels"]} == {
        USER: 2,
        ALL: 0,
        JOB: 3,
    }
    assert [each["channel"] for each in two.hello["channels"]] == [USER, ALL, JOB]
    await publishing
    await two.until(lambda: two.offsets(JOB)[-1:] == [25] and two.offsets(ALL)[-1:] == [23])
    assert two.log[0][0] == "hello"
    assert two.offsets(JOB) == list(range(4, 26))
    assert two.offsets(ALL) == list(range(1, 24))
    assert two.offsets(USER) == []
    assert two.named("reset") == []


async def test_again_and_again_from_wherever_the_line_broke(cluster: Cluster) -> None:
    """Also when it broke before anything came: then the string is of the connection before."""
    got: list[int] = []
    current = await cluster.line()
    await followed(current, JOB)
    for turn in range(6):
        await cluster.publish(JOB)
        if turn % 2:
            await current.until(lambda: current.offsets(JOB))  # noqa: B023
        await saved(cluster, current)
        current.cut()
        await current.until(lambda: current.closed)  # noqa: B023 - what it had read counts, too
        got += current.offsets(JOB)
        await cluster.publish(JOB)
        before, current = current, await cluster.line(turn % 2, back=current)
        assert current.pid == before.pid
        if turn == 3:
            current.offset = before.offset  # as if not even hello had come
            current.log.clear()
            before, current = current, await cluster.line(back=current)
            assert current.pid == before.pid
        await current.until(lambda: current.offsets(JOB))  # noqa: B023
    await cluster.publish(JOB)
    await current.until(lambda: current.offsets(JOB)[-1] == 16)
    got += current.offsets(JOB)
    assert got == list(range(4, 17))


async def test_the_very_first_event_of_a_log_counts(cluster: Cluster) -> None:
    one = await cluster.line()
    await followed(one, NEWS)
    await cluster.publish(NEWS)
    await one.until(lambda: one.offsets(NEWS) == [1])
    await saved(cluster, one)
    one.cut()
    await cluster.publish(NEWS, 2)
    two = await cluster.line(1, back=one)
    await two.until(lambda: two.offsets(NEWS) == [2, 3])
    assert two.hello["recovered"]


async def test_channels_of_connect_are_ignored_by_a_recovered_client(cluster: Cluster) -> None:
    one = await cluster.line()
    await followed(one, JOB)
    await saved(cluster, one)
    one.cut()
    two = await cluster.line(back=one, channels={JOB: {"offset": 0}, NEWS: {"offset": 0}})
    assert two.hello["recovered"]
    assert [each["channel"] for each in two.hello["channels"]] == [USER, ALL, JOB]
    assert two.offsets(JOB) == []


async def test_who_subscribes_whenever_it_connects_gets_nothing_twice(cluster: Cluster) -> None:
    """It sends what it has before it sees that it was recovered and what that brought."""
    one = await cluster.line()
    data = await followed(one, JOB)
    await saved(cluster, one)
    one.cut()
    await cluster.publish(JOB, 4)
    two = await cluster.line(back=one)
    again = await followed(two, JOB, epoch=data["epoch"], offset=3)
    assert two.offsets(JOB) == [4, 5, 6, 7]
    assert (again["mode"], again["events"], again["offset"]) == ("REPLAYED", [], 7)
    await cluster.publish(JOB)
    await two.until(lambda: two.offsets(JOB) == [4, 5, 6, 7, 8])
    asked = await followed(two, JOB, epoch=data["epoch"], offset=3)
    assert [event["offset"] for event in asked["events"]] == [4, 5, 6, 7, 8]


async def test_who_has_less_than_it_said_gets_what_it_asks_for(cluster: Cluster) -> None:
    one = await cluster.line()
    data = await followed(one, JOB)
    await saved(cluster, one)
    one.cut()
    two = await cluster.line(back=one)
    again = await followed(two, JOB, epoch=data["epoch"], offset=1)
    assert [event["offset"] for event in again["events"]] == [2, 3]


async def test_a_polling_client_that_subscribes_behind_a_long_replay(cluster: Cluster) -> None:
    """What it is sent waits in the outbox, and so does the answer, which must fit in there."""
    one = await cluster.line()
    data = await followed(one, JOB)
    await saved(cluster, one)
    one.cut()
    await cluster.publish(JOB, 40)
    async with endpoint(cluster.urls[0], "socket.io") as http:
        sid = await http.open()
        auth = {"token": cluster.token(), "pid": one.pid, "offset": one.offset}
        await http.post(sid, "40" + json.dumps(auth))
        payload = {"channel": JOB, "epoch": data["epoch"], "offset": 3}
        await http.post(sid, "421" + json.dumps(["subscribe", payload]))
        await cluster.publish(JOB, 2)
        got: list[list[Any]] = []
        while sum(entry[0] == "event" for entry in got) < 42:
            packets = (await http.get(sid)).body.split("\x1e")
            got += [json.loads(p[p.index("[") :]) for p in packets if p[:2] in ("42", "43")]
    events = [entry[1]["offset"] for entry in got if entry[0] == "event"]
    assert events == list(range(4, 46))
    answer = next(entry[0] for entry in got if isinstance(entry[0], dict))
    assert answer["data"]["events"] == []
    at = got.index([answer])
    assert got[at - 1][1]["offset"] == answer["data"]["offset"] == 43
    versions = [entry[-1].partition(".")[0] for entry in got if isinstance(entry[-1], str)]
    assert len(set(versions[:at])) == 1
    assert versions[at] != versions[at - 1]


# -- the list and the string ----------------------------------------------------------------------


async def test_subscribed_and_cut_before_any_event(cluster: Cluster) -> None:
    one = await cluster.line()
    await followed(one, JOB)
    await saved(cluster, one)
    one.cut()
    await cluster.publish(JOB, 2)
    two = await cluster.line(1, back=one)
    await two.until(lambda: two.offsets(JOB) == [4, 5])
    assert two.pid == one.pid


async def test_left_the_first_of_three_and_cut_before_any_event(cluster: Cluster) -> None:
    one = await cluster.line()
    await followed(one, JOB)
    await cluster.publish(ALL)
    await one.until(lambda: one.offsets(ALL) == [1])
    assert (await one.command("unsubscribe", {"channel": USER}))["ok"]
    await saved(cluster, one)
    one.cut()
    for channel in (USER, ALL, JOB):
        await cluster.publish(channel, 2)
    two = await cluster.line(1, back=one)
    await two.until(lambda: two.offsets(JOB) == [4, 5] and two.offsets(ALL) == [2, 3])
    assert two.pid == one.pid
    assert [each["channel"] for each in two.hello["channels"]] == [ALL, JOB]
    await cluster.publish(USER)
    await cluster.publish(ALL)
    await two.until(lambda: two.offsets(ALL) == [2, 3, 4])
    assert two.offsets(USER) == []


async def test_a_refused_subscribe_changes_nothing(cluster: Cluster) -> None:
    one = await cluster.line()
    answer = await one.command("subscribe", {"channel": "job:unknown"})
    assert answer["error"]["code"] == "JOB_NOT_FOUND"
    await saved(cluster, one)
    one.cut()
    two = await cluster.line(back=one)
    assert two.pid == one.pid


@pytest.mark.parametrize("command", ["subscribe", "unsubscribe"])
async def test_a_node_that_dies_right_after_the_acknowledgement(
    cluster: Cluster, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not save any more what it had told: nobody may recover from what was before."""
    one = await cluster.line()
    await followed(one, NEWS)
    await saved(cluster, one)
    flush, last = Sessions._flush, asyncio.Event()

    async def dying(self: Sessions) -> bool:
        if last.is_set():
            await asyncio.Event().wait()
        last.set()
        return await flush(self)

    monkeypatch.setattr(Sessions, "_flush", dying)
    channel = JOB if command == "subscribe" else NEWS
    assert (await one.command(command, {"channel": channel}))["ok"]
    monkeypatch.setattr(Sessions, "_flush", flush)
    two = await cluster.line(1, back=one)
    assert two.pid != one.pid
    assert two.hello["recovered"] is False


async def test_without_redis_a_list_does_not_change(
    cluster: Cluster, redis_server: RedisServer
) -> None:
    one = await cluster.line()
    await followed(one, NEWS)
    redis_server.kill()
    for command in ("subscribe", "unsubscribe"):
        began = asyncio.get_running_loop().time()
        answer = await one.command(command, {"channel": NEWS})
        assert answer["error"]["code"] == "UNAVAILABLE"
        assert asyncio.get_running_loop().time() - began < 2.5
    await redis_server.start()
    await saved(cluster, one)
    await cluster.publish(NEWS)
    await one.until(lambda: one.offsets(NEWS) == [1])


async def test_a_client_of_too_many_channels_starts_afresh(cluster: Cluster) -> None:
    one = await cluster.line()
    for n in range(63):
        await followed(one, f"topic:{n}")
    await cluster.publish("topic:1")
    await one.until(lambda: one.offsets("topic:1") == [1])
    assert one.offset == "1"
    one.cut()
    two = await cluster.line(back=one)
    assert two.pid != one.pid


# -- who, and for how long ------------------------------------------------------------------------


async def test_another_users_token_gets_a_session_of_its_own(cluster: Cluster) -> None:
    one = await cluster.line()
    await followed(one, JOB)
    await cluster.publish(USER)
    await one.until(lambda: one.offsets(USER) == [1])
    await saved(cluster, one)
    one.cut()
    await cluster.publish(USER)
    thief = await cluster.line(user="u2", back=one)
    assert thief.pid != one.pid
    assert thief.hello["recovered"] is False
    assert [each["channel"] for each in thief.hello["channels"]] == ["user:u2", ALL]
    assert thief.offsets(USER) == []
    two = await cluster.line(back=one)
    assert two.pid == one.pid


async def test_a_lost_permission_is_a_fresh_start(cluster: Cluster) -> None:
    one = await cluster.line()
    await followed(one, JOB)
    await saved(cluster, one)
    one.cut()
    await cluster.publish(JOB, 2)
    two = await cluster.line(back=one, project="p2")
    assert two.pid != one.pid
    assert [each["channel"] for each in two.hello["channels"]] == [USER, ALL]
    await cluster.publish(JOB)
    await cluster.publish(ALL)
    await two.until(lambda: two.offsets(ALL) == [1])
    assert two.offsets(JOB) == []


async def test_a_trimmed_log_is_a_fresh_start_and_a_reset(cluster: Cluster) -> None:
    one = await cluster.line()
    data = await followed(one, JOB)
    await saved(cluster, one)
    one.cut()
    await cluster.publish(JOB, 6)
    await cluster.writer.redis.delete(cluster.writer.keys.log(JOB))
    await cluster.writer.events._events.delete_many({"channel": JOB, "offset": {"$lte": 5}})
    position = {"epoch": data["epoch"], "offset": data["offset"]}
    two = await cluster.line(back=one, channels={JOB: position, ALL: {"offset": 0}})
    assert two.pid != one.pid
    assert two.hello["recovered"] is False
    await two.until(lambda: two.named("reset"))
    assert (two.named("reset")[0]["channel"], two.named("reset")[0]["offset"]) == (JOB, 9)
    await cluster.publish(JOB)
    await two.until(lambda: two.offsets(JOB) == [10])


async def test_a_log_trimmed_while_the_client_returns_is_never_half_replayed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it covers the client's position is known before CONNECT says so."""
    one = await cluster.line()
    await followed(one, JOB)
    await saved(cluster, one)
    one.cut()
    await cluster.publish(JOB, 6)
    missed = joining.missed

    async def trimmed_meanwhile(catch_up: Any, wanted: joining.Wanted, head: Any) -> Any:
        found = await missed(catch_up, wanted, head)
        if wanted.channel != JOB:
            return found
        await cluster.writer.redis.delete(cluster.writer.keys.log(JOB))
        await cluster.writer.events._events.delete_many({"channel": JOB})
        return found

    monkeypatch.setattr("hub.services.following.missed", trimmed_meanwhile)
    two = await cluster.line(back=one)
    assert two.pid == one.pid
    await two.until(lambda: two.offsets(JOB) == list(range(4, 10)))
    two.cut()
    two.offset = one.offset
    three = await cluster.line(back=two)
    assert three.pid != one.pid


async def test_two_lines_of_one_session_each_get_everything_once(cluster: Cluster) -> None:
    """A duplicated client, or the half-open line of a client that came back."""
    one = await cluster.line()
    await followed(one, JOB)
    await saved(cluster, one)
    await cluster.publish(JOB, 2)
    await one.until(lambda: one.offsets(JOB) == [4, 5])
    lines = [one, await cluster.line(0, back=one), await cluster.line(1, back=one)]
    assert len({each.pid for each in lines}) == 1
    await followed(lines[2], NEWS)
    assert (await lines[1].command("unsubscribe", {"channel": ALL}))["ok"]
    await cluster.publish(JOB, 2)
    for each in lines:
        await each.until(lambda: each.offsets(JOB)[-2:] == [6, 7])  # noqa: B023
        await saved(cluster, each)
        each.cut()
    for channel in (JOB, NEWS, ALL):
        await cluster.publish(channel)
    expected = [{USER, ALL, JOB}, {USER, JOB}, {USER, ALL, JOB, NEWS}]
    for each, channels in zip(lines, expected, strict=True):
        back = await cluster.line(1, back=each)
        assert back.pid == one.pid
        assert {position["channel"] for position in back.hello["channels"]} == channels
        await back.until(lambda: back.offsets(JOB) == [8])  # noqa: B023
        assert back.offsets(NEWS) == ([1] if NEWS in channels else [])
        assert back.offsets(ALL) == ([1] if ALL in channels else [])


@pytest.mark.parametrize(
    ("goodbye", "recovered"), [("41", False), ("1", True)], ids=["disconnect", "transport close"]
)
async def test_only_a_client_that_takes_leave_ends_its_session(
    cluster: Cluster, goodbye: str, recovered: bool
) -> None:
    one = await cluster.line()
    await saved(cluster, one)
    await one.say(goodbye)
    if goodbye == "41":
        await cluster.line()  # its save is behind the end of that one
        await asyncio.sleep(0.1)
    two = await cluster.line(back=one)
    assert (two.pid == one.pid) is recovered


async def test_who_is_lost_while_being_let_in_can_return(cluster: Cluster) -> None:
    one = await cluster.line()
    await saved(cluster, one)
    one.cut()
    auth = {"token": cluster.token(), "pid": one.pid, "offset": one.offset}
    async with aiohttp.ClientSession() as http:
        for _ in range(5):
            query = {"EIO": "4", "transport": "websocket"}
            ws = await http.ws_connect(f"{cluster.urls[0]}/socket.io/", params=query)
            await ws.receive()
            await ws.send_str("40" + json.dumps(auth))
            await ws.close()
    two = await cluster.line(back=one)
    assert two.pid == one.pid


async def test_leaving_before_anything_came_ends_the_session_before_as_well(
    cluster: Cluster,
) -> None:
    one = await cluster.line()
    await saved(cluster, one)
    one.cut()
    two = await cluster.line(back=one)
    await two.say("41")
    await asyncio.sleep(0.1)
    two.offset = one.offset
    three = await cluster.line(back=two)
    assert three.pid != one.pid


async def test_a_session_expires(settings: Settings) -> None:
    brief = settings.model_copy(update={"recovery_seconds": 0.6})
    async with serving(brief) as url, AsyncExitStack() as stack, running_node(brief) as writer:
        cluster = Cluster([url], writer)
        stack.push_async_exit(cluster.stack)
        one = await cluster.line()
        await asyncio.sleep(1.5)  # it is kept alive
        await saved(cluster, one)
        one.cut()
        two = await cluster.line(back=one)
        assert two.pid == one.pid
        two.cut()
        await asyncio.sleep(0.8)
        three = await cluster.line(back=two)
        assert three.pid != two.pid


GARBAGE: list[Any] = [
    *(7, True, 1.5, [], {}, "", "x" * 60_000, "\ud83d\ude00" * 24, ["a"], {"pid": "x"}),
]


async def test_garbage_is_connected_afresh(cluster: Cluster) -> None:
    one = await cluster.line()
    await saved(cluster, one)
    assert one.offset is not None
    leg = one.offset[:4]
    marks = [f"{leg}2.٥.5", f"{leg}2.-1.0", f"{leg}2.0.0.0", f"{leg}2.1.0", f"{leg}9.0.0"]
    cases = [(pid, one.offset) for pid in GARBAGE]
    cases += [(one.pid, offset) for offset in [None, *GARBAGE, *marks]]
    for pid, offset in cases:
        async with line(cluster.urls[0], cluster.token(), pid=pid, offset=offset) as fresh:
            assert fresh.refusal is None
            assert fresh.hello["recovered"] is False
            assert fresh.pid not in ("", one.pid)
    assert (await cluster.line(back=one)).pid == one.pid
