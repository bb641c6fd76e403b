"""Carrying a batch out: stored, told, acknowledged, in this order and each step repeatable."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from hub import metrics
from hub.broker.hotlog import Batch, HotLog
from hub.broker.journal import DeadLetter, Entry, Journal, PartitionReader
from hub.domain.events import Event, Position
from hub.services.inbox import announcing
from hub.services.inbox.stores import InboxStores
from hub.services.inbox.unread import Unreads
from hub.services.ingest.inboxes import Accepted, InboxWriter, replaces
from hub.services.ingest.plan import (
    DEFAULT_RETENTION,
    JOB_RETENTION,
    OutOfStep,
    Plan,
    Planner,
    parse,
)
from hub.services.tracing import Tracer
from hub.stores.events import AlreadyStored, Events
from hub.stores.heads import Heads
from hub.telemetry import Spans

_ATTEMPTS = 5
_OVERLOOKED = 1000

STEPS = (
    *("inboxed", "planned", "stored", "folded", "announced"),
    *("expiring", "told", "dated", "forwarded", "buried", "acknowledged"),
)
"""The points between which a process may die; ``on_step`` is called at each."""


class Contended(Exception):
    """Another writer keeps storing events of the same channels: the lease is not ours any more."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a batch is written."""

    events: Events
    heads: Heads
    inboxes: InboxStores


def _nothing(_: str) -> None:
    """The default for ``on_step``."""


class Ingest:
    """Processes batches of one partition's journal.

    In normal operation a batch costs a number of MongoDB round trips that does not depend on its
    size. Three for any: read heads, append events, advance heads. Eight more when it has
    notifications to users: read members, store items, raise versions, and count (five). With dedupe
    keys, two more, of which one tells what of the batch is stored already; so does one where the
    batch was read before. Marks: three more, and six when any of them means everything (of which
    five are reads). Announcements: four more, two of them after they were told. Ends of jobs: one
    more, and jobs that are started anew another.

    ``retention``: how long notifications count; ``job_retention``: how long jobs are kept after
    their end.
    """

    def __init__(
        self,
        stores: Stores,
        hot_log: HotLog,
        journal: Journal,
        partitions: int,
        on_step: Callable[[str], None] = _nothing,
        retention: timedelta = DEFAULT_RETENTION,
        job_retention: timedelta = JOB_RETENTION,
        tracer: Tracer | None = None,
    ) -> None:
        self._stores = stores
        self._hot_log = hot_log
        self._journal = journal
        self._partitions = partitions
        self._on_step = on_step
        self._retention = retention
        self._job_retention = job_retention
        self._tracer = tracer
        self._unreads = Unreads(stores.inboxes)

    async def process(
        self, reader: PartitionReader, entries: Sequence[Entry], *, redelivered: bool
    ) -> Plan:
        """Stores, tells and acknowledges ``entries``; returns what they came to.

        ``redelivered``: they may have been processed in part. Raises ``PyMongoError``,
        ``RedisError``, ``Contended`` or ``LivesOverlap``; the entries are then still pending and
        nothing is lost.
        """
        accepted, malformed = parse(entries, reader.partition, self._partitions)
        given = {each.id: each.entry.traceparent for each in accepted if each.entry.traceparent}
        spans = _spans(given, reader.partition)
        failure: BaseException | None = None
        try:
            with metrics.INGEST_BATCH.timed():
                return await self._process(
                    reader,
                    entries,
                    accepted,
                    malformed,
                    redelivered=redelivered,
                    traces={} if spans is None else spans.parents,
                )
        except BaseException as error:
            failure = error
            raise
        finally:
            if spans is not None:
                spans.end(failure)

    async def _process(
        self,
        reader: PartitionReader,
        entries: Sequence[Entry],
        accepted: Sequence[Accepted],
        malformed: Sequence[DeadLetter],
        *,
        redelivered: bool,
        traces: Mapping[str, str],
    ) -> Plan:
        plan = await self._store(accepted, redelivered=redelivered)
        metrics.INGESTED.add(len(plan.append))
        if self._tracer is not None and self._tracer.active:
            self._tracer.stored(plan.append)
        self._on_step("stored")
        await self._stores.heads.advance(list(plan.heads.values()))
        self._on_step("folded")
        noted = await announcing.announce(self._stores.inboxes, plan.announcements)
        self._on_step("announced")
        await self._stores.events.expire(plan.ended.values())
        self._on_step("expiring")
        await self._hot_log.publish(list(_batches(plan, traces)), kept_until=_ends(plan))
        self._on_step("told")
        await announcing.date(self._stores.inboxes, noted)
        self._on_step("dated")
        if plan.forward:
            await self._journal.append(plan.forward, _of_forward(plan, traces))
        self._on_step("forwarded")
        if letters := [*malformed, *plan.dead]:
            metrics.BURIED.add(len(letters))
            await reader.bury(letters)
        self._on_step("buried")
        await reader.acknowledge(entries)
        self._on_step("acknowledged")
        return plan

    async def _store(self, accepted: Sequence[Accepted], *, redelivered: bool) -> Plan:
        """Plans and appends the events; again, knowing more, where a first plan did not fit."""
        known, collided = redelivered or any(map(replaces, accepted)), False
        writer = InboxWriter(self._stores.inboxes, self._unreads, self._retention)
        for _ in range(_ATTEMPTS):
            try:
                plan = await self._plan(accepted, writer, known=known, collided=collided)
            except OutOfStep:
                collided = True
                continue
            if plan.doubtful:
                known = True
                continue
            self._on_step("planned")
            await self._stores.events.sweep(_former_lives(plan, collided=collided))
            try:
                await self._stores.events.append(plan.append)
            except AlreadyStored:
                known = collided = True
                continue
            return plan
        raise Contended

    async def _plan(
        self, accepted: Sequence[Accepted], writer: InboxWriter, *, known: bool, collided: bool
    ) -> Plan:
        channels = {each.publication.channel for each in accepted}
        heads = await self._stores.heads.read(channels) if channels else {}
        stored = await self._stores.events.by_ids(each.id for each in accepted) if known else {}
        inboxes = await writer.prepare(accepted, stored)
        self._on_step("inboxed")
        overlooked: list[Event] = []
        if collided:
            for channel in channels:
                end = heads[channel].position if channel in heads else Position("", 0)
                overlooked += await self._beyond(channel, end)
        planner = Planner(
            heads,
            stored,
            stored_is_known=known,
            inboxes=inboxes,
            retention=self._retention,
            job_retention=self._job_retention,
        )
        return planner.plan(accepted, overlooked)

    async def _beyond(self, channel: str, end: Position) -> list[Event]:
        return await self._stores.events.after(channel, end, limit=_OVERLOOKED)


