"""Lists of jobs and histories, page by page on real stores, while others write."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from config.settings import Settings
from hub.domain import codes, ids, jobs
from hub.domain.events import Event, Position
from hub.domain.principal import Principal, Role
from hub.services.jobs import Jobs
from hub.stores.heads import Head, Heads, JobKey
from tests.hub.domain import samples
from tests.hub.domain.samples import after
from tests.support.stores import Opened, opened

NOW = after(10_000)
TYPES = ("SCENARIO_COMPLETED", "FEATURE_COMPLETED", "PROGRESS_UPDATED")


def who(*projects: str, everything: bool = False) -> Principal:
    allowed = None if everything else frozenset(projects)
    return Principal("u1", frozenset({Role.USER}), allowed, NOW)


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Opened]:
    async with opened(settings) as found:
        yield found


@pytest.fixture
def listed(stores: Opened) -> Jobs:
    return Jobs(Heads(stores.db, lambda: NOW), stores.stores.events)


def head(name: str, project: str, at: float, status: str = "GENERATING") -> Head:
    start = samples.job_started(0, name, project_id=project)
    job = msgspec.structs.replace(jobs.started(start, after(at)), status=status)
    return Head(f"job:{name}", "e1", 3, job)


async def pages(
    listed: Jobs,
    stores: Opened,
    caller: Principal,
    limit: int,
    *,
    project: str | None = None,
    status: str | None = None,
) -> list[str]:
    """All pages; before each of them another job is started, which is on none of the next ones."""
    found: list[str] = []
    before: JobKey | None = None
    for number in itertools.count():
        page, before = await listed.page(
            caller, project=project, status=status, limit=limit, before=before
        )
        assert len(page) == limit or before is None
        found += [each.channel.removeprefix("job:") for each in page]
        if before is None:
            return found
        await stores.stores.heads.advance([head(f"new{number}", "p1", 5000 + number)])
    raise AssertionError


async def test_a_list_has_what_the_caller_may_read_newest_first_each_once(
    listed: Jobs, stores: Opened
) -> None:
    heads = [  # of every three, two were started at the same moment
        head(f"j{n:02}", f"p{n % 3}", n // 3 * 1.0 + n % 3 // 2, "FAILED" if n % 4 else "PLANNING")
        for n in range(30)
    ]
    over = replace_kept(head("over", "p1", 1.0, "FAILED"), NOW)
    kept = replace_kept(head("kept", "p1", 1.0, "FAILED"), NOW + timedelta(milliseconds=1))
    await stores.stores.heads.advance([*heads, over, kept, Head("user:u1", "e1", 4)])

    def expected(*projects: str, status: str | None = None) -> list[str]:
        some = [
            each
            for each in [*heads, kept]
            if each.job and each.job.project_id in projects and status in (None, each.job.status)
        ]
        ordered = sorted(some, key=lambda each: (started(each), each.channel), reverse=True)
        return [each.channel.removeprefix("job:") for each in ordered]

    for limit in (1, 4, 50):
        assert await pages(listed, stores, who("p0", "p2"), limit) == expected("p0", "p2")
    assert await pages(listed, stores, who("p0", "p2"), 4, project="p0") == expected("p0")
    found = await pages(listed, stores, who(everything=True), 7, status="FAILED")
    assert found == expected("p0", "p1", "p2", status="FAILED")
    found = await pages(listed, stores, who("p1"), 2, project="p1", status="PLANNING")
    assert found == expected("p1", status="PLANNING")
    found = await pages(listed, stores, who("p1"), 3, project="p1", status="FAILED")
    assert found == expected("p1", status="FAILED")
    assert "kept" in found
    assert await pages(listed, stores, who(), 5) == []
    with pytest.raises(codes.HubError) as refused:
        await pages(listed, stores, who("p0"), 5, project="p1")
    assert refused.value.code is codes.INSUFFICIENT_PERMISSIONS


def replace_kept(of: Head, until: datetime) -> Head:
    return msgspec.structs.replace(of, kept_until=until)


def started(of: Head) -> datetime:
    assert of.job is not None
    return of.job.started_at


def event(channel: str, offset: int, type_: str, at: float) -> Event:
    return Event(
        id=ids.uuid7(),
        channel=channel,
        epoch="e1",
        offset=offset,
        type=type_,
        data={"n": offset},
        timestamp=after(at),
    )


async def history(
    stores: Opened,
    job: str,
    log: Sequence[Event],
    *,
    since: float | None,
    types: Sequence[str],
    limits: Sequence[int],
    writes: Sequence[int],
) -> list[Event]:
    """Reads all pages, with a limit of its own each; before each of them more of ``log`` is
    written, and once all is written it reads on to the end."""
    reading = Jobs(stores.stores.heads, stores.stores.events)
    waiting, found = list(log), []
    after_: Position | None = None
    for limit, count in zip(itertools.cycle(limits), itertools.chain(writes, itertools.repeat(99))):
        some, waiting = waiting[:count], waiting[count:]
        page, _ = await asyncio.gather(
            reading.history(
                who("p1"),
                job,
                None,
                after=after_,
                since=None if since is None else after(since),
                types=types,
                limit=limit,
            ),
            stores.stores.events.append(some),
        )
        assert len(page.events) <= limit
        found += page.events
        if page.end is not None:
            after_ = page.end
        elif page.events:
            after_ = page.events[-1].position
        elif not waiting and not some:
            return found
    raise AssertionError


async def test_pages_of_a_history_miss_and_repeat_nothing(stores: Opened) -> None:
    """Any log, read by any pages and filters while it is written."""
    names = (f"h{number}" for number in itertools.count())
    loop = asyncio.get_running_loop()

    @examples(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        log=st.lists(st.tuples(st.sampled_from(TYPES), st.integers(0, 2)), max_size=20),
        since=st.none() | st.integers(-1, 20),
        types=st.lists(st.sampled_from(TYPES), max_size=3, unique=True),
        limits=st.lists(st.integers(1, 6), min_size=1, max_size=4),
        writes=st.lists(st.integers(0, 8), max_size=6),
    )
    def check(
        log: list[tuple[str, int]],
        since: int | None,
        types: list[str],
        limits: list[int],
        writes: list[int],
    ) -> None:
        name = next(names)
        times = itertools.accumulate(apart for _, apart in log)
        events = [
            event(f"job:{name}", offset, type_, at)
            for offset, ((type_, _), at) in enumerate(zip(log, times, strict=True), start=1)
        ]

        async def read() -> list[Event]:
            await stores.stores.heads.advance([head(name, "p1", 0)])
            return await history(
                stores, name, events, since=since, types=types, limits=limits, writes=writes
            )

        expected = [
            each
            for each in events
            if (since is None or each.timestamp > after(since))
            and (not types or each.type in types)
        ]
        assert asyncio.run_coroutine_threadsafe(read(), loop).result(60) == expected

    await asyncio.to_thread(check)


async def test_a_page_behind_one_of_a_former_life_is_refused(stores: Opened) -> None:
    await stores.stores.heads.advance([head("j1", "p1", 0)])
    await stores.stores.events.append(
        [event("job:j1", 1, TYPES[0], 1), replace(event("job:j1", 2, TYPES[0], 2), epoch="e0")]
    )
    reading = Jobs(stores.stores.heads, stores.stores.events)

    async def offsets(place: Position | None) -> list[int]:
        page = await reading.history(
            who("p1"), "j1", None, after=place, since=None, types=[], limit=9
        )
        return [each.offset for each in page.events]

    assert await offsets(None) == [1]
    with pytest.raises(codes.HubError) as refused:
        await offsets(Position("e0", 1))
    assert refused.value.details == [
        {"field": "cursor", "message": "is no cursor that this resource gave"}
    ]
