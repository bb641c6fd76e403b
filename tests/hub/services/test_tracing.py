"""What is noted of events, and that it is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest
from redis.asyncio import Redis

from config.settings import Settings
from hub.broker import keys as key_names
from hub.broker.connect import open_redis
from hub.broker.traces import KEPT, STEPS_AT_MOST, TraceStore
from hub.delivery.members import Subscriber
from hub.delivery.message import Message
from hub.delivery.outbox import Told
from hub.delivery.witness import Witness
from hub.domain import ids, times
from hub.domain.events import Encoded, Event
from hub.domain.traces import Sample, Step
from hub.services import tracing
from hub.services.tracing import EVENTS_PER_SECOND, Tracer
from tests.support.wait import eventually

CHANNEL = "user:u1"


class Socket:
    """A connection of ``u1``. ``written``: what it says of what it was delivered."""

    door = "SSE"

    def __init__(self, sid: str, *, written: bool | None = True) -> None:
        self.sid = sid
        self.told: list[Told] = []
        self._written = written

    def written(self, channel: str, told: Told) -> bool | None:
        assert channel in (CHANNEL, "user:u2")
        self.told.append(told)
        return self._written

    @property
    def principal(self) -> Any:
        return self

    user_id = "u1"


def message(event_id: str, channel: str = CHANNEL) -> Message:
    event = Event(
        id=event_id,
        channel=channel,
        epoch="e",
        offset=1,
        type="T",
        data={},
        timestamp=times.now(),
    )
    return Message(channel, "e", Encoded(1, event.encode()))


class Scene:
    def __init__(self, redis: Redis, share: float) -> None:
        self.redis = redis
        self.store = TraceStore(redis)
        self.witness = Witness()
        self.tracer = Tracer(self.store, "n1", share, self.witness)

    def looked_at(self) -> bool:
        return self.witness.look is not None

    def pass_on(self, event_id: str, *sockets: Socket, channel: str = CHANNEL) -> None:
        if self.witness.look is not None:
            members = cast("list[Subscriber]", list(sockets))
            self.witness.look([message(event_id, channel)], members)

    async def steps(self, event_id: str, count: int) -> list[Step]:
        found: list[Step] = []

        async def complete() -> bool:
            found[:] = [
                msgspec.json.decode(raw, type=Step) for raw in await self.store.steps(event_id)
            ]
            return len(found) >= count

        await eventually(complete)
        return found


@asynccontextmanager
async def scene(settings: Settings, share: float) -> AsyncIterator[Scene]:
    async with open_redis(settings.redis_url or "") as redis:
        made = Scene(redis, share)
        running = asyncio.create_task(made.tracer.run())
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.wait([running])


def test_a_sample_is_about_its_share_and_the_same_for_everybody() -> None:
    some = [ids.uuid7().encode() for _ in range(4000)]
    taken = [each for each in some if Sample(0.1).takes(each)]
    assert 200 < len(taken) < 700
    assert taken == [each for each in some if Sample(0.1).takes(each)]
    assert all(Sample(1).takes(each) for each in some)
    assert not any(Sample(0).takes(each) for each in some)
    assert not Sample(0)


async def test_nobody_looks_unless_something_is_traced(settings: Settings) -> None:
    async with scene(settings, 0) as off:
        assert not off.looked_at()
        await off.store.watch([CHANNEL])
        await off.tracer.look_up()
        assert off.looked_at()
        off.pass_on(seen := ids.uuid7(), Socket("s1"))
        off.pass_on(other := ids.uuid7(), Socket("s1"), channel="user:u2")
        assert [each.step for each in await off.steps(seen, 2)] == ["ROUTED", "WRITTEN"]
        assert await off.store.steps(other) == []
        await off.redis.hset(key_names.TAILS, CHANNEL, 1)  # its time is over
        await off.tracer.look_up()
        assert not off.looked_at()
        assert await off.redis.hlen(key_names.TAILS) == 0


async def test_a_write_is_done_when_the_client_has_read_what_was_before(settings: Settings) -> None:
    async with scene(settings, 1) as on:
        slow, quick, event_id = Socket("slow", written=None), Socket("quick"), ids.uuid7()
        on.pass_on(event_id, slow, quick)
        assert {each.sid for each in (await on.steps(event_id, 2))[1:]} == {"quick"}
        (told,) = slow.told
        told(True)
        told(False)  # is too late
        (late,) = [each for each in await on.steps(event_id, 3) if each.sid == "slow"]
        assert late.step == "WRITTEN"
        assert late.at is not None


async def test_a_write_that_never_happens_has_no_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(settings, 1) as on:
        dead, stuck, event_id = Socket("dead", written=None), Socket("stuck"), ids.uuid7()
        on.pass_on(event_id, dead, Socket("lags", written=False), stuck)
        dead.told[0](False)
        found = await on.steps(event_id, 4)
        assert {each.sid: each.at is None for each in found[1:]} == {
            "dead": True,
            "lags": True,
            "stuck": False,
        }
        monkeypatch.setattr(tracing, "_PATIENCE", 0.0)
        on.pass_on(late := ids.uuid7(), silent := Socket("silent", written=None))
        assert [each.at is None for each in await on.steps(late, 2)] == [False, True]
        silent.told[0](True)  # nobody waits for it any more
        await asyncio.sleep(0)
        assert on.tracer._noted == 0


async def test_traces_are_bounded_and_expire(settings: Settings) -> None:
    async with scene(settings, 1) as on:
        many = [Socket(f"s{number}") for number in range(500)]
        crowded = ids.uuid7()
        on.pass_on(crowded, *many)
        assert len(await on.steps(crowded, 201)) == 201
        assert 0 < await on.redis.ttl(key_names.trace(crowded)) <= KEPT
        await on.store.add({crowded: [b"{}"] * (2 * STEPS_AT_MOST)}, {})
        assert await on.redis.llen(key_names.trace(crowded)) == STEPS_AT_MOST
        flood = [ids.uuid7() for _ in range(5 * EVENTS_PER_SECOND)]
        for event_id in flood:
            on.pass_on(event_id, Socket("s"))
        last = ids.uuid7()
        await on.store.watch([CHANNEL])
        await on.tracer.look_up()
        on.pass_on(last, Socket("s"))  # of a tail, so beside the others
        await on.steps(last, 2)
        noted = [await on.redis.exists(key_names.trace(event_id)) for event_id in flood]
        assert 0 < sum(noted) <= 2 * EVENTS_PER_SECOND


@pytest.mark.parametrize("share", [0.0, 1.0])
async def test_ingest_notes_what_it_stored(settings: Settings, share: float) -> None:
    async with scene(settings, share) as one:
        event_id = ids.uuid7()
        event = Event(
            id=event_id,
            channel=CHANNEL,
            epoch="e",
            offset=1,
            type="T",
            data={},
            timestamp=times.now(),
        )
        assert one.tracer.active == bool(share)
        one.tracer.stored([event])
        if share:
            (step,) = await one.steps(event_id, 1)
            assert (step.step, step.node, step.type) == ("STORED", "n1", "T")
        else:
            assert one.tracer._noted == 0
