from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from hub.domain import jobs, times
from hub.domain.codes import CONFLICT, HubError
from hub.domain.events import Event
from hub.domain.jobs import Job
from hub.domain.parsing import parse_publication
from hub.domain.publications import (
    Activity,
    ActivityDetail,
    JobCompleted,
    JobEventData,
    JobFailed,
    ProgressUpdated,
    StatusChanged,
    Totals,
)
from tests.hub.domain import samples
from tests.hub.domain.samples import T0, after, event_of, feature, job_event, scenario


def play(
    *steps: JobEventData, job: Job | None = None, apart: float = 30
) -> tuple[Job, list[Event]]:
    """A job through ``steps``, ``apart`` seconds apart, and its events."""
    job = job or jobs.started(samples.job_started(), T0)
    events: list[Event] = []
    for number, data in enumerate(steps, start=1):
        event = event_of(job, job_event(number, data), number, after(apart * number))
        job = jobs.fold(job, event)
        events.append(event)
    return job, events


def test_a_started_job_is_created_and_empty() -> None:
    start = samples.job_started(watcher_ids=["u2"], important=True, job_kind="TEAM_EXECUTION")
    job = jobs.started(start, T0)
    assert (job.id, job.project_id, job.owner_id, job.watcher_ids) == ("j1", "p1", "u1", ["u2"])
    assert (job.kind, job.status, job.important) == ("TEAM_EXECUTION", "CREATED", True)
    assert (job.started_at, job.updated_at, job.ended_at) == (T0, T0, None)
    assert not job.ended
    assert job.progress() == {
        "completedScenarios": 0,
        "totalScenarios": 12,
        "completedFeatures": 0,
        "totalFeatures": 3,
        "percentage": 0.0,
    }


@pytest.mark.parametrize(
    ("scenarios", "features", "percentage"),
    [
        (0, 0, 0.0),
        (1, 0, 8.33),
        (4, 1, 33.33),
        (5, 1, 41.67),
        (8, 2, 66.67),
        (12, 3, 100.0),
        (13, 3, 100.0),
    ],
)
def test_progress_is_the_requirements_example(
    scenarios: int, features: int, percentage: float
) -> None:
    steps = [scenario(f"s{n}") for n in range(scenarios)] + [
        feature(f"f{n}") for n in range(features)
    ]
    job, _ = play(*steps)
    assert job.progress() == {
        "completedScenarios": scenarios,
        "totalScenarios": 12,
        "completedFeatures": features,
        "totalFeatures": 3,
        "percentage": percentage,
    }


def test_without_totals_the_percentage_is_0() -> None:
    unknown = jobs.started(samples.job_started(totals=Totals()), T0)
    job, _ = play(scenario(), feature(), job=unknown)
    assert job.progress()["percentage"] == 0
    assert job.progress()["completedScenarios"] == 1


def test_a_job_may_report_its_percentage_itself() -> None:
    unknown = jobs.started(samples.job_started(totals=Totals()), T0)
    job, events = play(ProgressUpdated(12.345), ProgressUpdated(67.8951, "near"), job=unknown)
    assert events[1].data == {"percentage": 67.8951, "message": "near"}
    assert job.progress()["percentage"] == 67.9


def test_a_status_change_says_what_was_before() -> None:
    _, events = play(StatusChanged("PLANNING"), StatusChanged("PLANNED", "ready"))
    assert [event.data for event in events] == [
        {"previousStatus": "CREATED", "currentStatus": "PLANNING"},
        {"previousStatus": "PLANNING", "currentStatus": "PLANNED", "message": "ready"},
    ]


def test_the_summary_of_a_completed_job_comes_from_its_events() -> None:
    scenarios = [scenario(f"s{n}", steps=4) for n in range(12)]
    steps: list[JobEventData] = [
        *scenarios,
        *[feature(f"f{n}") for n in range(3)],
        JobCompleted(11, 1),
    ]
    job, events = play(*steps, apart=20.625)
    assert events[-1].data == {
        "status": "COMPLETED",
        "summary": {
            "featuresGenerated": 3,
            "scenariosGenerated": 12,
            "totalSteps": 48,
            "passed": 11,
            "failed": 1,
            "duration": "PT5M30S",
        },
    }
    assert job.status == "COMPLETED"
    assert job.outcome == events[-1].data["summary"]
    assert job.ended_at == events[-1].timestamp


def test_a_failed_job_says_where_and_after_what() -> None:
    steps: list[JobEventData] = [
        StatusChanged("GENERATING"),
        scenario("abc"),
        JobFailed("GENERATION_TIMEOUT", "late"),
    ]
    job, events = play(*steps)
    assert events[-1].data == {
        "status": "FAILED",
        "errorCode": "GENERATION_TIMEOUT",
        "message": "late",
        "failedAt": "GENERATING",
        "lastSuccessfulScenario": "abc",
    }
    assert (job.status, job.ended_at) == ("FAILED", after(90))