def _former_lives(plan: Plan, *, collided: bool) -> Mapping[str, datetime]:
    """What the store may not have removed yet, and would take the places of new events. Where no
    head was left to tell, a collision does."""
    if not collided:
        return plan.reborn
    started = {name: head.job.started_at for name, head in plan.heads.items() if head.job}
    return started | plan.reborn


def _ends(plan: Plan) -> Mapping[str, datetime]:
    """Until when hot logs may stay, of jobs that have ended."""
    ends = plan.ended.values()
    return {head.channel: head.kept_until for head in ends if head.kept_until is not None}


def _spans(given: Mapping[str, str], partition: int) -> Spans | None:
    """Of a batch's publications that belong to traces, if any does."""
    return Spans("hub.ingest", given, "hub.id", {"hub.partition": partition}) if given else None


def _of_forward(plan: Plan, traces: Mapping[str, str]) -> Mapping[str, str]:
    """Which traces what is put on the journals belongs to."""
    if not traces:
        return traces
    return {id_: traces[cause] for id_, cause in plan.causes.items() if cause in traces}


def _batches(plan: Plan, traces: Mapping[str, str]) -> Iterable[Batch]:
    """What is to be told, cut where offsets are not consecutive."""
    for channel, events in plan.deliver.items():
        ordered = [events[offset] for offset in sorted(events)]
        runs = groupby(enumerate(ordered), key=lambda item: item[1].offset - item[0])
        for _, run in runs:
            consecutive = [event for _, event in run]
            first = consecutive[0]
            envelopes = [event.encode() for event in consecutive]
            traced = {}
            if traces:
                traced = {e.offset: traces[e.id] for e in consecutive if e.id in traces}
            yield Batch(channel, first.epoch, first.offset, envelopes, traced)
