"""The demo generator: ``python -m workers.demo --speed 2`` plays jobs as a real worker would.

It uses nothing but :class:`workers.Publisher`. At least one generation job runs at any time; the
log names each: ``following: job demo-…``. All belong to project ``demo`` and user ``demo``.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

from config.logs import get_logger, setup_logging
from config.settings import load_settings
from hub.domain.ids import uuid7
from workers import Job, Publisher, demo_notices
from workers.demo_catalogue import FAILURES, FEATURES, NOTICES, TEAM_STEPS

logger = get_logger(__name__)

PROJECT = "demo"
OWNER = "demo"
TOPIC = "demo-jobs"
USERS = ("demo", "ana", "bruno", "carla")

_CANCEL_TIMEOUT = 3.0


class Ending(Enum):
    """How a generation job is going to end."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"


_ENDINGS = (
    *(Ending.COMPLETED, Ending.COMPLETED, Ending.FAILED, Ending.COMPLETED),
    *(Ending.CANCELLED, Ending.COMPLETED, Ending.TIMED_OUT, Ending.COMPLETED),
)


@dataclass(frozen=True)
class Feature:
    """A feature of a plan; ``scenarios`` are (id, title, number of steps)."""

    id: str
    name: str
    scenarios: tuple[tuple[str, str, int], ...]


def plan(dice: random.Random) -> list[Feature]:
    """3–5 features with 12–30 scenarios together."""
    while True:
        features = []
        for name in dice.sample(sorted(FEATURES), dice.randint(3, 5)):
            titles = FEATURES[name]
            chosen = dice.sample(titles, dice.randint(min(3, len(titles)), len(titles)))
            scenarios = tuple((_uuid(dice), title, dice.randint(3, 7)) for title in chosen)
            features.append(Feature(_uuid(dice), name, scenarios))
        if 12 <= sum(len(feature.scenarios) for feature in features) <= 30:
            return features


