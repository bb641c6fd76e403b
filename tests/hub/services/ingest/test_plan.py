"""Planning, case by case; ``test_plan_repeats`` has what must hold for every batch and crash."""

from __future__ import annotations

import re

import pytest

from hub.broker.journal import Entry
from hub.domain.publications import (
    JobCompleted,
    JobFailed,
    Recipients,
    StatusChanged,
    Totals,
)
from hub.services.ingest.plan import OutOfStep, Planner, epoch_of, parse
from tests.hub.domain import samples
from tests.hub.domain.samples import (
    activity,
    after,
    job_event,
    job_started,
    notification,
    scenario,
    topic_event,
)
from tests.hub.services.ingest.ledger import Ledger, accept, entries, entry

RUNNING = (job_started(0), job_event(1, StatusChanged("GENERATING")))


def test_an_epoch_is_the_same_whoever_works_it_out() -> None:
    one, two = str(samples.uuid(1)), str(samples.uuid(2))
    assert epoch_of(one) == epoch_of(one) != epoch_of(two)
    assert re.fullmatch(r"[0-9a-f]{8}", epoch_of(one))


def test_what_never_can_be_planned_is_a_dead_letter_with_its_reason() -> None:
    good, elsewhere = topic_event(1), topic_event(2, topic="elsewhere")
    malformed = Entry("1-0", b"{", after(0))
    empty = Entry("2-0", b"", after(0))
    given = [malformed, entry(good, after(1)), empty, entry(elsewhere, after(2))]
    accepted, dead = parse(given, 8, 16)
    assert [each.publication for each in accepted] == [good]
    assert [letter.entry for letter in dead] == [malformed, empty, given[3]]
    assert all(letter.reason.startswith("INVALID_REQUEST: ") for letter in dead)
    assert "belongs on partition 9" in dead[2].reason


def test_an_id_counts_once_in_a_batch_and_the_first_use_of_it() -> None:
    given = entries(topic_event(1, a=1), topic_event(2), topic_event(1, a=2))
    accepted = accept(given)
    assert [each.entry for each in accepted] == given[:2]


def test_an_id_that_stands_for_two_things_in_a_batch_is_that_of_the_first() -> None:
    given = entries(topic_event(1), topic_event(1, topic="other"), topic_event(1))
    accepted, dead = parse(given, 0, 1)
    assert [each.entry for each in accepted] == given[:1]
    assert [(each.entry, each.reason) for each in dead] == [
        (given[1], "CONFLICT: the id was used before, on topic:news")
    ]


def test_a_job_is_stored_as_created_and_starting_it_is_no_event() -> None:
    ledger = Ledger()
    plan = ledger.process(entries(job_started(0)))
    assert (plan.append, plan.deliver) == ([], {})
    head = ledger.heads["job:j1"]
    assert (head.epoch, head.offset) == (epoch_of(str(samples.uuid(0))), 0)
    assert head.job is not None
    assert (head.job.status, head.job.started_at) == ("CREATED", after(1))


def test_the_first_status_and_the_progress_of_a_scenario() -> None:
    ledger = Ledger()
    given = entries(*RUNNING, job_event(2, scenario("s1")))
    plan = ledger.process(given)
    changed, completed = plan.append
    assert changed.data == {"previousStatus": "CREATED", "currentStatus": "GENERATING"}
    assert (changed.id, changed.offset, changed.timestamp) == (str(samples.uuid(1)), 1, after(2))
    assert (changed.job_id, changed.progress) == ("j1", None)
    assert completed.offset == 2
    assert completed.progress is not None
    assert completed.progress["completedScenarios"] == 1
    assert completed.progress["percentage"] == 8.33
    assert plan.deliver == {"job:j1": {1: changed, 2: completed}}
    head = ledger.heads["job:j1"]
    assert head.offset == 2
    assert head.job is not None
    assert head.job.progress() == completed.progress


def test_offsets_go_on_where_the_log_ends() -> None:
    ledger = Ledger()
    ledger.process(entries(topic_event(1), topic_event(2, topic="b")))
    ledger.process(entries(topic_event(3), notification(4, to=Recipients(topic="news"))))
    assert [event.offset for event in ledger.log("topic:news")] == [1, 2, 3]
    assert len({event.epoch for event in ledger.log("topic:news")}) == 1
    assert [event.offset for event in ledger.log("topic:b")] == [1]


@pytest.mark.parametrize("known", [False, True])
def test_a_job_that_never_started_is_a_dead_letter(known: bool) -> None:
    accepted = accept(entries(job_event(1, scenario()), activity(2), topic_event(3)))
    plan = Ledger().plan(accepted, known=known)
    assert [letter.reason.partition(":")[0] for letter in plan.dead] == ["JOB_NOT_FOUND"] * 2
    assert [letter.entry for letter in plan.dead] == [each.entry for each in accepted[:2]]
    assert [event.id for event in plan.append] == [str(samples.uuid(3))]
    assert plan.doubtful is not known


@pytest.mark.parametrize(
    "end", [JobCompleted(1, 0), JobFailed("E", "m"), StatusChanged("CANCELLED")]
)
def test_what_comes_after_the_end_is_a_dead_letter(
    end: JobCompleted | JobFailed | StatusChanged,
) -> None:
    ledger = Ledger()
    ledger.process(entries(*RUNNING, job_event(2, end)))
    late = entries(job_event(3, scenario()), activity(4), job_event(5, JobCompleted()))
    plan = ledger.process(late)
    assert [letter.entry for letter in plan.dead] == late
    assert {letter.reason.partition(":")[0] for letter in plan.dead} == {"CONFLICT"}
    assert plan.append == []
    assert len(ledger.log("job:j1")) == 2


