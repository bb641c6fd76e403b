"""Batches on real stores: killed at each step, repeated, contended, and their round trips."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from config.settings import Settings
from hub.broker.hotlog import parse_live
from hub.broker.journal import PartitionReader
from hub.domain import ids, jobs
from hub.domain.channels import job_channel, partition_of, user_channel
from hub.domain.events import Position
from hub.services.ingest.batch import STEPS
from tests.support.process import Program, environment
from tests.support.stores import Opened, opened
from workers import Publisher
from workers.messages import build

JOB = "j1"
CHANNEL = job_channel(JOB)
PARTITION = partition_of(CHANNEL, 16)


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Opened]:
    async with opened(settings) as found:
        yield found


def job_publications(scenarios: int, job_id: str = JOB) -> list[Any]:
    """A job from its start to its end, important, with a watcher."""
    common = {"kind": "JOB", "jobId": job_id}
    start = {
        "type": "JOB_STARTED",
        "projectId": "p1",
        "ownerId": "u1",
        "watcherIds": ["u2"],
        "important": True,
        "totals": {"scenarios": scenarios},
    }
    found = [build({**common, **start})]
    for number in range(scenarios):
        data = {
            "scenarioId": f"s{number}",
            "featureId": "f1",
            "featureName": "F",
            "title": "T",
            "stepsCount": 2,
        }
        found.append(build({**common, "type": "SCENARIO_COMPLETED", "data": data}))
    end = {"type": "JOB_COMPLETED", "data": {"passed": scenarios, "failed": 0}}
    return [*found, build({**common, **end})]


async def everything(stores: Opened) -> dict[str, Any]:
    """All that is visible of the stores, without what depends on the time."""
    events = await stores.db["events"].find().sort([("channel", 1), ("offset", 1)]).to_list()
    heads = await stores.db["channels"].find().sort("_id", 1).to_list()
    items = await stores.db["notifications"].find().sort("id", 1).to_list()
    logs = {}
    for head in heads:
        epoch = Position(head["epoch"], 0)
        hot = await stores.hot_log.after(head["_id"], epoch, 1000)
        logs[head["_id"]] = [event.offset for event in hot or []]
    return {
        "events": [(e["channel"], e["offset"], e["_id"], e["type"]) for e in events],
        "heads": [(h["_id"], h["offset"]) for h in heads],
        "job": next((h["job"]["completed_scenarios"] for h in heads if "job" in h), None),
        "items": [(i["id"], i["recipient"]) for i in items],
        "hot": logs,
        "dead": [await stores.redis.xlen(stores.keys.dead(n)) for n in range(16)],
        "left": [await stores.redis.xlen(stores.keys.journal(n)) for n in range(16)],
    }


def expected(publications: list[Any]) -> dict[str, Any]:
    """What must be there once everything was processed, worked out by hand."""
    owner = [user_channel("u1"), user_channel("u2")]
    end = str(publications[-1].id)
    notified = {channel: ids.derived_id(end, channel) for channel in owner}
    types = ["SCENARIO_COMPLETED"] * (len(publications) - 2) + ["JOB_COMPLETED"]
    job = [
        (CHANNEL, offset, str(publication.id), type_)
        for offset, (publication, type_) in enumerate(
            zip(publications[1:], types, strict=True), start=1
        )
    ]
    told = [(channel, 1, notified[channel], "NOTIFICATION_CREATED") for channel in owner]
    return {
        "events": [*job, *told],
        "heads": [(CHANNEL, len(job)), *((channel, 1) for channel in owner)],
        "job": len(publications) - 2,
        "items": sorted((notified[channel], channel.partition(":")[2]) for channel in owner),
        "hot": {CHANNEL: list(range(1, len(job) + 1)), owner[0]: [1], owner[1]: [1]},
        "dead": [0] * 16,
        "left": [0] * 16,
    }


@pytest.mark.parametrize("step", STEPS)
async def test_a_worker_killed_at_any_step_loses_and_repeats_nothing(
    stores: Opened, step: str
) -> None:
    env = environment(stores.settings)
    dying = Program(["tests.support.dying_ingest", step], env)
    await dying.start()
    publications = job_publications(5)
    await stores.publish(publications)
    assert await dying.ended() == -9
    left = await stores.redis.xlen(stores.keys.journal(PARTITION))
    assert (left > 0) == (step != "acknowledged"), "it died where it should"

    await stores.drain(stores.ingest(), redelivered=True)
    await stores.drain(stores.ingest())
    assert await everything(stores) == expected(publications)


async def test_repeating_a_whole_journal_changes_nothing(stores: Opened) -> None:
    publications = job_publications(5)
    for _ in range(3):
        await stores.publish(publications)
        await stores.drain(stores.ingest())
    await stores.publish([*publications, *reversed(publications)])
    await stores.drain(stores.ingest())
    assert await everything(stores) == expected(publications)


async def test_two_writers_at_once_make_one_log(stores: Opened) -> None:
    """A worker that was suspended goes on with a batch that its successor has begun."""
    publications = job_publications(6)
    reader = PartitionReader(stores.redis, stores.keys, PARTITION)
    await stores.publish(publications[:4])
    batch = await stores.entries(reader)

    async def successor() -> None:
        await stores.publish(publications[4:])
        await stores.drain(stores.ingest(), redelivered=True)
        await stores.drain(stores.ingest())

    class Suspended(BaseException):
        """Stands for SIGSTOP right before the write."""

    def suspend(step: str) -> None:
        if step == "planned":
            raise Suspended

    with pytest.raises(Suspended):
        await stores.ingest(on_step=suspend).process(reader, batch, redelivered=False)
    await successor()
    await stores.ingest().process(reader, batch, redelivered=False)
    assert await everything(stores) == expected(publications)


async def test_interleaved_writers_never_fork_a_log(stores: Opened) -> None:
    """The second writer stores events between the first one's reading and writing."""
    first = job_publications(4)
    reader = PartitionReader(stores.redis, stores.keys, PARTITION)
    await stores.publish(first[:3])
    batch = await stores.entries(reader)
    await stores.ingest().process(reader, batch, redelivered=False)
    await stores.publish(first[3:])
    rest = await stores.entries(reader)

    # What another writer would have stored first: the same publications, with their offsets.
    other = stores.ingest(on_step=lambda step: _fail_at("stored", step))
    with pytest.raises(_Cut):
        await other.process(reader, rest, redelivered=False)
    await stores.ingest().process(reader, rest, redelivered=False)
    await stores.drain(stores.ingest())
    assert await everything(stores) == expected(first)