class Demo:
    """Plays jobs and notifications on ``hub`` until it is cancelled.

    ``speed`` 1 gives a scenario every two seconds or so, 10 ten times as many.
    """

    def __init__(self, hub: Publisher, *, speed: float, dice: random.Random) -> None:
        """``dice`` decides everything that varies."""
        self._hub = hub
        self._speed = speed
        self._dice = dice
        self._endings: Iterator[Ending] = itertools.cycle(_ENDINGS)

    async def run(self) -> None:
        """Two lanes of generation jobs (so that one always runs), team executions, notices."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self.generation, first_pause=0))
            group.create_task(self._repeat(self.generation, first_pause=15))
            group.create_task(self._repeat(self.team_execution, first_pause=4))
            group.create_task(self._repeat(self.notice, first_pause=6))

    async def _repeat(self, play: Callable[[], Awaitable[None]], *, first_pause: float) -> None:
        await self._pause(first_pause)
        while True:
            await play()

    async def generation(self) -> None:
        """One generation job from its start to its end."""
        features, ending = plan(self._dice), next(self._endings)
        total = sum(len(feature.scenarios) for feature in features)
        # A job that does not complete stops somewhere in the second half.
        last = total if ending is Ending.COMPLETED else self._dice.randint(total // 2, total - 1)
        important = self._dice.random() < 0.3
        job = self._hub.job(_job_id(), project_id=PROJECT, owner_id=OWNER, important=important)
        found_by = f"following: job {job.id}"
        logger.info(found_by, ending=ending.value, scenarios=total)
        async with _cancelled_with_us(job):
            await job.start(total_scenarios=total, total_features=len(features))
            await self._announce(job, "GENERATION_JOB")
            await self._prepare(job, features)
            await self._generate(job, features, last)
            await self._end(job, ending, total)

    async def _announce(self, job: Job, kind: str) -> None:
        """Tells the demo page what there is to follow."""
        await self._hub.event(TOPIC, "DEMO_JOB", {"jobId": job.id, "jobKind": kind})

    async def _prepare(self, job: Job, features: list[Feature]) -> None:
        await job.status("PLANNING", message="Lendo a especificação…")
        await self._pause(2)
        await job.status("PLANNED", message=f"{len(features)} features planejadas")
        await self._pause(1)
        if self._dice.random() < 0.25:
            await job.status("WAITING_APPROVAL", message="Waiting for the plan to be approved")
            await self._pause(4)
        await job.status("GENERATING", message="Gerando cenários…")

    async def _generate(self, job: Job, features: list[Feature], last: int) -> None:
        done = 0
        for feature in features:
            for scenario_id, title, steps in feature.scenarios:
                if done == last:
                    return
                await job.activity(feature=feature.name, scenario=title)
                await self._pause(self._dice.uniform(1, 3))
                await job.scenario_completed(
                    scenario_id=scenario_id,
                    feature_id=feature.id,
                    feature_name=feature.name,
                    title=title,
                    steps_count=steps,
                )
                done += 1
            await job.feature_completed(
                feature_id=feature.id,
                name=feature.name,
                scenarios_count=len(feature.scenarios),
                total_steps=sum(steps for _, _, steps in feature.scenarios),
            )

    async def _end(self, job: Job, ending: Ending, total: int) -> None:
        if ending is Ending.COMPLETED:
            message = "All scenarios generated. Starting validation..."
            await job.status("VALIDATING", message=message)
            await self._pause(3)
            failed = self._dice.choice((0, 0, 0, 1, 2))
            await job.complete(passed=total - failed, failed=failed)
        elif ending is Ending.FAILED:
            code, message = self._dice.choice(FAILURES)
            await job.fail(code, message)
        elif ending is Ending.TIMED_OUT:
            await self._pause(8)
            await job.fail("GENERATION_TIMEOUT", "Generation timed out after 30 minutes")
        else:
            await job.cancel(message="Cancelado pelo usuário")

    async def team_execution(self) -> None:
        """One team execution: it has no scenarios and reports its percentage itself."""
        job = self._hub.job(
            _job_id(),
            project_id=PROJECT,
            owner_id=OWNER,
            kind="TEAM_EXECUTION",
            watcher_ids=["ana"],
            important=True,
        )
        async with _cancelled_with_us(job):
            await job.start()
            await self._announce(job, "TEAM_EXECUTION")
            await job.status("RUNNING", message="Equipe de agentes iniciada")
            percentage = 0.0
            while percentage < 100:
                step = TEAM_STEPS[int(percentage / 100 * len(TEAM_STEPS))]
                await job.progress(round(percentage, 2), message=step)
                await self._pause(self._dice.uniform(1, 4))
                percentage += self._dice.uniform(4, 15)
            await job.progress(100, message=TEAM_STEPS[-1])
            if self._dice.random() < 0.2:
                await job.fail("AGENT_CRASHED", "One agent of the team stopped answering")
            else:
                failed = self._dice.choice((0, 0, 1, 3))
                await job.complete(passed=40 - failed, failed=failed)
        await self._pause(10)

    async def notice(self) -> None:
        """Now and then a notification: to one user, of a team's, or of the system's."""
        lot = self._dice.random()
        if lot < 0.5:
            kind, severity, title, body = self._dice.choice(NOTICES)
            await self._hub.notify(
                users=[self._dice.choice(USERS)],
                type=kind,
                title=title,
                body=body,
                severity=severity,
                link="/projects/demo",
            )
        elif lot < 0.7:
            await demo_notices.team_created(self._hub, "Pagamentos", by="ana", members=USERS)
        elif lot < 0.9:
            await demo_notices.team_changed(self._hub, "demo-team", "Checkout", by="bruno")
        else:
            await demo_notices.system_update(self._hub, "2.4")
        await self._pause(self._dice.uniform(5, 15))

    async def _pause(self, seconds: float) -> None:
        # On Python 3.11 asyncio.wait_for, which redis-py uses, can swallow a cancellation.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        await asyncio.sleep(seconds / self._speed)


@asynccontextmanager
async def _cancelled_with_us(job: Job) -> AsyncIterator[None]:
    """A job whose worker is told to stop is cancelled, so that nobody waits for it for ever."""
    try:
        yield
    except asyncio.CancelledError:
        async with asyncio.timeout(_CANCEL_TIMEOUT):
            await job.cancel(message="The demo generator was stopped")
        raise


def _job_id() -> str:
    return f"demo-{uuid7().replace('-', '')}"


def _uuid(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


async def play(url: str, *, speed: float, seed: int | None) -> None:
    """Play on the Redis at ``url`` until SIGTERM or SIGINT; running jobs are cancelled then."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Publisher(url) as hub:
        demo = asyncio.create_task(Demo(hub, speed=speed, dice=random.Random(seed)).run())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([demo, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        demo.cancel()
        await asyncio.wait([demo])
        if not demo.cancelled():
            demo.result()


def main() -> None:
    """Read the options and ``HUB_REDIS_URL``, and play."""
    parser = argparse.ArgumentParser(prog="python -m workers.demo", description="Play demo jobs.")
    parser.add_argument("--speed", type=_speed, default=1.0, help="1: as in real life (default)")
    parser.add_argument("--seed", type=int, help="the same number gives the same jobs")
    options = parser.parse_args()
    settings = load_settings(require=("redis_url",))
    assert settings.redis_url is not None  # noqa: S101 - required above
    setup_logging(settings.log_level, settings.log_format)
    asyncio.run(play(settings.redis_url, speed=options.speed, seed=options.seed))


def _speed(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1000")
    return value


if __name__ == "__main__":
    main()
