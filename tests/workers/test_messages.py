"""What a worker's call becomes: a publication that the hub takes, or an error naming the field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from hub.domain.parsing import parse_publication
from hub.domain.publications import MAX_BYTES, AnyPublication
from workers.errors import PublicationInvalid
from workers.messages import TEAM_EXECUTION, JobMessages, Messages

Fields = dict[str, Any]


class Collected(Messages[Fields]):
    """Messages that give what would be sent."""

    def _send(self, publication: AnyPublication) -> Fields:
        encoded = publication.encode()
        assert parse_publication(encoded) == publication
        fields: Fields = json.loads(encoded)
        assert UUID(fields.pop("id")).version == 7
        return fields


HUB = Collected()
JOB: JobMessages[Fields] = HUB.job("j1", project_id="p1", owner_id="u1")
SCENARIO: dict[str, Any] = {
    "scenario_id": "s1",
    "feature_id": "f1",
    "feature_name": "Gestão de Clientes",
    "title": "Criar cliente",
    "steps_count": 4,
}


def job(type_: str, **data: Any) -> Fields:
    """The fields of a job event."""
    return {"kind": "JOB", "jobId": "j1", "type": type_, "data": data}


CALLS: list[tuple[Callable[[], Fields], Fields]] = [
    (lambda: JOB.status("PLANNING"), job("JOB_STATUS_CHANGED", currentStatus="PLANNING")),
    (
        lambda: JOB.status("GENERATING", message="soon"),
        job("JOB_STATUS_CHANGED", currentStatus="GENERATING", message="soon"),
    ),
    (
        lambda: JOB.scenario_completed(**SCENARIO),
        job(
            "SCENARIO_COMPLETED",
            scenarioId="s1",
            featureId="f1",
            featureName="Gestão de Clientes",
            title="Criar cliente",
            stepsCount=4,
        ),
    ),
    (
        lambda: JOB.feature_completed(
            feature_id="f1", name="Clientes", scenarios_count=4, total_steps=16
        ),
        job("FEATURE_COMPLETED", featureId="f1", name="Clientes", scenariosCount=4, totalSteps=16),
    ),
    (
        lambda: JOB.progress(12.5, "half of a quarter"),
        job("PROGRESS_UPDATED", percentage=12.5, message="half of a quarter"),
    ),
    (lambda: JOB.complete(passed=11, failed=1), job("JOB_COMPLETED", passed=11, failed=1)),
    (lambda: JOB.complete(), job("JOB_COMPLETED", passed=0, failed=0)),
    (
        lambda: JOB.fail("GENERATION_TIMEOUT", "late"),
        job("JOB_FAILED", errorCode="GENERATION_TIMEOUT", message="late"),
    ),
    (lambda: JOB.cancel(), job("JOB_STATUS_CHANGED", currentStatus="CANCELLED")),
    (
        lambda: JOB.activity(feature="Clientes", scenario="Criar", step="Dado"),
        {
            "kind": "ACTIVITY",
            "jobId": "j1",
            "activity": {"featureName": "Clientes", "scenarioTitle": "Criar", "stepTitle": "Dado"},
        },
    ),
    (
        lambda: HUB.event("news", "TEAM_CHANGED", {"team": 1}),
        {"kind": "EVENT", "channel": "topic:news", "type": "TEAM_CHANGED", "data": {"team": 1}},
    ),
]


@pytest.mark.parametrize(("call", "fields"), CALLS)
def test_calls_and_what_is_sent(call: Callable[[], Fields], fields: Fields) -> None:
    assert call() == fields


def test_starting_a_job_says_whose_it_is() -> None:
    handle = HUB.job(
        *("j2",),
        project_id="p1",
        owner_id="u1",
        kind=TEAM_EXECUTION,
        watcher_ids=("u2", "u3"),
        important=True,
    )
    assert handle.id == "j2"
    assert handle.start(total_scenarios=12, total_features=3) == {
        "kind": "JOB",
        "jobId": "j2",
        "type": "JOB_STARTED",
        "projectId": "p1",
        "ownerId": "u1",
        "jobKind": "TEAM_EXECUTION",
        "watcherIds": ["u2", "u3"],
        "important": True,
        "totals": {"scenarios": 12, "features": 3},
    }


@pytest.mark.parametrize(
    ("given", "to"),
    [
        ({"users": ["u1", "u2"]}, {"users": ["u1", "u2"]}),
        ({"users": ("u1",)}, {"users": ["u1"]}),
        ({"topic": "news"}, {"topic": "news"}),
        ({"everyone": True}, "all"),
    ],
)
def test_whom_a_notification_is_for(given: Mapping[str, Any], to: Any) -> None:
    sent = HUB.notify(type="a", title="t", body="b", **given)
    assert sent == {"kind": "NOTIFICATION", "to": to, "type": "a", "title": "t", "body": "b"}


def test_all_that_a_notification_may_have() -> None:
    sent = HUB.notify(
        users=["u1"],
        type="team.updated",
        title="Team",
        body="",
        severity="WARNING",
        link="/teams/1",
        data={"team": 1},
        dedupe_key="team-1",
        expires_at=datetime(2026, 2, 1, tzinfo=UTC),
    )
    assert sent["severity"] == "WARNING"
    assert sent["link"] == "/teams/1"
    assert sent["data"] == {"team": 1}
    assert sent["dedupeKey"] == "team-1"
    assert sent["expiresAt"] == "2026-02-01T00:00:00Z"


def notify(**more: Any) -> Fields:
    """A notification to u1 with more or other fields."""
    return HUB.notify(**({"users": ["u1"], "type": "a", "title": "t", "body": "b"} | more))


endless: list[Any] = []
endless.append(endless)

BAD: list[tuple[Callable[[], Fields], str]] = [
    (lambda: notify(users=None), "to"),
    (lambda: notify(topic="news"), "to"),
    (lambda: notify(everyone=True), "to"),
    (lambda: notify(users=[]), "to.users"),
    (lambda: notify(users=["u1", "-"]), "to.users[1]"),
    (lambda: notify(users=None, topic="a b"), "to.topic"),
    (lambda: notify(users=None, topic=""), "to.topic"),
    (lambda: notify(title=""), "title"),
    (lambda: notify(severity="LOUD"), "severity"),
    (lambda: notify(expires_at=datetime(2026, 2, 1)), "expiresAt"),  # noqa: DTZ001
    (lambda: notify(data={"a": {"b": object()}}), "data.a.b"),
    (lambda: notify(data={"a": [1, {2, 3}]}), "data.a[1]"),
    (lambda: notify(data={"a": float("nan")}), "data.a"),
    (lambda: notify(title="\ud800"), "title"),
    (lambda: notify(data={"a": 1 << 70}), "data.a"),
    (lambda: notify(data={"a": endless}), "data.a"),
    (lambda: notify(data={"a": {"x": "y" * MAX_BYTES}, "b": 1}), "data.a.x"),
    (lambda: HUB.event("", "T", {}), "channel"),
    (lambda: HUB.event("news", "JOB_FAILED", {}), "type"),
    (lambda: JOB.status("COMPLETED"), "data.currentStatus"),
    (lambda: JOB.status("generating"), "data.currentStatus"),
    (lambda: JOB.progress(101), "data.percentage"),
    (lambda: JOB.scenario_completed(**SCENARIO | {"steps_count": -1}), "data.stepsCount"),
    (lambda: JOB.start(total_scenarios=-1), "totals.scenarios"),
    (lambda: HUB.job("-", project_id="p", owner_id="u").start(), "jobId"),
    (lambda: HUB.job("j", project_id="p", owner_id="").start(), "ownerId"),
]


@pytest.mark.parametrize(("call", "field"), BAD)
def test_what_cannot_be_published_is_refused_before_it_is_sent(
    call: Callable[[], Fields], field: str
) -> None:
    with pytest.raises(PublicationInvalid) as caught:
        call()
    assert caught.value.field.startswith(field)
    assert field in str(caught.value)
