"""What the documents say of what the hub takes is what it takes. Samples with every field are
changed in one place at a time, to values at each bound of the schema and one beyond it, and to
others that are often mistaken; the schema and the hub's own parser must then say the same. What no
schema can say is said in words, which is looked at, too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import jsonschema_rs
import pytest
from msgspec import Struct

from hub.domain import storable, times
from hub.domain.channels import job_channel
from hub.domain.codes import INVALID_REQUEST, PAYLOAD_TOO_LARGE, UNSUPPORTED_VERSION, HubError
from hub.domain.emissions import OWN_EVENTS, RESERVED_EVENTS, NotTaken, parse_emission
from hub.domain.inbox import Member
from hub.domain.parsing import parse_item
from hub.domain.principal import Principal, Role
from hub.domain.publications import DATA_AT_MOST, MAX_BYTES, RESERVED_TYPES
from hub.domain.readstate import As
from hub.domain.shapes import parse
from hub.domain.versions import SPOKEN
from hub.gateways import doors
from hub.gateways.contract import commands, examples
from hub.gateways.contract.schemas import dialect, parameters
from hub.gateways.http.jobs import JobsQuery
from hub.gateways.http.operation import PATH_PARAMETERS, TICKET
from hub.gateways.http.publish import PublishBody
from hub.gateways.inbox import ListNotifications, MarkNotifications, parse_preferences
from hub.gateways.sio import hub as namespace
from hub.gateways.sio.admin import Act, AdminNamespace
from hub.gateways.sio.admin_commands import AdminCommands
from hub.gateways.sio.commands import ChannelCommands
from hub.gateways.sio.identity import Refresh
from hub.services.channels import required_channel
from hub.services.inbox.inbox import Inbox
from hub.services.inbox.marking import Marks
from hub.services.publish import ITEMS_AT_MOST
from tests.support.documents import asyncapi_document, openapi_document

Json = dict[str, Any]
Take = Callable[[Any], object]


class Reached(Exception):
    """What was given is through all checks: now the hub would act on it."""


class Beyond:
    """Everything behind a parser: whoever uses it has checked what was given."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **options: Any) -> Any:
        raise Reached

    def __iter__(self) -> Iterator[Any]:
        raise Reached


BEYOND: Any = Beyond()
NAMESPACE = AdminNamespace(BEYOND, BEYOND, BEYOND, BEYOND, {}, BEYOND)
ADMIN = AdminCommands(*[BEYOND] * 8)
ADMIN_TABLE = ADMIN.table() | ADMIN.ban_table(BEYOND)
INBOX = Inbox(BEYOND, BEYOND, BEYOND)
WHO = Principal("root", frozenset({Role.ADMIN}), frozenset(), times.now())
CHANNELS = ChannelCommands(BEYOND).table()


class Case(Struct):
    """One thing that the hub takes: the schema that a document has of it, the hub's own parser, and
    samples that have every field between them. ``kinds``: of values that can come there at all,
    where there are not those of JSON."""

    schema: Json
    take: Take
    samples: list[Any]
    kinds: tuple[type, ...] = ()


def of_command(schema: str, take: Take, *samples: Any) -> Case:
    return Case({"$ref": f"#/components/schemas/{schema}"}, take, list(samples))


def of_query(shape: type[Struct], take: Take, *samples: Any) -> Case:
    schema: Json = dialect(parameters(shape))
    schema["properties"].pop(TICKET, None)  # a way to say who one is
    return Case(schema, take, list(samples), kinds=(str, int))


def of_path(name: str, take: Take, sample: str) -> Case:
    pattern, _ = PATH_PARAMETERS[name]
    return Case(dialect({"type": "string", "pattern": pattern}), take, [sample], kinds=(str,))


def by_shape(shape: type) -> Take:
    return lambda raw: parse(shape, raw)


def by_admin(name: str) -> Take:
    return lambda raw: asyncio.run(ADMIN_TABLE[name](Act(BEYOND), raw))  # type: ignore[arg-type]


def by_channels(name: str) -> Take:
    return lambda raw: asyncio.run(CHANNELS[name](BEYOND, raw, BEYOND))  # type: ignore[arg-type]


def connects(raw: Any) -> None:
    SPOKEN.choose(namespace.spoken_by(raw))
    given = parse(namespace.Auth, raw)
    for name in namespace._wanted(Member("u1"), given):
        required_channel(name)


