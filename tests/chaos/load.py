"""What is published during a run: each channel by one sender, one after the other, so that the
order in which it was accepted is known."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import socketio

from hub.domain import channels, ids
from hub.domain.publications import AnyPublication, JobEvent, Notification, TopicEvent
from tests.chaos.cast import ALL, JOBS, PROJECT, TOPICS, user
from tests.chaos.checker import Event
from tests.chaos.crowd import Crowd
from tests.chaos.ledger import Publication
from workers import Job, Publisher, RedisUnavailable

_PATIENCE: Final = 20.0  # seconds for which a publish tries; outages may come one after the other
_JOBS, _TOPICS, _USERS, _ALL = 0.45, 0.2, 0.25, 0.1  # shares of the rate
_ENDS: Final = ("JOB_COMPLETED", "JOB_FAILED")


class Voice(Protocol):
    """Publishes."""

    async def say(self, channel: str) -> None:
        """Publishes something on a channel. Returns also when that failed."""


@dataclass(frozen=True, slots=True)
class _Sender:
    rate: float
    channels: Sequence[str]


def _senders(rate: float, users: int) -> list[_Sender]:
    everybody = [channels.user_channel(user(number)) for number in range(users)]
    return [
        *(_Sender(rate * _JOBS / len(JOBS), [f"job:{job}"]) for job in JOBS),
        _Sender(rate * _TOPICS, [f"topic:{topic}" for topic in TOPICS]),
        *(_Sender(rate * _USERS / 2, everybody[half::2]) for half in range(2)),
        _Sender(rate * _ALL, [ALL]),
    ]


async def publish(voice: Voice, rate: float, users: int, seconds: float) -> None:
    """Publishes about ``rate`` times a second, less while it is not taken."""
    end = asyncio.get_running_loop().time() + seconds
    async with asyncio.TaskGroup() as tasks:
        for number, sender in enumerate(_senders(rate, users)):
            tasks.create_task(_send(voice, sender, random.Random(number), end))


async def _send(voice: Voice, sender: _Sender, dice: random.Random, end: float) -> None:
    loop = asyncio.get_running_loop()
    at = loop.time() + dice.random() / sender.rate
    while at < end:
        await asyncio.sleep(at - loop.time())
        await voice.say(dice.choice(sender.channels))
        at = max(at + 1 / sender.rate, loop.time())


_MARKS: Final = {"READ": 10, "DISMISSED": 5, "UNREAD": 3, "RESTORED": 2, "SEEN": 1}
_EVERYTHING: Final = {"READ": 0.2, "DISMISSED": 0.1, "SEEN": 0.2}
"""How often, of marks of a kind, everything is marked."""


async def mark(clients: Crowd, rate: float, seed: int, seconds: float) -> None:
    """Has the clients mark what they were given, about ``rate`` times a second."""
    loop, dice = asyncio.get_running_loop(), random.Random(f"{seed}/marks")
    end = loop.time() + seconds
    while loop.time() < end:
        (as_,) = dice.choices(list(_MARKS), list(_MARKS.values()))
        everything = dice.random() < _EVERYTHING.get(as_, 0)
        await clients.ask("mark", dice.randrange(len(clients)), as_, dice.random(), everything)
        await asyncio.sleep(dice.uniform(0.5, 1.5) / rate)


class HubVoice:
    """Publishes through ``workers.Publisher``. ``publications``: all so far, in the order in which
    they were accepted or given up."""

    def __init__(self, redis_url: str, users: int, seed: int) -> None:
        self.publications: list[Publication] = []
        self._hub = _Witness(redis_url, self.publications.append)
        self._users = users
        self._dice = random.Random(seed)
        self._jobs = {f"job:{job}": self._job(number, job) for number, job in enumerate(JOBS)}
        self._count = 0

    def _job(self, number: int, job: str) -> Job:
        owner, watcher = user(number % self._users), user((number + 1) % self._users)
        self._hub.told_of[f"job:{job}"] = list(dict.fromkeys([owner, watcher]))
        return self._hub.job(
            job, project_id=PROJECT, owner_id=owner, watcher_ids=[watcher], important=True
        )

    async def open(self) -> list[str]:
        """Starts the jobs and begins the log of every channel; these are returned."""
        for job in self._jobs.values():
            await job.start(total_scenarios=100_000, total_features=1000)
            await job.status("GENERATING")
        for topic in TOPICS:
            await self._hub.event(topic, "OPENED", {})
        users = [user(number) for number in range(self._users)]
        await self._hub.notify(users=users, type="chaos.begins", title="t", body="b")
        await self._hub.notify(everyone=True, type="chaos.begins", title="t", body="b")
        topics = [f"topic:{topic}" for topic in TOPICS]
        return [*self._jobs, *topics, *map(channels.user_channel, users), ALL]

    async def end(self) -> None:
        """Ends the jobs, one of them badly."""
        first, *others = self._jobs.values()
        await first.fail("CHAOS", "It was all too much.")
        for job in others:
            await job.complete(passed=1, failed=0)

    async def close(self) -> None:
        """Closes the connections."""
        await self._hub.close()

    async def say(self, channel: str) -> None:
        self._count += 1
        try:
            await self._say(channel, self._count)
        except RedisUnavailable:
            return  # the witness has noted it

    async def _say(self, channel: str, number: int) -> str:
        kind, _, name = channel.partition(":")
        match kind:
            case "job":
                return await self._report(self._jobs[channel], number)
            case "topic" if number % 3:
                return await self._hub.event(name, "NEWS", {"number": number})
            case "topic":
                return await self._hub.notify(topic=name, type="chaos.topic", title="t", body="b")
            case "user":
                others = [user(self._dice.randrange(self._users)) for _ in range(number % 3)]
                return await self._hub.notify(
                    users=[name, *others], type="chaos.user", title=f"{number}", body="b"
                )
            case _:
                return await self._hub.notify(
                    everyone=True, type="chaos.all", title=f"{number}", body="b"
                )

    async def _report(self, job: Job, number: int) -> str:
        feature = f"f{number // 10}"
        match self._dice.randrange(10):
            case 0:
                return await job.status(f"PHASE_{number}", message="Generating…")
            case 1:
                return await job.feature_completed(
                    feature_id=feature, name="Faturamento", scenarios_count=4, total_steps=16
                )
            case 2:
                return await job.activity(feature="Faturamento", scenario=f"Cenário {number}")
            case _:
                return await job.scenario_completed(
                    scenario_id=f"s{number}",
                    feature_id=feature,
                    feature_name="Faturamento",
                    title=f"Cenário {number}",
                    steps_count=4,
                )


class _Witness(Publisher):
    """A publisher that reports each publication and what became of it. ``told_of``: by job channel,
    who gets a notification of its end."""

    def __init__(self, url: str, report: Callable[[Publication], None]) -> None:
        super().__init__(url, retry_for=_PATIENCE)
        self._report = report
        self.told_of: dict[str, list[str]] = {}

    async def _append(self, publication: AnyPublication) -> str:
        events = self._events_of(publication)
        try:
            id_ = await super()._append(publication)
        except RedisUnavailable:
            self._report(Publication(events, acknowledged=False))
            raise
        self._report(Publication(events))
        return id_

    def _events_of(self, publication: AnyPublication) -> list[tuple[str, str]]:
        own = (publication.channel, str(publication.id))
        match publication:
            case JobEvent() if publication.type in _ENDS:
                return [own, *_derived(own[1], self.told_of[own[0]])]
            case Notification() if publication.users:
                return [own, *_derived(own[1], list(dict.fromkeys(publication.users))[1:])]
            case JobEvent() | Notification() | TopicEvent():
                return [own]
            case _:
                return []  # the snapshot knows of it, the log does not


def _derived(origin: str, users: Sequence[str]) -> list[tuple[str, str]]:
    """The events that the copies of a notification become."""
    names = [channels.user_channel(each) for each in users]
    return [(name, ids.derived_id(origin, name)) for name in names]


class BareVoice:
    """Publishes as a worker with bare python-socketio does. ``events``: all that ``emit`` returned
    from without an error, in order."""

    def __init__(self, redis_url: str) -> None:
        self.events: list[Event] = []
        self._manager: Any = socketio.AsyncRedisManager(redis_url, write_only=True)
        self._reached: dict[str, int] = {}

    async def say(self, channel: str) -> None:
        offset = self._reached[channel] = self._reached.get(channel, 0) + 1
        event = Event(channel, "bare", offset, f"{channel}/{offset}")
        shown = {"channel": channel, "epoch": "bare", "offset": offset, "id": event.id}
        shown["data"] = json.dumps({"title": f"Cenário {offset}", "body": "b" * 100})
        await self._manager.emit("event", shown, room=channel)
        self.events.append(event)

    async def close(self) -> None:
        """Closes the connections."""
        if self._manager.redis is not None:
            await self._manager.redis.aclose()
