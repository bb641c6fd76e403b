from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.domain import jobs
from hub.domain.events import Position
from hub.domain.jobs import Job
from hub.domain.publications import JobCompleted, JobFailed, StatusChanged
from hub.domain.snapshot import snapshot, time_remaining
from tests.hub.domain import samples
from tests.hub.domain.samples import T0, after, event_of, job_event, scenario

AT = Position("e1", 7)


def finished(*seconds: float, total: int = 12) -> Job:
    """A running job whose scenarios were finished ``seconds`` after its start."""
    job = jobs.started(samples.job_started(), T0)
    marks: list[datetime] = [after(each) for each in seconds]
    return replace(job, total_scenarios=total, completed_scenarios=len(marks), finishes=marks[-21:])


def remaining(job: Job, now: float) -> float | None:
    """Seconds remaining, ``now`` seconds after the start."""
    left = time_remaining(job, after(now))
    return None if left is None else left.total_seconds()


def test_nothing_is_known_before_the_first_scenario() -> None:
    assert remaining(finished(), 60) is None


def test_the_first_scenario_sets_the_pace_from_the_start_of_the_job() -> None:
    assert remaining(finished(60), 60) == 11 * 60


def test_the_example_of_the_requirements() -> None:
    """5 of 12 done, one a minute: seven minutes to go."""
    job = finished(60, 120, 180, 240, 300)
    assert snapshot(job, AT, after(300))["estimatedTimeRemaining"] == "PT7M"


def test_it_shrinks_while_a_scenario_is_in_work_and_then_stands() -> None:
    job = finished(60, 120)
    assert [remaining(job, now) for now in (120, 130, 179, 180, 240, 9999)] == [
        *(600, 590, 541, 540, 540, 540)
    ]


def test_one_slow_outlier_does_not_move_it() -> None:
    assert remaining(finished(60, 120, 180, 3600, 3660), 3660) == 7 * 60


def test_only_the_last_twenty_intervals_count() -> None:
    slow = [100.0 * n for n in range(1, 31)]
    fast = [3000.0 + n for n in range(1, 22)]
    assert remaining(finished(*slow, *fast, total=52), 3021) == 1


def test_it_is_unknown_again_when_nothing_is_left_or_the_job_ended() -> None:
    assert remaining(finished(60, 120, total=2), 120) is None
    assert remaining(finished(60, 120, total=1), 120) is None
    assert remaining(finished(60, 120, total=0), 120) is None
    assert remaining(replace(finished(60, 120), status="CANCELLED"), 120) is None


def test_a_clock_that_is_behind_does_not_make_it_negative_or_absurd() -> None:
    assert remaining(finished(60, 120), 119) == 601


def test_even_the_longest_job_has_an_estimate() -> None:
    """The largest total a worker may give, at a pace of two days."""
    job = finished(172_800, total=1_000_000_000)
    assert snapshot(job, AT, after(172_800))["estimatedTimeRemaining"] is not None


marks = st.lists(st.integers(0, 100_000), min_size=1, max_size=40).map(sorted)


@given(marks, st.integers(1, 500), st.integers(0, 10_000), st.integers(0, 10_000))
def test_waiting_never_makes_it_longer(seconds: list[int], more: int, now: int, later: int) -> None:
    job = finished(*seconds, total=len(seconds) + more)
    first = time_remaining(job, after(seconds[-1] + now))
    then = time_remaining(job, after(seconds[-1] + now + later))
    assert first is not None
    assert then is not None
    assert timedelta(0) <= then <= first


def test_a_snapshot_has_the_fields_of_the_requirements() -> None:
    job = jobs.with_activity(
        finished(60, 120, 180, 240, 300), samples.activity(1), (1, 0), after(310)
    )
    job = replace(job, status="GENERATING", completed_features=1, recent=[{"type": "X"}])
    assert snapshot(job, AT, after(300)) == {
        "jobId": "j1",
        "jobKind": "GENERATION_JOB",
        "projectId": "p1",
        "status": "GENERATING",
        "progress": {
            "completedScenarios": 5,
            "totalScenarios": 12,
            "completedFeatures": 1,
            "totalFeatures": 3,
            "percentage": 41.67,
        },
        "currentActivity": {"type": "GENERATING_SCENARIO", "scenarioTitle": "Criar cliente"},
        "recentEvents": [{"type": "X"}],
        "estimatedTimeRemaining": "PT7M",
        "startedAt": "2026-01-28T10:10:00.000Z",
        "updatedAt": "2026-01-28T10:15:10.000Z",
        "epoch": "e1",
        "offset": 7,
    }


def ended(data: Any) -> dict[str, Any]:
    """The snapshot of a job that ended with ``data`` after 90 seconds, well after that."""
    job = jobs.started(samples.job_started(), T0)
    for number, (step, at) in enumerate([(scenario(), 30), (data, 90)], start=1):
        job = jobs.fold(job, event_of(job, job_event(number, step), number, after(at)))
    return snapshot(job, Position("e1", 2), after(5000))


def test_how_a_job_ended_is_in_its_snapshot() -> None:
    completed = ended(JobCompleted(1, 0))
    assert (completed["endedAt"], completed["duration"]) == ("2026-01-28T10:11:30.000Z", "PT1M30S")
    assert completed["summary"]["passed"] == 1
    assert "failure" not in completed
    failed = ended(JobFailed("E", "m"))
    assert failed["failure"]["errorCode"] == "E"
    assert "summary" not in failed
    cancelled = ended(StatusChanged("CANCELLED"))
    assert cancelled["status"] == "CANCELLED"
    assert not {"summary", "failure"} & cancelled.keys()
    assert cancelled["estimatedTimeRemaining"] is None