def administers(raw: Any) -> None:
    if not isinstance(raw, dict) and not raw:
        raise HubError(INVALID_REQUEST)  # taken for nothing at all, which no schema need say
    asyncio.run(NAMESPACE.connect(BEYOND, raw))


def marks(raw: Any) -> None:
    wanted = parse(MarkNotifications, raw)
    up_to = wanted.upTo if isinstance(wanted.upTo, str) else None
    asyncio.run(Marks(BEYOND, BEYOND, BEYOND).mark("u1", wanted.ids, wanted.as_, up_to))


def publishes(raw: Any) -> None:
    for each in parse(PublishBody, raw).items:
        parse_item(each)


def follows(raw: Any) -> None:
    wanted = parse(doors.LiveQuery, raw)
    SPOKEN.choose(wanted.v)
    doors.position(wanted.epoch, wanted.offset)


def subscribes(topic: str, user: str) -> None:
    asyncio.run(INBOX.subscribe(WHO, topic, user))


def emits(raw: Any) -> None:
    parse_emission(json.dumps(raw).encode(), at_most=MAX_BYTES)


UUID = examples.ID
JOB: Json = {"id": UUID, "kind": "JOB", "jobId": "j1"}
NOTIFICATION: Json = {
    "id": UUID,
    "kind": "NOTIFICATION",
    "to": {"users": ["u1"]},
    "type": "team.updated",
    "title": "Hi",
    "body": "",
}
PUBLICATIONS: list[Json] = [
    JOB
    | {
        "type": "JOB_STARTED",
        "projectId": "p1",
        "ownerId": "u1",
        "jobKind": "TEAM_EXECUTION",
        "watcherIds": ["u2"],
        "totals": {"scenarios": 3, "features": 1},
        "important": True,
        "data": {},
    },
    JOB
    | {
        "type": "SCENARIO_COMPLETED",
        "data": {
            "scenarioId": "s1",
            "featureId": "f1",
            "featureName": "Sign in",
            "title": "With a password",
            "stepsCount": 4,
        },
    },
    JOB
    | {
        "type": "FEATURE_COMPLETED",
        "data": {"featureId": "f1", "name": "Sign in", "scenariosCount": 1, "totalSteps": 4},
    },
    JOB | {"type": "JOB_STATUS_CHANGED", "data": {"currentStatus": "PLANNED", "message": "so"}},
    JOB | {"type": "JOB_COMPLETED", "data": {"passed": 3, "failed": 0}},
    JOB | {"type": "JOB_FAILED", "data": {"errorCode": "TIMEOUT", "message": "too late"}},
    JOB | {"type": "PROGRESS_UPDATED", "data": {"percentage": 41.5, "message": "so"}},
    {
        "id": UUID,
        "kind": "ACTIVITY",
        "jobId": "j1",
        "activity": {
            "type": "THINKING",
            "featureName": "Sign in",
            "scenarioTitle": "With a password",
            "stepTitle": "Type it",
            "message": "so",
        },
    },
    NOTIFICATION
    | {
        "severity": "WARNING",
        "link": "/jobs/j1",
        "data": {"a": 1},
        "jobId": "j1",
        "expiresAt": "2026-01-28T10:15:30.123Z",
        "dedupeKey": "k",
        "actor": "u2",
    },
    NOTIFICATION | {"to": {"topic": "builds"}},
    NOTIFICATION | {"to": "all"},
    {
        "id": UUID,
        "kind": "EVENT",
        "channel": "topic:builds",
        "type": "build.moved",
        "data": {"a": 1},
    },
]
EMISSION = {key: value for key, value in examples.EMISSION.items() if key != "host_id"}

