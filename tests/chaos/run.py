"""One run: everything is started, the load and the faults run side by side, everybody is given
time to catch up, and what came of it is judged."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos import readers
from tests.chaos.checker import Event, Seen, Tally, judge_client, logs_of
from tests.chaos.cluster import Cluster, bare_cluster, hub_cluster
from tests.chaos.crowd import DEVICES, Crowd, Service, cast, crowd
from tests.chaos.faults import inflict
from tests.chaos.followers import Follower, followers
from tests.chaos.inboxes import judge_inboxes
from tests.chaos.ledger import Head, Ledger, Stored, judge_store
from tests.chaos.load import BareVoice, HubVoice, Voice, mark, publish
from tests.chaos.marks import Marks, judge_marks
from tests.chaos.schedule import Fault
from tests.support import protocol

_CATCH_UP: Final = 45.0  # seconds that everybody has at the end, at most
_START: Final = 45.0
_POLL: Final = 0.25
_REPORT: Final = 10.0
_MARKS: Final = 0.05  # of the rate
_MISFITS: Final = 20  # examples of messages that are not as described

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of."""

    seed: int
    seconds: float
    rate: float
    clients: int
    faults: Sequence[Fault]

    @property
    def users(self) -> int:
        """Whose the clients are."""
        return -(-self.clients // DEVICES)

    @property
    def marks(self) -> float:
        """Marks per second."""
        return self.rate * _MARKS


@dataclass
class Outcome:
    """What came of a run. ``tallies``: by kind of client. ``ledger``, ``marks``: None where
    nothing is stored. ``problems``: what else went wrong."""

    service: Service
    tallies: dict[str, Tally]
    faults: Counter[str]
    published: int
    ledger: Ledger | None = None
    marks: Marks | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """How many promises were broken."""
        ledger = 0 if self.ledger is None else self.ledger.wrong
        marks = 0 if self.marks is None else self.marks.wrong
        return (
            ledger + marks + len(self.problems) + sum(each.wrong for each in self.tallies.values())
        )

    @property
    def examples(self) -> list[str]:
        """Some of what is wrong."""
        found = [*self.problems, *(self.ledger.examples if self.ledger else [])]
        found += self.marks.examples if self.marks else []
        return found + [example for each in self.tallies.values() for example in each.examples]


async def run_hub(plan: Plan, folder: Path, tell: Tell) -> Outcome:
    """The hub, with its stores, ingest workers and nodes."""
    async with hub_cluster(folder) as cluster:
        assert cluster.settings is not None
        voice = HubVoice(cluster.redis_url, plan.users, plan.seed)
        stores = readers.Stores(cluster.settings, cluster.redis_url)
        try:
            return await _with_hub(plan, cluster, voice, stores, tell)
        finally:
            await voice.close()
            await stores.close()


async def _with_hub(
    plan: Plan, cluster: Cluster, voice: HubVoice, stores: readers.Stores, tell: Tell
) -> Outcome:
    names = await voice.open()
    begun = await _begun(stores, names)
    castings = list(cast(plan.clients))
    async with (
        followers(cluster.url, {name: head.epoch for name, head in begun.items()}) as others,
        crowd(cluster.url, castings, bare=False) as clients,
    ):
        await _until(clients.all_follow, _START, "all clients follow")
        tell(f"{len(clients)} Socket.IO clients and {len(others)} others follow")
        faults = await _storm(plan, cluster, voice, clients, others, tell, marks=plan.marks)
        await voice.end()
        await _until(clients.has_marked, _START, "all marks are answered or given up")
        problems = await _caught_up(stores, clients, others, tell)
        seen, service, marks = await clients.report()
        seen += [each.seen for each in others]
        states = await stores.states()
        stored = await stores.everything({name: head.epoch for name, head in begun.items()})
        tell(f"{len(marks)} marks, {sum(each.answered is not None for each in marks)} answered")
        problems += await judge_inboxes(cluster, clients)
    histories, progress = await readers.polled(cluster.url)
    problems += [
        f"{name}: the snapshot is at {at}, the log at {stored.heads[name]}"
        for name, at in progress.items()
        if at != stored.heads[name]
    ]
    problems += [f"{name} died by itself" for name in cluster.deaths]
    problems += list(dict.fromkeys(protocol.take()))[:_MISFITS]
    ledger = judge_store(voice.publications, stored)
    return Outcome(
        service,
        _tallies([*seen, *histories], stored.events),
        faults,
        ledger.acknowledged,
        ledger,
        judge_marks(marks, states, _told(stored)),
        problems,
    )


def _told(stored: Stored) -> Counter[str]:
    """How many marks the log of each user's channel tells of."""
    return Counter(channel.removeprefix("user:") for channel, _ in stored.changes)


async def run_bare(plan: Plan, folder: Path, tell: Tell) -> Outcome:
    """Bare python-socketio in the hub's place; of the faults those whose target it has."""
    async with bare_cluster(folder) as cluster:
        voice = BareVoice(cluster.redis_url)
        try:
            async with crowd(cluster.url, list(cast(plan.clients)), bare=True) as clients:
                await _until(clients.all_follow, _START, "all clients follow")
                tell(f"{len(clients)} Socket.IO clients follow")
                faults = await _storm(plan, cluster, voice, clients, [], tell)
                await asyncio.sleep(2)  # nothing tells when the last one has arrived
                seen, service, _ = await clients.report()
        finally:
            await voice.close()
    return Outcome(service, _tallies(seen, voice.events), faults, len(voice.events))


async def _begun(stores: readers.Stores, names: Sequence[str]) -> Mapping[str, Head]:
    """Waits until the log of every channel has begun; their heads."""

    async def all_begun() -> bool:
        return set(names) <= set(await stores.heads())

    await _until(all_begun, _START, "all logs begin")
    return await stores.heads()


async def _storm(
    plan: Plan,
    cluster: Cluster,
    voice: Voice,
    clients: Crowd,
    others: Sequence[Follower],
    tell: Tell,
    *,
    marks: float = 0,
) -> Counter[str]:
    """Load and faults, side by side; which faults there were. ``marks``: how many per second."""

    async def cut(fault: Fault) -> None:
        dice = random.Random(f"{plan.seed}/{fault.at}")
        numbers = dice.sample(range(plan.clients), round(fault.amount * plan.clients))
        await clients.ask("cut", numbers)
        for each in dice.sample(others, round(fault.amount * len(others))):
            each.cut()

    progress = asyncio.create_task(_progress(clients, tell))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(publish(voice, plan.rate, plan.users, plan.seconds))
            if marks:
                tasks.create_task(mark(clients, marks, plan.seed, plan.seconds))
            storm = tasks.create_task(inflict(cluster, plan.faults, cut, tell))
    finally:
        progress.cancel()
        await asyncio.gather(progress, return_exceptions=True)
    await clients.ask("unmeasured")
    cluster.note_deaths()
    return Counter(f"{fault.kind} {fault.target}" for fault in storm.result())


async def _progress(clients: Crowd, tell: Tell) -> None:
    while True:
        await asyncio.sleep(_REPORT)
        tell(f"received {await clients.ask('received')}")


async def _caught_up(
    stores: readers.Stores, clients: Crowd, others: Sequence[Follower], tell: Tell
) -> list[str]:
    """Waits until all is stored and everybody has it; what is not, in time."""
    try:
        await _until(stores.journal_is_empty, _CATCH_UP, "ingest is done")
        ends = {name: head.offset for name, head in (await stores.heads()).items()}

        async def all_there() -> bool:
            return await clients.have(ends) and all(each.ended for each in others)

        await _until(all_there, _CATCH_UP, "everybody has everything")
    except TimeoutError as error:
        tell(str(error))
        return [str(error)]
    return []


def _tallies(seen: Sequence[Seen], events: Sequence[Event]) -> dict[str, Tally]:
    logs = logs_of(events)
    tallies: dict[str, Tally] = {}
    for each in seen:
        tallies.setdefault(each.kind, Tally()).add(judge_client(each, logs))
    return tallies


async def _until(true: Callable[[], Awaitable[bool]], limit: float, what: str) -> None:
    try:
        async with asyncio.timeout(limit):
            while not await true():  # noqa: ASYNC110 - other processes change it
                await asyncio.sleep(_POLL)
    except TimeoutError:
        raise TimeoutError(f"waited {limit:.0f} s in vain: {what}") from None
