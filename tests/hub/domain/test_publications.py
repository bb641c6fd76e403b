from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from hub.domain import channels
from hub.domain.codes import INVALID_REQUEST, PAYLOAD_TOO_LARGE, HubError
from hub.domain.parsing import parse_item, parse_publication
from hub.domain.publications import (
    JOB_EVENT_DATA,
    MAX_BYTES,
    PUBLICATION_KINDS,
    RESERVED_TYPES,
    AnyPublication,
    JobEvent,
    Notification,
    ScenarioCompleted,
)
from tests.hub.domain import samples

ID = str(samples.uuid(1))
STARTED = {
    "id": ID,
    "kind": "JOB",
    "type": "JOB_STARTED",
    "jobId": "j1",
    "projectId": "p1",
    "ownerId": "u1",
    "totals": {"scenarios": 12, "features": 3},
}
NOTIFICATION = {
    "id": ID,
    "kind": "NOTIFICATION",
    "to": {"users": ["u1"]},
    "type": "team.updated",
    "title": "Team",
    "body": "It changed.",
}
EVENT = {"id": ID, "kind": "EVENT", "channel": "topic:news", "type": "NEWS", "data": {}}
ACTIVITY = {"id": ID, "kind": "ACTIVITY", "jobId": "j1", "activity": {"scenarioTitle": "Login"}}


def job(type_: str, **data: Any) -> dict[str, Any]:
    """A job event."""
    return {"id": ID, "kind": "JOB", "type": type_, "jobId": "j1", "data": data}


def scenario(**more: Any) -> dict[str, Any]:
    """A finished scenario with more or other data."""
    data = {
        "scenarioId": "s1",
        "featureId": "f1",
        "featureName": "Auth",
        "title": "Login",
        "stepsCount": 4,
    }
    return job("SCENARIO_COMPLETED", **(data | more))


SCENARIO = scenario()


def status(**data: Any) -> dict[str, Any]:
    """A change of status."""
    return job("JOB_STATUS_CHANGED", **data)


def without(message: dict[str, Any], field: str) -> dict[str, Any]:
    """``message`` less one field."""
    return {key: value for key, value in message.items() if key != field}


def deep(levels: int) -> Any:
    """An object that nests this deep."""
    return {"a": deep(levels - 1)} if levels > 1 else {}


GOOD: list[tuple[dict[str, Any], str]] = [
    (STARTED, "job:j1"),
    (without(STARTED, "totals"), "job:j1"),
    ({**STARTED, "important": True, "jobKind": "TEAM_EXECUTION", "watcherIds": ["u2"]}, "job:j1"),
    (SCENARIO, "job:j1"),
    (status(currentStatus="GENERATING"), "job:j1"),
    (status(currentStatus="CANCELLED", message=""), "job:j1"),
    (status(currentStatus="A_STATUS_OF_ONES_OWN"), "job:j1"),
    (job("JOB_COMPLETED"), "job:j1"),
    (without(job("JOB_COMPLETED"), "data"), "job:j1"),
    (job("PROGRESS_UPDATED", percentage=100), "job:j1"),
    (ACTIVITY, "job:j1"),
    ({**ACTIVITY, "activity": None}, "job:j1"),
    (NOTIFICATION, "user:u1"),
    ({**NOTIFICATION, "to": {"users": ["u2", "u1"]}}, "user:u2"),
    ({**NOTIFICATION, "to": {"topic": "news"}}, "topic:news"),
    ({**NOTIFICATION, "to": "all"}, "all"),
    ({**NOTIFICATION, "expiresAt": "2026-02-01T00:00:00+03:00", "data": {"a": 1}}, "user:u1"),
    (EVENT, "topic:news"),
    ({**EVENT, "id": ID.upper()}, "topic:news"),
]


@pytest.mark.parametrize(("message", "channel"), GOOD)
def test_what_workers_may_publish(message: dict[str, Any], channel: str) -> None:
    publication = parse_publication(json.dumps(message))
    assert publication.channel == channel
    assert publication.kind == message["kind"]
    assert str(publication.id) == ID
    assert parse_item(message) == publication