CASES: dict[str, Case] = {
    "connect": of_command(
        "Auth",
        connects,
        {
            "v": 1,
            "token": "t",
            "channels": {"job:j1": {"epoch": "e", "offset": 7}},
            "pid": "p",
            "offset": "o",
        },
    ),
    "admin connect": of_command("AdminAuth", administers, {"v": 1, "token": "t"}),
    "subscribe": of_command(
        "Subscribe",
        by_channels("subscribe"),
        {"channel": "job:j1", "epoch": "e", "offset": 7},
        {"channel": "all", "offset": 0},
    ),
    "unsubscribe": of_command("Unsubscribe", by_channels("unsubscribe"), {"channel": "job:j1"}),
    "notifications:list": of_command(
        "ListNotifications",
        by_shape(ListNotifications),
        {"filter": "ALL", "type": "t", "limit": 20, "cursor": f"1769595330123.{UUID}"},
    ),
    "notifications:mark": of_command(
        "MarkNotifications",
        marks,
        {"ids": [UUID], "as": "READ"},
        {"ids": "all", "as": "SEEN", "upTo": UUID},
    ),
    "auth:refresh": of_command("Refresh", by_shape(Refresh), {"token": "t"}),
    "stats": of_command("StatsPayload", by_admin("stats"), {"history": True}),
    "connections": of_command(
        "Connections",
        by_admin("connections"),
        {"userId": "u1", "cursor": "c"},
        {"jobId": "j1"},
    ),
    "kick": of_command(
        "KickPayload",
        by_admin("kick"),
        {"userId": "u1", "message": "go home", "banSeconds": 60},
        {"sid": "s"},
        {"jobId": "j1"},
    ),
    "unban": of_command("Unban", by_admin("unban"), {"userId": "u1"}),
    "revoke": of_command("Revoke", by_admin("revoke"), {"userId": "u1"}, {"jti": "t"}),
    "broadcast": of_command(
        "Broadcast",
        by_admin("broadcast"),
        {"title": "Hi", "body": "", "to": "all", "persist": True, "severity": "INFO"},
        {"title": "Hi", "body": "", "to": {"users": ["u1"]}, "persist": False},
        {"title": "Hi", "body": "", "to": {"topic": "builds"}, "persist": False},
        {"title": "Hi", "body": "", "to": {"jobId": "j1"}, "persist": False},
    ),
    "jobs": of_command(
        "Jobs", by_admin("jobs"), {"status": "PLANNED", "cursor": "1769595330123:j1"}
    ),
    "trace": of_command(
        "TracePayload", by_admin("trace"), {"notificationId": UUID}, {"eventId": UUID}
    ),
    "tail": of_command(
        "TailPayload", by_admin("tail"), {"userId": "u1"}, {"jobId": "j1"}, {"sid": "s"}
    ),
    "untail": of_command(
        "UntailPayload", by_admin("untail"), {}, {"userId": "u1"}, {"jobId": "j1"}, {"sid": "s"}
    ),
    "dead": of_command("DeadPayload", by_admin("dead"), {"cursor": "05:1769595330123-0"}),
    "dead:replay": of_command("Letters", by_admin("dead:replay"), {"ids": ["05:1769595330123-0"]}),
    "dead:drop": of_command("Letters", by_admin("dead:drop"), {"ids": ["05:1769595330123-0"]}),
    "audit": of_command("AuditPayload", by_admin("audit"), {"cursor": UUID}),
    "publication": of_command("Publication", parse_item, *PUBLICATIONS),
    "emission": of_command("Emitted", emits, EMISSION, EMISSION | {"room": ["job:j1"]}),
    "preferences": of_command(
        "PutPreferences", parse_preferences, {"mutedTypes": ["t"], "mutedTopics": ["builds"]}
    ),
    "progress": of_query(doors.LiveQuery, follows, {"epoch": "e", "offset": 7, "v": 1}),
    "list of jobs": of_query(
        JobsQuery,
        by_shape(JobsQuery),
        {"projectId": "p1", "status": "PLANNED", "limit": 20, "cursor": "1769595330123.job:j1"},
    ),
    "jobId": of_path("jobId", lambda raw: doors.job(job_channel(raw)), "j1"),
    "topic": of_path("topic", lambda raw: subscribes(raw, "u1"), "builds"),
    "userId": of_path("userId", lambda raw: subscribes("builds", raw), "u1"),
}

