"""What breaks in the HTTP API: one change of the document a row."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.breaking import of_openapi
from tests.support.documents import openapi_document

Change = Callable[[Any], Any]
DOCUMENT = openapi_document()
INBOX, LIVE, PUBLISH = "GET /v1/notifications", "GET /v1/jobs/{jobId}/progress", "POST /v1/publish"
EVENTS, MARK = "GET /v1/jobs/{jobId}/events", "POST /v1/notifications/mark"


def operation(document: Any, told: str) -> Any:
    method, path = told.split()
    return document["paths"][path][method.lower()]


def parameter(document: Any, told: str, name: str) -> Any:
    (found,) = (e for e in operation(document, told)["parameters"] if e["name"] == name)
    return found


def drop_parameter(document: Any, told: str, name: str) -> None:
    operation(document, told)["parameters"].remove(parameter(document, told, name))


def answer(document: Any, told: str, status: str) -> Any:
    return operation(document, told)["responses"][status]


def body(document: Any, told: str) -> Any:
    return operation(document, told)["requestBody"]


def schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


def drop(document: Any, name: str, field: str) -> None:
    found = schema(document, name)
    del found["properties"][field]
    found["required"] = [each for each in found["required"] if each != field]


def retry(document: Any, told: str, status: str, code: str) -> None:
    problem = answer(document, told, status)["content"]["application/problem+json"]
    problem["examples"][code]["value"]["retry"] ^= True


def problems(document: Any, told: str, status: str) -> Any:
    return answer(document, told, status)["content"]["application/problem+json"]["examples"]


BREAKING: dict[str, Change] = {
    # operations
    f"{INBOX} is gone": lambda d: d["paths"].pop("/v1/notifications"),
    "PUT /v1/preferences is gone": lambda d: d["paths"]["/v1/preferences"].pop("put"),
    "version 1 is not spoken any more": lambda d: d["info"].update({"x-contract": [2]}),
    # who is let in
    "GET /healthz needs token now": lambda d: operation(d, "GET /healthz").update(
        security=[{"token": []}]
    ),
    "GET /readyz needs ticket with token now": lambda d: operation(d, "GET /readyz").update(
        security=[{"ticket": [], "token": []}]
    ),
    f"{LIVE} does not take ticket any more": lambda d: operation(d, LIVE).update(
        security=[{"token": []}]
    ),
    f"{INBOX} does not take token any more": lambda d: operation(d, INBOX).update(
        security=[{"token": ["inbox"]}]
    ),
    "the security scheme ticket: name is t now": lambda d: d["components"]["securitySchemes"][
        "ticket"
    ].update(name="t"),
    # parameters
    f"{INBOX} does not take the query filter any more": lambda d: drop_parameter(
        d, INBOX, "filter"
    ),
    f"{INBOX} needs the query filter now": lambda d: parameter(d, INBOX, "filter").update(
        required=True
    ),
    f"{INBOX} needs the query x now": lambda d: operation(d, INBOX)["parameters"].append(
        {"name": "x", "in": "query", "required": True, "schema": {}}
    ),
    f"{MARK} needs the header x now": lambda d: d["paths"]["/v1/notifications/mark"].update(
        parameters=[{"name": "X", "in": "header", "required": True, "schema": {}}]
    ),
    f"{INBOX}: the query type is written in another way": lambda d: parameter(
        d, INBOX, "type"
    ).update(style="pipeDelimited", explode=True),
    f"{INBOX}: the query filter is written in another way": lambda d: parameter(
        d, INBOX, "filter"
    ).update(explode=False),
    f"{INBOX}: the query filter: UNREAD is not taken any more": lambda d: parameter(
        d, INBOX, "filter"
    )["schema"]["enum"].remove("UNREAD"),
    f"{INBOX}: the query limit: the default is not 20 any more": lambda d: parameter(
        d, INBOX, "limit"
    )["schema"].update(default=50),
    f"{INBOX}: the query limit: maximum is 50 now": lambda d: parameter(d, INBOX, "limit")[
        "schema"
    ].update(maximum=50),
    f"{INBOX}: the header hub-version: string became integer": lambda d: parameter(
        d, INBOX, "Hub-Version"
    ).update(schema={"type": "integer"}),
    # bodies
    f"{INBOX} needs a body now": lambda d: operation(d, INBOX).update(
        requestBody={"required": True, "content": {}}
    ),
    f"{MARK} has no application/json any more": lambda d: body(d, MARK).update(
        content={"application/cbor": {"schema": {}}}
    ),
    "PutPreferences.mutedTypes is gone": lambda d: drop(d, "PutPreferences", "mutedTypes"),
    # answers
    f"{PUBLISH} does not answer 202 any more": lambda d: operation(d, PUBLISH)["responses"].pop(
        "202"
    ),
    f"{EVENTS} does not answer 404 any more": lambda d: operation(d, EVENTS)["responses"].pop(
        "404"
    ),
    f"{LIVE} 200 has no text/event-stream any more": lambda d: answer(d, LIVE, "200")[
        "content"
    ].pop("text/event-stream"),
    f"{INBOX} 400 has no application/problem+json any more": lambda d: answer(
        d, INBOX, "400"
    ).update(content={}),
    f"{LIVE} 200 has no Poll-Interval any more": lambda d: answer(d, LIVE, "200")["headers"].pop(
        "Poll-Interval"
    ),
    f"{EVENTS} 404 does not say JOB_NOT_FOUND any more": lambda d: problems(d, EVENTS, "404").pop(
        "JOB_NOT_FOUND"
    ),
    "RATE_LIMITED: retry is False now": lambda d: retry(d, INBOX, "429", "RATE_LIMITED"),
    "JobHistory.hasMore is gone": lambda d: drop(d, "JobHistory", "hasMore"),
    "JobHistory.hasMore may be missing now": lambda d: schema(d, "JobHistory")["required"].remove(
        "hasMore"
    ),
}
HARMLESS: dict[str, Change] = {
    "nothing": lambda d: d,
    "a version": lambda d: parameter(d, INBOX, "Hub-Version")["schema"]["enum"].append("2"),
    "an end of one that is told of the whole": lambda d: parameter(d, INBOX, "Hub-Version")[
        "schema"
    ].update(enum=["2"]),
    "a path": lambda d: d["paths"].update({"/x": {"get": {"responses": {}}}}),
    "a method": lambda d: d["paths"]["/v1/jobs"].update(post={"responses": {}}),
    "a way to come in": lambda d: operation(d, INBOX)["security"].append({"ticket": []}),
    "nobody is asked for a token": lambda d: operation(d, INBOX).update(security=[]),
    "a token may be given": lambda d: operation(d, "GET /healthz").update(
        security=[{}, {"token": []}]
    ),
    "what holds for all in one place": lambda d: [
        d.update(security=operation(d, INBOX)["security"]),
        operation(d, INBOX).pop("security"),
    ],
    "a parameter": lambda d: operation(d, INBOX)["parameters"].append(
        {"name": "x", "in": "query", "schema": {}}
    ),
    "how a parameter is written by default": lambda d: parameter(d, INBOX, "filter").update(
        style="form", explode=True
    ),
    "a header's case": lambda d: parameter(d, INBOX, "Hub-Version").update(name="hub-version"),
    "a parameter for all methods": lambda d: d["paths"]["/v1/notifications"].update(
        parameters=[operation(d, INBOX)["parameters"].pop(0)]
    ),
    "a body need not be sent": lambda d: body(d, MARK).update(required=False),
    "one more media type that is taken": lambda d: body(d, MARK)["content"].update(x={}),
    "one more that is said": lambda d: answer(d, INBOX, "200")["content"].update(x={}),
    "an answer": lambda d: operation(d, INBOX)["responses"].update({"404": {}}),
    "a failure that does not come any more": lambda d: operation(d, INBOX)["responses"].pop("503"),
    "an answer in components": lambda d: [
        d["components"].update(responses={"Page": answer(d, INBOX, "200")}),
        operation(d, INBOX)["responses"].update({"200": {"$ref": "#/components/responses/Page"}}),
    ],
    "a header": lambda d: (
        answer(d, INBOX, "200").setdefault("headers", {}).update(X={"schema": {}})
    ),
    "a code": lambda d: problems(d, EVENTS, "404").update(X={"value": {"retry": False}}),
    "a field": lambda d: schema(d, "JobHistory")["properties"].update(x={"type": "string"}),
    "a summary": lambda d: operation(d, INBOX).update(summary="All."),
}


def after(change: Change) -> list[str]:
    document = deepcopy(DOCUMENT)
    change(document)
    return of_openapi(DOCUMENT, document)


@pytest.mark.parametrize("told", list(BREAKING))
def test_a_break_is_told(told: str) -> None:
    assert after(BREAKING[told]) == [told]


@pytest.mark.parametrize("change", list(HARMLESS))
def test_what_breaks_nothing_is_let_by(change: str) -> None:
    assert after(HARMLESS[change]) == []


HEADERS: dict[str, tuple[Any, Any]] = {
    "ETag may be missing now": ({"required": True}, {"required": False}),
    "ETag: string became anything": ({"schema": {"type": "string"}}, {"schema": {}}),
    "ETag has no text/plain any more": ({"content": {"text/plain": {}}}, {"content": {}}),
    "ETag: another pattern": (
        {"schema": {"type": "string", "pattern": "a"}},
        {"schema": {"type": "string", "pattern": "b"}},
    ),
}


@pytest.mark.parametrize("told", list(HEADERS))
def test_a_header_that_is_said_is_kept(told: str) -> None:
    old, new = deepcopy(DOCUMENT), deepcopy(DOCUMENT)
    before, header = HEADERS[told]
    answer(old, LIVE, "200")["headers"] = {"ETag": before}
    answer(new, LIVE, "200")["headers"] = {"etag": header}
    assert of_openapi(old, new) == [f"{LIVE} 200: {told}"]
    answer(new, LIVE, "200")["headers"] = {"etag": before}
    assert of_openapi(old, new) == []


@settings(deadline=None)
@given(
    st.sampled_from(
        [
            (f"{method.upper()} {path}", status)
            for path, methods in DOCUMENT["paths"].items()
            for method, found in methods.items()
            for status in found["responses"]
            if not status.startswith("5")
        ]
    )
)
def test_no_answer_goes_unseen(place: tuple[str, str]) -> None:
    told, status = place
    assert after(lambda d: operation(d, told)["responses"].pop(status)) == [
        f"{told} does not answer {status} any more"
    ]
