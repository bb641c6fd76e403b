"""What is left of a job after its end, and what comes for it then (rule RN10.05.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from config.settings import Settings
from hub.domain.events import Position
from hub.domain.publications import AnyPublication, JobCompleted, StatusChanged
from hub.services.ingest.plan import LivesOverlap, epoch_of
from hub.stores.heads import REMEMBERED
from hub.stores.mongo import INDEXES
from tests.hub.domain import samples
from tests.hub.domain.samples import activity, after, job_event, job_started, scenario
from tests.hub.services.ingest.ledger import Ledger, entries
from tests.support.stores import Opened, opened
from tests.support.wait import eventually

DAY = 86_400.0
CHANNEL = "job:j1"
LIFE: tuple[AnyPublication, ...] = (
    job_started(0),
    job_event(1, StatusChanged("GENERATING")),
    job_event(2, scenario()),
    job_event(3, JobCompleted(1, 0)),
)
ANEW: tuple[AnyPublication, ...] = (
    job_started(10, project_id="p2"),
    job_event(11, StatusChanged("PLANNING")),
)
END = after(4)  # when ``LIFE`` is over


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Opened]:
    async with opened(settings) as found:
        yield found


def lived() -> Ledger:
    ledger = Ledger()
    ledger.process(entries(*LIFE))
    return ledger


def test_a_job_is_kept_for_its_retention_after_its_end_and_not_before() -> None:
    ledger = Ledger()
    plan = ledger.process(entries(*LIFE[:3]))
    assert (plan.ended, ledger.heads[CHANNEL].kept_until) == ({}, None)
    plan = ledger.process(entries(LIFE[3], start=4))
    head = plan.ended[CHANNEL]
    assert head == ledger.heads[CHANNEL]
    assert head.kept_until == END + timedelta(days=1)
    assert head.kept_at(head.kept_until - timedelta(milliseconds=1))
    assert not head.kept_at(head.kept_until)


@pytest.mark.parametrize("end", [JobCompleted(), StatusChanged("CANCELLED")])
def test_a_repeat_of_the_end_ends_it_at_the_same_time(end: Any) -> None:
    ledger = Ledger()
    batch = entries(*LIFE[:3], job_event(3, end))
    first = ledger.process(batch).ended
    assert ledger.process(batch, redelivered=True).ended == first != {}


@pytest.mark.parametrize("late", [job_event(9, scenario()), activity(9), job_started(9)])
def test_while_it_is_kept_what_comes_after_the_end_conflicts(late: AnyPublication) -> None:
    ledger = lived()
    ledger.process(entries(late, start=DAY + 3.999))
    assert [letter.reason.partition(":")[0] for letter in ledger.dead] == ["CONFLICT"]


@pytest.mark.parametrize("late", [job_event(9, scenario()), activity(9)])
def test_afterwards_there_is_no_such_job(late: AnyPublication) -> None:
    ledger = lived()
    ledger.process(entries(late, start=DAY + 4))
    assert [letter.reason.partition(":")[0] for letter in ledger.dead] == ["JOB_NOT_FOUND"]


def test_afterwards_its_id_begins_a_new_life() -> None:
    ledger = lived()
    plan = ledger.process(entries(*ANEW, start=DAY + 4))
    head = ledger.heads[CHANNEL]
    assert plan.reborn == {CHANNEL: after(DAY + 4)}
    assert (head.epoch, head.offset, head.kept_until) == (epoch_of(str(ANEW[0].id)), 1, None)
    assert head.job is not None
    assert (head.job.project_id, head.job.status, head.job.completed_scenarios) == (
        *("p2", "PLANNING"),
        0,
    )
    assert ledger.dead == []


def test_a_repeat_of_its_start_begins_none() -> None:
    ledger = lived()
    plan = ledger.process(entries(LIFE[0], start=DAY + 9), redelivered=True)
    assert (plan.reborn, plan.heads, plan.dead) == ({}, {}, [])


def test_a_repeat_from_a_former_life_changes_nothing_in_the_new_one() -> None:
    ledger = lived()
    former = ledger.events
    ledger.process(entries(*ANEW, start=DAY + 4))
    ledger.events += former  # a writer of that time was late
    plan = ledger.process(entries(*LIFE[1:], start=DAY + 9), redelivered=True)
    assert (plan.append, plan.deliver, plan.heads, plan.dead) == ([], {}, {}, [])


def test_two_lives_are_not_processed_at_once() -> None:
    with pytest.raises(LivesOverlap):
        Ledger().process([*entries(*LIFE), *entries(*ANEW, start=DAY + 4)])


async def kept(stores: Opened) -> list[dict[str, Any]]:
    """The stored events of the job."""
    found = stores.db["events"].find({"channel": CHANNEL}).sort([("epoch", 1), ("offset", 1)])
    return await found.to_list()


async def test_the_store_is_told_when_to_remove_all_of_it(stores: Opened) -> None:
    """The end, some of the events and the start in three batches; then the end once more."""
    ingest = stores.ingest(job_retention=timedelta(minutes=10))
    for some in (LIFE[:1], LIFE[1:3]):
        await stores.publish(some)
        await stores.drain(ingest)
    assert not any("expireAt" in event for event in await kept(stores))
    head = await stores.db["channels"].find_one({"_id": CHANNEL})
    assert head is not None
    assert not {"keptUntil", "expireAt"} & head.keys()
    assert await stores.redis.pttl(stores.keys.log(CHANNEL)) > 3_000_000
    await stores.publish(LIFE[3:])
    await stores.drain(ingest)
    await stores.publish(LIFE)
    await stores.drain(ingest)
    events = await kept(stores)
    head = await stores.db["channels"].find_one({"_id": CHANNEL})
    assert head is not None
    gone: datetime = head["job"]["ended_at"] + timedelta(minutes=10)
    assert [event["expireAt"] for event in events] == [gone] * 3
    assert (head["keptUntil"], head["expireAt"]) == (gone, gone + REMEMBERED)
    assert 0 < await stores.redis.pttl(stores.keys.log(CHANNEL)) <= 600_000
    swept = [
        collection
        for collection, indexes in INDEXES.items()
        for index in indexes
        if index.document.get("expireAfterSeconds") == 0
        and list(index.document["key"]) == ["expireAt"]
    ]
    assert {"events", "channels"} <= set(swept)


async def test_a_new_life_follows_one_that_the_store_has_not_removed(stores: Opened) -> None:
    """Both in one journal; the store's own sweep is late, so the old events have the places."""
    ingest = stores.ingest(job_retention=timedelta(milliseconds=1))
    await stores.publish(LIFE)
    await stores.drain(ingest)
    assert len(await kept(stores)) == 3

    async def over() -> bool:
        return await stores.stores.heads.get(CHANNEL) is None

    await eventually(over)
    await stores.publish(ANEW)
    await stores.drain(ingest)
    events = await kept(stores)
    epoch = epoch_of(str(ANEW[0].id))
    assert [(event["epoch"], event["offset"]) for event in events] == [(epoch, 1)]
    head = await stores.stores.heads.get(CHANNEL)
    assert head is not None
    assert (head.position, head.kept_until) == (Position(epoch, 1), None)
    hot = await stores.hot_log.after(CHANNEL, Position(epoch, 0), 10)
    assert [event.offset for event in hot or []] == [1]


async def test_a_writer_of_the_former_life_changes_nothing_in_the_new_one(stores: Opened) -> None:
    ingest = stores.ingest(job_retention=timedelta(milliseconds=1))
    await stores.publish(LIFE)
    await stores.drain(ingest)
    former = (await stores.stores.heads.read([CHANNEL]))[CHANNEL]
    await stores.publish(ANEW)
    await stores.drain(ingest)
    anew = (await stores.stores.heads.read([CHANNEL]))[CHANNEL]
    await stores.stores.heads.advance([former])
    assert (await stores.stores.heads.read([CHANNEL]))[CHANNEL] == anew != former


async def test_where_no_head_was_left_to_tell_a_collision_does(stores: Opened) -> None:
    """The store removed the head before the events, against all odds."""
    ingest = stores.ingest(job_retention=timedelta(milliseconds=1))
    await stores.publish(LIFE)
    await stores.drain(ingest)
    await stores.db["channels"].delete_one({"_id": CHANNEL})
    await stores.publish(ANEW)
    await stores.drain(ingest)
    assert [(event["offset"], event["_id"]) for event in await kept(stores)] == [
        (1, str(samples.uuid(11)))
    ]