def test_half_a_character_is_named_as_that() -> None:
    said = {**EVENT, "data": {"a": "\ud83d"}}
    with pytest.raises(HubError, match="surrogate") as refused:
        parse_publication(json.dumps(said))
    assert refused.value.code is INVALID_REQUEST
    whole = {**EVENT, "data": {"a": "\N{WAVING HAND SIGN}"}}
    parse_publication(json.dumps(whole))


BAD: list[tuple[str, Any, str]] = [
    ("an array", [], "payload"),
    ("a number", 5, "payload"),
    ("null", None, "payload"),
    ("no kind", without(EVENT, "kind"), "kind"),
    ("unknown kind", {**EVENT, "kind": "MAIL"}, "kind"),
    ("kind of another type", {**EVENT, "kind": 5}, "kind"),
    ("no id", without(EVENT, "id"), "id"),
    ("id no UUID", {**EVENT, "id": "1"}, "id"),
    ("id null", {**SCENARIO, "id": None}, "id"),
    ("unknown field", {**EVENT, "colour": "red"}, "colour"),
    ("unknown field of a job event", {**SCENARIO, "colour": "red"}, "colour"),
    ("unknown job event", {**SCENARIO, "type": "STEP_COMPLETED"}, "type"),
    ("job event without type", without(SCENARIO, "type"), "type"),
    ("type of another type", {**SCENARIO, "type": 5}, "type"),
    ("no job", without(SCENARIO, "jobId"), "jobId"),
    ("bad job id", {**SCENARIO, "jobId": "-1"}, "jobId"),
    ("job id with line end", {**SCENARIO, "jobId": "j1\n"}, "jobId"),
    ("job id too long", {**SCENARIO, "jobId": "j" * 129}, "jobId"),
    ("no data", without(SCENARIO, "data"), "data.scenarioId"),
    ("data no object", {**SCENARIO, "data": []}, "data"),
    ("data unknown", scenario(x=1), "data.x"),
    ("data negative", scenario(stepsCount=-1), "data.stepsCount"),
    ("data fraction", scenario(stepsCount=1.5), "data.stepsCount"),
    ("data empty text", scenario(title=""), "data.title"),
    (
        "derived previous status",
        status(previousStatus="A", currentStatus="B"),
        "data.previousStatus",
    ),
    ("status not upper snake", status(currentStatus="generating"), "data.currentStatus"),
    ("status COMPLETED", status(currentStatus="COMPLETED"), "data.currentStatus"),
    ("status FAILED", status(currentStatus="FAILED"), "data.currentStatus"),
    ("percentage over 100", job("PROGRESS_UPDATED", percentage=101), "data.percentage"),
    ("percentage below 0", job("PROGRESS_UPDATED", percentage=-1), "data.percentage"),
    ("failed without code", job("JOB_FAILED", message="m"), "data.errorCode"),
    (
        "failed with derived",
        job("JOB_FAILED", errorCode="E", message="m", failedAt="X"),
        "data.failedAt",
    ),
    ("start without owner", without(STARTED, "ownerId"), "ownerId"),
    ("start with data", {**STARTED, "data": {"a": 1}}, "data"),
    ("totals negative", {**STARTED, "totals": {"scenarios": -1}}, "totals.scenarios"),
    ("totals unknown", {**STARTED, "totals": {"steps": 1}}, "totals.steps"),
    ("bad watcher", {**STARTED, "watcherIds": ["u1", "u 2"]}, "watcherIds[1]"),
    ("too many watchers", {**STARTED, "watcherIds": ["u"] * 101}, "watcherIds"),
    ("job kind", {**STARTED, "jobKind": "generation"}, "jobKind"),
    ("activity no object", {**ACTIVITY, "activity": "x"}, "activity"),
    ("activity unknown", {**ACTIVITY, "activity": {"x": 1}}, "activity.x"),
    ("no activity", without(ACTIVITY, "activity"), "activity"),
    ("to nobody", {**NOTIFICATION, "to": {"users": []}}, "to.users"),
    ("to neither", {**NOTIFICATION, "to": {}}, "to"),
    ("to both", {**NOTIFICATION, "to": {"users": ["u1"], "topic": "t"}}, "to"),
    ("to everyone", {**NOTIFICATION, "to": "everyone"}, "to"),
    ("to a bad user", {**NOTIFICATION, "to": {"users": ["u1", ""]}}, "to.users[1]"),
    ("to too many", {**NOTIFICATION, "to": {"users": ["u"] * 1001}}, "to.users"),
    ("no title", without(NOTIFICATION, "title"), "title"),
    ("severity", {**NOTIFICATION, "severity": "FATAL"}, "severity"),
    ("expiry without zone", {**NOTIFICATION, "expiresAt": "2026-02-01T00:00:00"}, "expiresAt"),
    ("expiry no time", {**NOTIFICATION, "expiresAt": "soon"}, "expiresAt"),
    ("link too long", {**NOTIFICATION, "link": "x" * 2049}, "link"),
    ("data too large", {**NOTIFICATION, "data": {"a": "x" * 16_384}}, "data"),
    ("notification data too deep", {**NOTIFICATION, "data": deep(33)}, "data" + ".a" * 32),
    ("link runs code", {**NOTIFICATION, "link": "javascript:alert(1)"}, "link"),
    ("link runs Code", {**NOTIFICATION, "link": "JavaScript:alert(1)"}, "link"),
    ("link hides its scheme", {**NOTIFICATION, "link": "java\tscript:alert(1)"}, "link"),
    ("link begins with white space", {**NOTIFICATION, "link": " javascript:alert(1)"}, "link"),
    ("link is data", {**NOTIFICATION, "link": "data:text/html,x"}, "link"),
    ("link to a host without a scheme", {**NOTIFICATION, "link": "//evil.example"}, "link"),
    ("link to a host by backslash", {**NOTIFICATION, "link": "/\\evil.example"}, "link"),
    ("link of http but no host", {**NOTIFICATION, "link": "https:evil.example"}, "link"),
    ("link empty", {**NOTIFICATION, "link": ""}, "link"),
    ("dedupe key to all", {**NOTIFICATION, "to": "all", "dedupeKey": "k"}, "dedupeKey"),
    ("dedupe key to topic", {**NOTIFICATION, "to": {"topic": "t"}, "dedupeKey": "k"}, "dedupeKey"),
    ("dedupe key empty", {**NOTIFICATION, "dedupeKey": ""}, "dedupeKey"),
    ("event on a job", {**EVENT, "channel": "job:j1"}, "channel"),
    ("event on a user", {**EVENT, "channel": "user:u1"}, "channel"),
    ("event on all", {**EVENT, "channel": "all"}, "channel"),
    ("event on nothing", {**EVENT, "channel": "news"}, "channel"),
    ("event data list", {**EVENT, "data": []}, "data"),
    ("event integer over 64 bits", {**EVENT, "data": {"a": 1 << 63}}, "data.a"),
    ("event key with NUL", {**EVENT, "data": {"a": {"b\0": 1}}}, "data.a"),
    ("event too deep", {**EVENT, "data": deep(33)}, "data" + ".a" * 32),
]