LONGEST_ID = "a" * 128
TEXTS = [
    *("", " ", "a", "A", "7", "é", "a b", "a\n", "a\0", "a.b:c@d|e+f=g-h", "-a", "_A", "A_B"),
    *(LONGEST_ID, LONGEST_ID + "a", "A" * 64, "A" * 65),
    *("all", "ALL", "job:j1", "job:", "job:-", "user:u1", "topic:builds", "other:x", "job:a b"),
    *(f"{kind}:{LONGEST_ID}{more}" for kind in ("job", "topic") for more in ("", "a")),
    *(UUID, UUID.upper(), UUID[:-1], f"{UUID}0", f" {UUID}"),
    *("/a", "//a", "/a b", "\\a", "/\\a", "a", "?a:b", "#a:b", "a:b", "http:a", "ftp://a"),
    *("http://a", "HTTPS://a/b?c#d", "javascript:alert(1)", "java\tscript:a", "/\x7f", "/\xa0"),
    *("COMPLETED", "FAILED", "CANCELLED", *map(str, As), *sorted(RESERVED_TYPES)),
    *("JOB_STARTED", "JOB_ENDED", "EVENT", "INBOX", "ENDED", "ADMIN", "INFO", "info", "UNREAD"),
    *("2026-01-28T10:15:30Z", "2026-01-28T10:15:30", "2026-01-28", "now"),
    *("00:1-1", "00:1", "1:j1", "01:-", "1.job:j1", "emit", "/", "/admin"),
    *sorted(OWN_EVENTS | RESERVED_EVENTS),
]
NUMBERS: list[Any] = [-1, 0, 1, 2, 1.5, (1 << 53) - 1, 1 << 53, (1 << 63) - 1]
OTHERS: list[Any] = [
    *(None, True, False, [], {}, [None], ["u1"], [""], ["job:j1"], {"a": 1}, {"": {}}),
    *({"users": []}, {"users": ["u1"]}, {"topic": "builds"}, {"jobId": "j1"}, {"sid": "s"}),
    *({"users": ["u1"], "topic": "builds"}, {"job:j1": {}}, {"builds": {}}),
    *({"job:j1": {"offset": 1}}, {"job:j1": {"offset": 0}}, {"job:j1": {"epoch": "e"}}),
]
SCHEMAS = openapi_document()["components"]["schemas"] | asyncapi_document()["components"]["schemas"]


def validator(schema: Json) -> Any:
    whole = {"allOf": [schema], "components": {"schemas": SCHEMAS}}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def is_taken(case: Case, value: Any) -> bool:
    """Whether the hub's own parser takes it."""
    try:
        case.take(deepcopy(value))
    except NotTaken:
        return False
    except HubError as error:
        return error.code not in (INVALID_REQUEST, PAYLOAD_TOO_LARGE, UNSUPPORTED_VERSION)
    except Reached:
        return True
    return True


def reached(schema: Json, seen: tuple[str, ...] = ()) -> Iterator[Json]:
    """The schema and all in it, those that it refers to as well."""
    yield schema
    if "$ref" in schema and schema["$ref"] not in seen:
        name = schema["$ref"]
        yield from reached(SCHEMAS[name.rpartition("/")[2]], (*seen, name))
    for key, inner in schema.items():
        if key not in ("if", "then", "not", "default", "examples"):
            for each in inner if isinstance(inner, list) else [inner]:
                if isinstance(each, dict):
                    yield from reached(each, seen)


def limits(schema: Json, *names: str) -> list[int]:
    """The bounds of these kinds, anywhere in it."""
    return sorted({each[name] for each in reached(schema) for name in names if name in each})


def around(bounds: list[int]) -> list[int]:
    return sorted({each + more for each in bounds for more in (-1, 0, 1) if each + more >= 0})


def values(schema: Json, old: Any) -> Iterator[Any]:
    """What ``old`` is changed to."""
    yield from TEXTS + NUMBERS + OTHERS
    yield from around(limits(schema, "minimum", "maximum"))
    for length in around(limits(schema, "minLength", "maxLength")):
        yield from ("a" * length, "é" * length, "/" + "a" * (length - 1))
    if isinstance(old, list):
        for length in around(limits(schema, "minItems", "maxItems")):
            yield [distinct(old[0], number) for number in range(length)]
    if isinstance(old, dict) and old:
        for length in around(limits(schema, "maxProperties")):
            name, value = next(iter(old.items()))
            yield {distinct(name, number): value for number in range(length)}


def distinct(item: Any, number: int) -> Any:
    """Another one of the same form."""
    return f"{item}-{number}" if str(item).startswith("job:") else item