def test_another_start_of_a_known_job_is_a_dead_letter_and_a_repeat_of_it_is_not() -> None:
    ledger = Ledger()
    ledger.process(entries(*RUNNING))
    before = ledger.heads["job:j1"]
    plan = ledger.process(entries(job_started(0), job_started(9, totals=Totals(scenarios=1))))
    assert [letter.reason for letter in plan.dead] == ["CONFLICT: job j1 was started before"]
    assert ledger.heads["job:j1"] == before


def test_an_activity_changes_the_snapshot_and_is_no_event() -> None:
    ledger = Ledger()
    plan = ledger.process(entries(*RUNNING, activity(2, "Criar cliente")))
    assert len(plan.append) == 1
    job = ledger.heads["job:j1"].job
    assert job is not None
    assert job.activity == {"type": "GENERATING_SCENARIO", "scenarioTitle": "Criar cliente"}


def test_a_refusal_is_doubtful_until_it_is_known_what_is_stored() -> None:
    """The end of a job repeated looks like a publication after its end."""
    ledger = Ledger()
    batch = entries(*RUNNING, job_event(2, JobCompleted(1, 0)))
    ledger.process(batch)
    accepted = accept(batch[2:])
    assert ledger.plan(accepted, known=False).doubtful
    plan = ledger.plan(accepted, known=True)
    assert not plan.doubtful
    assert plan.dead == []
    assert plan.append == []
    assert list(plan.deliver["job:j1"]) == [2]


def test_a_notification_raises_its_users_count() -> None:
    ledger = Ledger()
    plan = ledger.process(entries(notification(1, "u1"), notification(2, "u1", severity="ERROR")))
    first, second = plan.append
    assert first.data["unread"] == {"count": 1, "version": 1}
    assert second.data["unread"] == {"count": 2, "version": 2}
    assert (second.data["severity"], second.data["scope"]) == ("ERROR", "USER")
    assert (second.data["id"], second.data["createdAt"]) == (second.id, "2026-01-28T10:10:02.000Z")
    assert plan.announcements == []


@pytest.mark.parametrize(
    ("to", "channel", "scope"),
    [("all", "all", "ALL"), (Recipients(topic="news"), "topic:news", "TOPIC")],
)
def test_an_announcement_is_one_event_without_count(
    to: Recipients | str, channel: str, scope: str
) -> None:
    plan = Ledger().process(entries(notification(1, to=to)))
    assert [event.channel for event in plan.append] == [channel]
    assert plan.append[0].data["scope"] == scope
    assert "unread" not in plan.append[0].data
    [announcement] = plan.announcements
    assert (announcement.id, announcement.offset) == (plan.append[0].id, 1)
    assert plan.forward == []


def test_an_id_that_was_used_for_something_else_has_no_second_effect() -> None:
    ledger = Ledger()
    ledger.process(entries(topic_event(1)))
    plan = ledger.process(entries(topic_event(1, topic="other"), topic_event(2, topic="other")))
    assert [event.offset for event in ledger.log("topic:other")] == [1]
    (letter,) = plan.dead
    assert letter.reason == "CONFLICT: the id was used before, on topic:news"
    assert list(plan.deliver) == ["topic:other"]


def test_a_stored_event_beyond_the_head_is_out_of_step_until_what_lies_between_is_known() -> None:
    ledger = Ledger()
    ledger.process(entries(topic_event(1)))
    lagging = dict(ledger.heads)
    ledger.process(entries(topic_event(2), topic_event(3)))
    one, two, three = ledger.log("topic:news")
    accepted = accept(entries(topic_event(3), topic_event(4)))
    with pytest.raises(OutOfStep):
        Planner(lagging, {three.id: three}, stored_is_known=True).plan(accepted)
    planner = Planner(lagging, {three.id: three}, stored_is_known=True)
    plan = planner.plan(accepted, [two, three])
    assert [event.offset for event in plan.append] == [4]
    assert plan.heads["topic:news"].offset == 4
    assert one.offset == 1


def test_a_repeat_that_was_stored_under_another_head_is_told_again_as_it_was() -> None:
    ledger = Ledger()
    ledger.process(entries(notification(1, "u1"), notification(2, "u1")))
    stored = ledger.log("user:u1")[0]
    plan = ledger.process(entries(notification(1, "u1", title="other"), start=99))
    assert plan.deliver == {"user:u1": {1: stored}}
    assert plan.append == []
    assert ledger.heads["user:u1"].offset == 2


# -- activities: no event records them, so a repeat cannot be told by one -------------------------


def test_redelivering_an_activity_and_the_end_makes_no_dead_letter() -> None:
    ledger = Ledger()
    ledger.process(entries(*RUNNING))
    batch = entries(activity(2), job_event(3, JobCompleted()), start=5)
    ledger.process(batch)
    plan = ledger.process(batch, redelivered=True)
    assert plan.dead == []


def test_redelivering_an_activity_leaves_the_head_as_it_was() -> None:
    ledger = Ledger()
    ledger.process(entries(*RUNNING))
    batch = entries(activity(2), job_event(3, scenario()), start=5)
    ledger.process(batch)
    before = ledger.heads["job:j1"]
    ledger.process(batch, redelivered=True)
    assert ledger.heads["job:j1"] == before


def test_an_activity_published_twice_has_effect_once() -> None:
    ledger = Ledger()
    ledger.process(entries(*RUNNING, activity(2, "first"), activity(3, "second")))
    ledger.process(entries(activity(2, "first"), start=50))
    job = ledger.heads["job:j1"].job
    assert job is not None
    assert job.activity is not None
    assert job.activity["scenarioTitle"] == "second"