@pytest.mark.parametrize(
    ("message", "field"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_what_is_refused_and_where(message: Any, field: str) -> None:
    with pytest.raises(HubError) as caught:
        parse_publication(json.dumps(message))
    error = caught.value
    assert error.code is INVALID_REQUEST
    assert error.details is not None
    assert [detail["field"] for detail in error.details] == [field]
    assert error.message.startswith(f"{field}: ")


@pytest.mark.parametrize("type_", sorted(RESERVED_TYPES))
def test_the_hubs_own_event_types_are_no_topic_events(type_: str) -> None:
    with pytest.raises(HubError) as caught:
        parse_publication(json.dumps({**EVENT, "type": type_}))
    assert caught.value.details == [{"field": "type", "message": f"{type_} is the hub's own"}]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"a":1}x',
        b'"\\ud800"',
        "\ud800",
        '{"id":' + "[" * 5000 + "]" * 5000,
    ],
    ids=["empty", "cut", "not UTF-8", "trailing", "surrogate", "surrogate in a str", "deep"],
)
def test_what_is_not_json_is_refused(raw: bytes | str) -> None:
    with pytest.raises(HubError) as caught:
        parse_publication(raw)
    assert caught.value.code is INVALID_REQUEST
    assert caught.value.details is not None
    assert caught.value.details[0]["field"] == "payload"