def test_a_job_that_fails_at_once_had_no_successful_scenario() -> None:
    _, events = play(JobFailed("E", "m"))
    assert events[0].data["failedAt"] == "CREATED"
    assert events[0].data["lastSuccessfulScenario"] is None


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (JobCompleted(), "COMPLETED"),
        (JobFailed("E", "m"), "FAILED"),
        (StatusChanged("CANCELLED"), "CANCELLED"),
    ],
)
@pytest.mark.parametrize("more", [scenario(), StatusChanged("PLANNING"), JobCompleted()])
def test_nothing_comes_after_the_end(end: JobEventData, status: str, more: JobEventData) -> None:
    job, _ = play(StatusChanged("GENERATING"), end)
    assert (job.status, job.ended) == (status, True)
    with pytest.raises(HubError) as caught:
        jobs.event_data(job, job_event(9, more), after(999))
    assert caught.value.code is CONFLICT


def test_the_end_clears_what_the_job_was_doing() -> None:
    busy = jobs.with_activity(
        jobs.started(samples.job_started(), T0), samples.activity(1), (1, 0), after(5)
    )
    assert busy.activity == {"type": "GENERATING_SCENARIO", "scenarioTitle": "Criar cliente"}
    assert busy.updated_at == after(5)
    still, _ = play(scenario(), job=busy)
    assert still.activity == busy.activity
    done, _ = play(StatusChanged("CANCELLED"), job=busy)
    assert done.activity is None
    idle = jobs.with_activity(
        busy, Activity(id=samples.uuid(2), job_id="j1", activity=None), (2, 0), T0
    )
    assert idle.activity is None


@pytest.mark.parametrize(
    ("kind", "given", "shown"),
    [
        ("GENERATION_JOB", UNSET, "GENERATING_SCENARIO"),
        ("TEAM_EXECUTION", UNSET, "WORKING"),
        ("TEAM_EXECUTION", "GENERATING_SCENARIO", "GENERATING_SCENARIO"),
        ("GENERATION_JOB", "READING", "READING"),
    ],
)
def test_only_a_generation_job_is_said_to_generate(kind: str, given: Any, shown: str) -> None:
    detail = ActivityDetail(type=given, message="…")
    raw = Activity(id=samples.uuid(2), job_id="j1", activity=detail).encode()
    told = parse_publication(raw)
    assert isinstance(told, Activity)
    job = jobs.started(samples.job_started(job_kind=kind), T0)
    assert jobs.with_activity(job, told, (1, 0), T0).activity == {"type": shown, "message": "…"}


def test_recent_events_are_the_last_ten_as_the_requirements_show_them() -> None:
    job, events = play(StatusChanged("GENERATING"), *[scenario(f"s{n}") for n in range(12)])
    assert len(job.recent) == 10
    assert job.recent[-1] == {
        "type": "SCENARIO_COMPLETED",
        "scenarioId": "s11",
        "title": "Login s11",
        "timestamp": times.wire(events[-1].timestamp),
    }
    assert [recent["scenarioId"] for recent in job.recent] == [f"s{n}" for n in range(2, 12)]


def test_finishing_times_are_kept_for_twenty_intervals() -> None:
    job, events = play(*[scenario(f"s{n}") for n in range(30)])
    assert job.finishes == [event.timestamp for event in events[-21:]]


steps = st.lists(samples.running_data, max_size=30)
ends = st.none() | samples.ending_data


@settings(deadline=None)
@given(steps, ends, st.integers(0, 31))
def test_rebuilding_from_the_stored_events_gives_the_same_job(
    running: list[JobEventData], end: JobEventData | None, split: int
) -> None:
    given_steps = running if end is None else [*running, end]
    start = jobs.started(samples.job_started(), T0)
    job, events = play(*given_steps)
    assert jobs.rebuild(start, events) == job
    assert jobs.rebuild(jobs.rebuild(start, events[:split]), events[split:]) == job
    assert jobs.rebuild(start, [stored(event) for event in events]) == job


@settings(deadline=None)
@given(steps, ends)
def test_whatever_happens_a_job_stays_consistent(
    running: list[JobEventData], end: JobEventData | None
) -> None:
    job, events = play(*running, *([] if end is None else [end]))
    kinds = [event.type for event in events]
    assert job.completed_scenarios == kinds.count("SCENARIO_COMPLETED")
    assert job.completed_features == kinds.count("FEATURE_COMPLETED")
    assert job.ended == (end is not None) == (job.ended_at is not None)
    assert 0 <= job.progress()["percentage"] <= 100
    changes = [event.data for event in events if event.type == "JOB_STATUS_CHANGED"]
    statuses = ["CREATED", *(change["currentStatus"] for change in changes)]
    assert [(c["previousStatus"], c["currentStatus"]) for c in changes] == list(pairwise(statuses))
    assert msgspec.convert(msgspec.to_builtins(job), Job) == job


def stored(event: Event) -> Event:
    """The event with its data as a store gives it back: plain JSON."""
    data: dict[str, Any] = json.loads(json.dumps(event.data))
    return replace(event, data=data)