Path = tuple[Any, ...]


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in a value."""
    yield at
    items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else items:
        yield from paths(inner, (*at, key))


def found(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def changed(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    copy = deepcopy(value)
    found(copy, path[:-1])[path[-1]] = new
    return copy


def without(value: Any, path: Path) -> Any:
    copy = deepcopy(value)
    del found(copy, path[:-1])[path[-1]]
    return copy


def changes(case: Case) -> Iterator[Any]:
    """The samples, each changed in one place."""
    for sample in case.samples:
        yield sample
        for path in paths(sample):
            old = found(sample, path)
            for new in values(case.schema, old):
                if case.kinds and type(new) not in case.kinds:
                    continue
                yield changed(sample, path, new)
            if path:
                yield without(sample, path)
            if isinstance(old, dict):
                yield changed(sample, (*path, "unknown"), 1)
        for other in case.samples:
            for name in set(other) - set(sample) if isinstance(sample, dict) else ():
                yield changed(sample, (name,), other[name])


@pytest.mark.parametrize("name", list(CASES))
def test_the_schema_and_the_hub_agree(name: str) -> None:
    case = CASES[name]
    schema, tried = validator(case.schema), 0
    for sample in case.samples:
        assert schema.is_valid(sample), list(schema.iter_errors(sample))
    for value in changes(case):
        if has_too_much_data(value):
            continue
        tried += 1
        said, does = schema.is_valid(value), is_taken(case, value)
        assert said == does, f"{'taken' if does else 'refused'}: {str(value)[:300]}"
    assert tried > 100


@pytest.mark.parametrize("name", list(CASES))
def test_samples_have_every_field(name: str) -> None:
    case = CASES[name]
    described = {field for each in reached(case.schema) for field in each.get("properties", {})}
    shown = {key for sample in case.samples for path in paths(sample) for key in path}
    assert described <= shown


def test_every_command_is_among_them() -> None:
    for each in (*commands.MAIN, *commands.ADMIN):
        assert CASES[each.name].schema["$ref"].endswith(f"/{each.payload.__name__}")


def test_one_call_publishes_so_many_and_no_more() -> None:
    schema = validator({"$ref": "#/components/schemas/PublishBody"})
    case = Case({}, publishes, [])
    for length in (0, 1, ITEMS_AT_MOST, ITEMS_AT_MOST + 1):
        body = {"items": [NOTIFICATION] * length}
        assert schema.is_valid(body) == is_taken(case, body) == (0 < length <= ITEMS_AT_MOST)
    assert not schema.is_valid({"items": [{}]})


def has_too_much_data(value: Any) -> bool:
    """Whether it is a notification whose ``data`` has more bytes than it may, which is in words."""
    if not isinstance(value, dict) or value.get("kind") != "NOTIFICATION":
        return False
    return len(json.dumps(value.get("data"), ensure_ascii=False).encode()) > DATA_AT_MOST


def nested(levels: int) -> Json:
    return {} if levels == 1 else {"a": nested(levels - 1)}


ANYWHERE: dict[str, tuple[Json, Json]] = {
    "levels": (nested(storable.DEEPEST), nested(storable.DEEPEST + 1)),
    "integers": ({"a": (1 << 63) - 1}, {"a": 1 << 63}),
    "negative integers": ({"a": -(1 << 63)}, {"a": -(1 << 63) - 1}),
    "a NUL": ({"a": "\0"}, {"a\0": 1}),
}
"""What is in words: the most that is taken, and one beyond."""
OF_A_NOTIFICATION = {"bytes": ({"a": "a" * (DATA_AT_MOST - 8)}, {"a": "a" * (DATA_AT_MOST - 7)})}


@pytest.mark.parametrize("shape", ["Notification", "TopicEvent"])
def test_what_no_schema_says_of_data_is_said_in_words(shape: str) -> None:
    words = SCHEMAS[shape]["properties"]["data"]["description"]
    assert storable.SAID in words
    assert (str(DATA_AT_MOST) in words) == (shape == "Notification")
    sample = NOTIFICATION if shape == "Notification" else PUBLICATIONS[-1]
    bounds = ANYWHERE | (OF_A_NOTIFICATION if shape == "Notification" else {})
    for told, (most, beyond) in bounds.items():
        assert is_taken(CASES["publication"], sample | {"data": most}), told
        assert not is_taken(CASES["publication"], sample | {"data": beyond}), told


def test_the_size_of_a_publication_is_said_in_words() -> None:
    assert str(MAX_BYTES) in SCHEMAS["Publication"]["description"]
    event = PUBLICATIONS[-1]
    room = MAX_BYTES - len(json.dumps(event | {"data": {"a": ""}}, separators=(",", ":")))
    assert is_taken(CASES["publication"], event | {"data": {"a": "a" * room}})
    assert not is_taken(CASES["publication"], event | {"data": {"a": "a" * (room + 1)}})
