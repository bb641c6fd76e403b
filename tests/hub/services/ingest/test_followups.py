"""What a publication causes on other channels, with the ids that a repeat gives again."""

from __future__ import annotations

import pytest

from hub.domain import ids
from hub.domain.parsing import parse_publication
from hub.domain.publications import (
    MAX_BYTES,
    JobCompleted,
    JobEventData,
    JobFailed,
    Notification,
    StatusChanged,
)
from tests.hub.domain import samples
from tests.hub.domain.samples import job_event, job_started, notification, scenario
from tests.hub.services.ingest.ledger import Ledger, entries

RUNNING = (job_started(0), job_event(1, StatusChanged("GENERATING")))


def copies_of(ledger: Ledger) -> dict[str, str]:
    """Addressee → id of the notifications that were forwarded."""
    found = {}
    for each in ledger.forwarded.values():
        assert isinstance(each, Notification)
        found[each.users[0]] = str(each.id)
    return found


def test_every_further_addressee_gets_a_copy_with_a_derived_id() -> None:
    ledger, origin = Ledger(), str(samples.uuid(1))
    plan = ledger.process(entries(notification(1, "u1", "u2", "u3", title="T")))
    assert copies_of(ledger) == {
        user: ids.derived_id(origin, f"user:{user}") for user in ("u2", "u3")
    }
    assert all(isinstance(each, Notification) and each.title == "T" for each in plan.forward)
    assert [event.channel for event in plan.append] == ["user:u1"]


def test_an_addressee_who_is_named_twice_gets_one_notification() -> None:
    ledger = Ledger()
    ledger.process(entries(notification(1, "u1", "u2", "u1", "u2")))
    ledger.process(entries(*ledger.forwarded.values(), start=10))
    assert {channel: head.offset for channel, head in ledger.heads.items()} == {
        "user:u1": 1,
        "user:u2": 1,
    }


@pytest.mark.parametrize(
    ("end", "type_", "severity", "body"),
    [
        (JobCompleted(11, 0), "job.completed", "SUCCESS", "11 passed, 0 failed in PT2S"),
        (JobCompleted(11, 1), "job.completed", "WARNING", "11 passed, 1 failed in PT2S"),
        (JobFailed("LATE", "30 minutes"), "job.failed", "ERROR", "30 minutes"),
        (JobFailed("LATE", ""), "job.failed", "ERROR", "LATE"),
    ],
)
def test_owner_and_watchers_of_an_important_job_are_told_of_its_end_once_each(
    end: JobCompleted | JobFailed, type_: str, severity: str, body: str
) -> None:
    ledger = Ledger()
    start = job_started(0, important=True, watcher_ids=["u2", "u1", "u2"])
    plan = ledger.process(entries(start, RUNNING[1], job_event(2, end)))
    origin = str(samples.uuid(2))
    assert copies_of(ledger) == {
        user: ids.derived_id(origin, f"user:{user}") for user in ("u1", "u2")
    }
    for each in plan.forward:
        assert isinstance(each, Notification)
        assert (each.type, each.severity, each.body) == (type_, severity, body)
        assert each.job_id == "j1"
    told = Ledger()
    told.process(entries(*plan.forward))
    assert told.log("user:u1")[0].data["jobId"] == "j1"


def test_a_failure_comes_with_its_details_and_a_link() -> None:
    ledger = Ledger()
    name = "nightly|7@x"
    start = job_started(0, name, important=True)
    steps: list[JobEventData] = [
        StatusChanged("GENERATING"),
        scenario("s7"),
        JobFailed("LATE", "too late"),
    ]
    given = [job_event(number, step, name) for number, step in enumerate(steps, start=1)]
    (told,) = ledger.process(entries(start, *given)).forward
    assert isinstance(told, Notification)
    assert told.link == "/v1/jobs/nightly%7C7@x/progress"
    assert told.data == {
        "errorCode": "LATE",
        "failedAt": "GENERATING",
        "lastSuccessfulScenario": "s7",
    }


def test_the_longest_failure_is_told_too() -> None:
    """Nothing that fits into the publication of the end may be too much for what it causes."""
    ledger = Ledger()
    end = job_event(1, JobFailed("LATE", "\x01" * 10_800), "j" * 128)
    assert MAX_BYTES - 1000 < len(end.encode()) <= MAX_BYTES
    ledger.process(entries(job_started(0, "j" * 128, important=True), end))
    (told,) = ledger.forwarded.values()
    assert parse_publication(told.encode()) == told
    assert isinstance(told, Notification)
    assert told.body.endswith("\x01…")


def test_nobody_is_told_of_other_ends() -> None:
    ledger = Ledger()
    ledger.process(entries(*RUNNING, job_event(2, JobCompleted())))
    cancelled = [job_started(5, "j2", important=True)]
    ledger.process(entries(*cancelled, job_event(6, StatusChanged("CANCELLED"), "j2")))
    assert ledger.forwarded == {}
