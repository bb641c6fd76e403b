"""Publications, jobs and events to test with, each a function of few arguments, and strategies
that make any of them."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from msgspec.structs import replace

from hub.domain import jobs
from hub.domain.channels import job_channel
from hub.domain.events import Event
from hub.domain.jobs import Job
from hub.domain.publications import (
    Activity,
    ActivityDetail,
    AnyPublication,
    FeatureCompleted,
    JobCompleted,
    JobEvent,
    JobEventData,
    JobFailed,
    JobStarted,
    Notification,
    ProgressUpdated,
    Recipients,
    ScenarioCompleted,
    StatusChanged,
    TopicEvent,
    Totals,
)

T0 = datetime(2026, 1, 28, 10, 10, tzinfo=UTC)
"""When the sample job started."""


def uuid(number: int) -> UUID:
    """A UUID that is told by its number."""
    return UUID(int=0x0197 << 112 | 7 << 76 | 0b10 << 62 | number)


def after(seconds: float) -> datetime:
    """The instant ``seconds`` after the start of the sample job."""
    return T0 + timedelta(seconds=seconds)


def job_started(number: int = 0, job_id: str = "j1", **more: Any) -> JobStarted:
    """A start of a job of 12 scenarios in 3 features."""
    given: dict[str, Any] = {
        "project_id": "p1",
        "owner_id": "u1",
        "totals": Totals(scenarios=12, features=3),
    }
    return JobStarted(id=uuid(number), job_id=job_id, type="JOB_STARTED", **(given | more))


def job_event(number: int, data: JobEventData, job_id: str = "j1") -> JobEvent:
    """The publication that carries ``data``; its type follows from the shape of it."""
    names = {
        ScenarioCompleted: "SCENARIO_COMPLETED",
        FeatureCompleted: "FEATURE_COMPLETED",
        StatusChanged: "JOB_STATUS_CHANGED",
        JobCompleted: "JOB_COMPLETED",
        JobFailed: "JOB_FAILED",
        ProgressUpdated: "PROGRESS_UPDATED",
    }
    return JobEvent(id=uuid(number), job_id=job_id, type=names[type(data)], data=data)


def scenario(name: str = "s1", steps: int = 4) -> ScenarioCompleted:
    """A finished scenario."""
    return ScenarioCompleted(name, "f1", "Autenticação de Usuários", f"Login {name}", steps)


def feature(name: str = "f1") -> FeatureCompleted:
    """A finished feature."""
    return FeatureCompleted(name, "Autenticação de Usuários", 4, 16)


def activity(number: int, scenario_title: str = "Criar cliente", job_id: str = "j1") -> Activity:
    """A job working on a scenario."""
    detail = ActivityDetail(scenario_title=scenario_title)
    return Activity(id=uuid(number), job_id=job_id, activity=detail)


def notification(number: int, *users: str, **more: Any) -> Notification:
    """A notification to ``users``, or to all without any."""
    given: dict[str, Any] = {"type": "team.updated", "title": "Team", "body": "It changed."} | more
    to = given.pop("to", Recipients(users=list(users)) if users else "all")
    return Notification(id=uuid(number), to=to, **given)


def topic_event(number: int, topic: str = "news", **data: Any) -> TopicEvent:
    """An event of a team's own."""
    return TopicEvent(id=uuid(number), topic_name=f"topic:{topic}", type="NEWS", data=data)


def event_of(job: Job, publication: JobEvent, offset: int, at: datetime) -> Event:
    """The event that ``publication`` makes of ``job`` at ``at``."""
    return Event(
        id=str(publication.id),
        channel=job_channel(job.id),
        epoch="e1",
        offset=offset,
        type=publication.type,
        data=jobs.event_data(job, publication, at),
        timestamp=at,
        job_id=job.id,
    )


_counts = st.integers(0, 1_000_000_000)
_words = string.ascii_letters + string.digits
user_ids = st.builds(
    str.__add__,
    st.sampled_from(_words),
    st.text(st.sampled_from(_words + "._:@|+=-"), max_size=127),
)
"""Ids that users bring."""

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
_upper_snake = st.from_regex(r"[A-Z][A-Z0-9_]{0,63}", fullmatch=True)
_keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=8,
)
"""What free-form data may hold."""

json_objects = st.dictionaries(_keys, json_values, max_size=4)
"""Free-form data."""

running_data = st.one_of(
    st.builds(ScenarioCompleted, user_ids, user_ids, texts, texts, _counts),
    st.builds(FeatureCompleted, user_ids, texts, _counts, _counts),
    st.builds(StatusChanged, st.sampled_from(["PLANNING", "GENERATING", "OWN_STATUS"])),
    st.builds(StatusChanged, st.just("VALIDATING"), message=texts),
    st.builds(ProgressUpdated, st.floats(0, 100)),
)
"""Data of job events that do not end the job."""

ending_data = st.one_of(
    st.just(StatusChanged("CANCELLED")),
    st.builds(JobCompleted, _counts, _counts),
    st.builds(JobFailed, _upper_snake, texts),
)
"""Data of job events that end the job."""

_instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis takes bounds without a zone
_recipients = st.one_of(
    st.just("all"),
    st.builds(Recipients, users=st.lists(user_ids, min_size=1, max_size=5)),
    st.builds(Recipients, topic=user_ids),
)
publications: st.SearchStrategy[AnyPublication] = st.one_of(
    st.builds(
        JobStarted,
        id=st.uuids(),
        job_id=user_ids,
        type=st.just("JOB_STARTED"),
        project_id=user_ids,
        owner_id=user_ids,
        job_kind=_upper_snake,
        watcher_ids=st.lists(user_ids, max_size=3),
        totals=st.builds(Totals, _counts, _counts),
        important=st.booleans(),
    ),
    st.builds(
        lambda identity, data, job_id: replace(job_event(0, data, job_id), id=identity),
        st.uuids(),
        running_data | ending_data,
        user_ids,
    ),
    st.builds(
        Activity,
        id=st.uuids(),
        job_id=user_ids,
        activity=st.none() | st.builds(ActivityDetail, _upper_snake, message=texts),
    ),
    st.builds(
        Notification,
        id=st.uuids(),
        to=_recipients,
        type=user_ids,
        title=texts,
        body=texts,
        severity=st.sampled_from(["INFO", "SUCCESS", "WARNING", "ERROR"]),
        data=json_objects,
        expires_at=_instants,
    ),
    st.builds(
        TopicEvent,
        id=st.uuids(),
        topic_name=user_ids.map(lambda name: f"topic:{name}"),
        type=user_ids.filter(lambda name: name.islower()),
        data=json_objects,
    ),
)
"""Any well-formed publication."""