class _Cut(BaseException):
    """The writer stops here."""


def _fail_at(wanted: str, step: str) -> None:
    if step == wanted:
        raise _Cut


class Trips(CommandListener):
    """Counts commands that read or write documents."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in {"find", "insert", "update", "aggregate", "getMore", "delete"}:
            self.names.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


@pytest.mark.parametrize("scenarios", [1, 10, 100, 400])
async def test_round_trips_do_not_depend_on_the_size_of_a_batch(
    settings: Settings, scenarios: int
) -> None:
    trips = Trips()
    async with opened(settings, [trips]) as stores:
        publications = job_publications(scenarios)
        notices = [
            build(
                {
                    "kind": "NOTIFICATION",
                    "to": {"users": [user]},
                    "type": "a.b",
                    "title": "t",
                    "body": "b",
                }
            )
            for user in map(str, range(2000))
            if partition_of(user_channel(user), 16) == PARTITION
        ][: max(1, scenarios // 4)]
        await stores.publish([*publications, *notices])
        reader = PartitionReader(stores.redis, stores.keys, PARTITION)
        entries = await stores.entries(reader)
        assert len(entries) == min(500, len(publications) + len(notices))
        await stores.ingest().process(reader, entries, redelivered=False)
        read, write, inbox = ["find"], ["insert"], ["find", "insert", "update"]
        count = ["find", "aggregate", "find", "update"]
        advance, expire = ["update"], ["update"]
        assert trips.names == [*read, *inbox, *count, *write, *advance, *expire]


async def test_what_can_never_be_processed_is_buried_with_its_reason(stores: Opened) -> None:
    good = job_publications(1)
    late = build({"kind": "ACTIVITY", "jobId": JOB, "activity": {"featureName": "late"}})
    await stores.publish([*good, late])
    journal = stores.keys.journal(PARTITION)
    bad = [b"{", b"[]", b'{"kind":"JOB"}', json.dumps({"kind": "NOPE"}).encode()]
    for raw in bad:
        await stores.redis.xadd(journal, {"p": raw})
    await stores.redis.xadd(journal, {"unexpected": "field"})
    foreign = build({"kind": "ACTIVITY", "jobId": "elsewhere", "activity": {}})
    assert partition_of(foreign.channel, 16) != PARTITION
    await stores.redis.xadd(journal, {"p": foreign.encode()})
    await stores.drain(stores.ingest())

    letters: Any = await stores.redis.xrange(stores.keys.dead(PARTITION))
    reasons = [fields[b"reason"].decode() for _, fields in letters]
    assert [fields[b"p"] for _, fields in letters][:4] == bad
    assert [reason.partition(":")[0] for reason in reasons] == [
        *["INVALID_REQUEST"] * 6,
        "CONFLICT",
    ]
    assert "partition" in reasons[5]
    found = await everything(stores)
    found["dead"] = [0] * 16
    assert found == expected(good)


async def test_a_snapshot_is_what_the_stored_events_make_of_the_start(stores: Opened) -> None:
    publications = job_publications(15)
    await stores.publish(publications[:1])
    await stores.drain(stores.ingest())
    start = (await stores.stores.heads.read([CHANNEL]))[CHANNEL]
    for some in (publications[1:4], publications[4:9], publications[9:]):
        await stores.publish(some)
        await stores.drain(stores.ingest())
        head = (await stores.stores.heads.read([CHANNEL]))[CHANNEL]
        log = await stores.stores.events.after(CHANNEL, Position(head.epoch, 0), limit=99)
        assert start.job is not None
        assert jobs.rebuild(start.job, log) == head.job
        assert head.offset == len(log)


async def test_what_goes_live_is_what_was_stored(stores: Opened) -> None:
    publications = job_publications(3)
    heard = stores.redis.pubsub()
    await heard.subscribe(stores.keys.live(CHANNEL))
    await stores.publish(publications)
    await stores.drain(stores.ingest())
    while True:
        message = await heard.get_message(ignore_subscribe_messages=True, timeout=5)
        if message is not None:
            break
    batch = parse_live(CHANNEL, message["data"])
    assert (batch.first, batch.last) == (1, 4)
    stored = await stores.stores.events.after(CHANNEL, Position(batch.epoch, 0), limit=10)
    assert batch.envelopes == [event.encode() for event in stored]
    await heard.aclose()  # type: ignore[no-untyped-call]


async def test_a_publisher_can_stand_in_for_the_journal(stores: Opened) -> None:
    async with Publisher(stores.settings.redis_url or "") as hub:
        job = hub.job(JOB, project_id="p1", owner_id="u1")
        await job.start()
        sent = await job.progress(12.345, "on the way")
    await stores.drain(stores.ingest())
    event = (await stores.stores.events.by_ids([sent]))[sent]
    assert event.data == {"percentage": 12.345, "message": "on the way"}
    assert event.progress is not None
    assert event.progress["percentage"] == 12.35