def test_a_number_out_of_range_is_named() -> None:
    raw = json.dumps(EVENT).replace('"data": {}', '"data": {"a": [1, 1e999]}')
    with pytest.raises(HubError) as caught:
        parse_publication(raw)
    assert caught.value.details is not None
    assert caught.value.details[0]["field"].startswith("data")


def test_size_is_limited_in_bytes_exactly() -> None:
    empty = json.dumps({**EVENT, "data": {"a": ""}}, ensure_ascii=False)
    room = MAX_BYTES - len(empty)
    exact = empty.replace('"a": ""', '"a": "' + "é" * (room // 2) + "x" * (room % 2) + '"')
    assert len(exact.encode()) == MAX_BYTES
    parse_publication(exact)
    with pytest.raises(HubError) as caught:
        parse_publication(exact.replace('"a": "', '"a": "x'))
    assert caught.value.code is PAYLOAD_TOO_LARGE


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_an_expiry_beyond_the_calendar_in_utc_is_refused(at: str) -> None:
    """What passes here must be storable and showable: ingest has no way out later on."""
    with pytest.raises(HubError) as caught:
        parse_publication(json.dumps({**NOTIFICATION, "expiresAt": at}))
    assert caught.value.details is not None
    assert caught.value.details[0]["field"] == "expiresAt"


@settings(deadline=None)
@given(samples.publications)
def test_the_journal_carries_every_publication_as_it_is(publication: AnyPublication) -> None:
    encoded = publication.encode()
    assert parse_publication(encoded) == publication
    assert parse_publication(encoded.decode()) == publication
    assert parse_item(json.loads(encoded)) == publication
    assert json.loads(encoded)["kind"] == publication.kind
    assert channels.parse_channel(publication.channel) is not None


@settings(deadline=None)
@given(samples.json_values)
def test_whatever_json_comes_is_a_publication_or_a_refusal(value: Any) -> None:
    with pytest.raises(HubError):
        parse_publication(json.dumps(value))


def test_every_job_event_type_of_the_contract_has_its_shape() -> None:
    assert set(JOB_EVENT_DATA) == {
        *("SCENARIO_COMPLETED", "FEATURE_COMPLETED", "JOB_STATUS_CHANGED"),
        *("JOB_COMPLETED", "JOB_FAILED", "PROGRESS_UPDATED"),
    }
    assert set(PUBLICATION_KINDS) == {"JOB", "NOTIFICATION", "ACTIVITY", "EVENT", "INBOX", "ENDED"}


def test_data_is_parsed_into_the_shape_of_its_type() -> None:
    publication = parse_publication(json.dumps(SCENARIO))
    assert isinstance(publication, JobEvent)
    assert publication.data == ScenarioCompleted("s1", "f1", "Auth", "Login", 4)


def test_whom_a_notification_names() -> None:
    for to, users in (("all", []), ({"topic": "t"}, []), ({"users": ["a", "b"]}, ["a", "b"])):
        publication = parse_publication(json.dumps({**NOTIFICATION, "to": to}))
        assert isinstance(publication, Notification)
        assert publication.users == users


@pytest.mark.parametrize(
    "link",
    ["https://example.org/a?b=c:d", "HTTP://x", "/v1/jobs/a:b/progress", "jobs/1", "#x", "?a=b:c"],
)
def test_links_to_pages_are_taken(link: str) -> None:
    taken = parse_publication(json.dumps({**NOTIFICATION, "link": link}))
    assert isinstance(taken, Notification)
    assert taken.link == link
