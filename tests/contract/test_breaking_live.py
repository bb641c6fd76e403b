"""What breaks on the live doors and the journal: one change of the document a row."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.breaking import of_asyncapi
from tests.support.documents import asyncapi_document

Change = Callable[[Any], Any]
DOCUMENT = asyncapi_document()


def schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


def fields(document: Any, name: str) -> Any:
    return schema(document, name)["properties"]


def drop(document: Any, name: str, field: str) -> None:
    found = schema(document, name)
    del found["properties"][field]
    found["required"] = [each for each in found["required"] if each != field]


def message(document: Any, name: str) -> Any:
    return document["components"]["messages"][name]


def channel(document: Any, name: str) -> Any:
    return document["channels"][name]


def code(document: Any, name: str, **change: Any) -> None:
    """On all operations."""
    for operation in document["operations"].values():
        for each in operation.get("x-errors", ()):
            if each["code"] == name:
                each.update(change)


def forget(document: Any, operation: str, code: str) -> None:
    found = document["operations"][operation]
    found["x-errors"] = [each for each in found["x-errors"] if each["code"] != code]


BREAKING: dict[str, Change] = {
    # servers
    "the server sse is gone": lambda d: d["servers"].pop("sse"),
    "the server socketio: pathname is /x/ now": lambda d: d["servers"]["socketio"].update(
        pathname="/x/"
    ),
    "the server socketio: pathname is / now": lambda d: d["servers"]["socketio"].pop("pathname"),
    "the server websocket: protocol is wss now": lambda d: d["servers"]["websocket"].update(
        protocol="wss"
    ),
    "the server socketio does not take token any more": lambda d: d["servers"]["socketio"].update(
        security=[{"$ref": "#/components/securitySchemes/cookie"}]
    ),
    "the server redis needs token now": lambda d: d["servers"]["redis"].update(
        security=[{"$ref": "#/components/securitySchemes/token"}]
    ),
    "the security scheme token: scheme is basic now": lambda d: d["components"]["securitySchemes"][
        "token"
    ].update(scheme="basic"),
    "version 1 is not spoken any more": lambda d: d["info"].update({"x-contract": [2]}),
    # channels
    "the channel websocket: the address is /v2/{kind} now": lambda d: channel(
        d, "websocket"
    ).update(address="/v2/{kind}"),
    "the channel main is not on socketio any more": lambda d: channel(d, "main").update(
        servers=[{"$ref": "#/servers/sse"}]
    ),
    "websocket parameters.kind: jobs is not taken any more": lambda d: channel(d, "websocket")[
        "parameters"
    ]["kind"]["enum"].remove("jobs"),
    "websocket parameters.jobId: only a now": lambda d: channel(d, "websocket")["parameters"][
        "jobId"
    ].update(enum=["a"]),
    "websocket bindings.ws.query.offset is gone": lambda d: channel(d, "websocket")["bindings"][
        "ws"
    ]["query"]["properties"].pop("offset"),
    "websocket x-query.offset is gone": lambda d: channel(d, "websocket")["x-query"][
        "properties"
    ].pop("offset"),
    "websocket x-query is gone": lambda d: channel(d, "websocket").pop("x-query"),
    "sse x-query.epoch is gone": lambda d: channel(d, "sse")["x-query"]["properties"].pop("epoch"),
    "sse x-query.v is needed now": lambda d: channel(d, "sse")["x-query"].update(required=["v"]),
    "the channel websocket: the method is POST now": lambda d: channel(d, "websocket")["bindings"][
        "ws"
    ].update(method="POST"),
    # operations
    "the operation unsubscribe is gone": lambda d: d["operations"].pop("unsubscribe"),
    "the operation tell: another action": lambda d: d["operations"]["tell"].update(
        action="receive"
    ),
    "the operation tell: another channel": lambda d: d["operations"]["tell"].update(
        channel={"$ref": "#/channels/admin"}
    ),
    "subscribe needs token now": lambda d: d["operations"]["subscribe"].update(
        security=[{"$ref": "#/components/securitySchemes/token"}]
    ),
    "subscribe is not answered any more": lambda d: d["operations"]["subscribe"].pop("reply"),
    "the operation subscribe: it is answered on another channel": lambda d: d["operations"][
        "subscribe"
    ]["reply"].update(channel={"$ref": "#/channels/admin"}),
    "subscribe has no subscribeAnswer any more": lambda d: d["operations"]["subscribe"]["reply"][
        "messages"
    ].pop(0),
    "tell has no scenarioCompletedEvent any more": lambda d: d["operations"]["tell"][
        "messages"
    ].pop(0),
    # codes
    "KICKED: close is 4999 now": lambda d: code(d, "KICKED", close=4999),
    "CONFLICT: close is 4508 now": lambda d: code(d, "CONFLICT", close=4508),
    "RATE_LIMITED: retry is False now": lambda d: code(d, "RATE_LIMITED", retry=False),
    "subscribe does not answer JOB_NOT_FOUND any more": lambda d: forget(
        d, "subscribe", "JOB_NOT_FOUND"
    ),
    # messages
    "hello: it is called welcome now": lambda d: message(d, "hello").update(name="welcome"),
    "hello: it is application/cbor now": lambda d: message(d, "hello").update(
        contentType="application/cbor"
    ),
    # what is taken
    "Auth has no further fields any more": lambda d: schema(d, "Auth").update(
        additionalProperties=False
    ),
    "ListNotifications.limit: the default is not 20 any more": lambda d: fields(
        d, "ListNotifications"
    )["limit"].update(default=50),
    "ListNotifications.limit: maximum is 50 now": lambda d: fields(d, "ListNotifications")[
        "limit"
    ].update(maximum=50),
    "ListNotifications.cursor<string>: another pattern": lambda d: fields(d, "ListNotifications")[
        "cursor"
    ]["anyOf"][0].update(pattern="^[0-9]+$"),
    "Subscribe.epoch is gone": lambda d: drop(d, "Subscribe", "epoch"),
    "Subscribe.epoch is needed now": lambda d: schema(d, "Subscribe")["required"].append("epoch"),
    "Subscribe.mine is needed now": lambda d: schema(d, "Subscribe").update(
        allOf=[{"required": ["mine"], "properties": {"mine": {}}}]
    ),
    "As: RESTORED is not taken any more": lambda d: schema(d, "As")["enum"].remove("RESTORED"),
    "Publication: JobStarted is gone": lambda d: schema(d, "Publication")["oneOf"].pop(0),
    # what is said
    "Hello.unread is gone": lambda d: drop(d, "Hello", "unread"),
    "Progress.percentage is gone": lambda d: drop(d, "Progress", "percentage"),
    "Closing.message may be missing now": lambda d: schema(d, "Closing")["required"].remove(
        "message"
    ),
    "Hello.sid: string became null or string": lambda d: fields(d, "Hello").update(
        sid={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "UnreadCount.count: integer became string": lambda d: fields(d, "UnreadCount").update(
        count={"type": "string"}
    ),
    "Closing.code: KICKED is not said any more": lambda d: fields(d, "Closing")["code"][
        "enum"
    ].remove("KICKED"),
    "Progress.percentage: maximum is gone": lambda d: fields(d, "Progress")["percentage"].pop(
        "maximum"
    ),
}
HARMLESS: dict[str, Change] = {
    "nothing": lambda d: d,
    "a server": lambda d: d["servers"].update(wss={"host": "{host}", "protocol": "wss"}),
    "where a server is found by default": lambda d: d["servers"]["sse"]["variables"]["host"].update(
        default="127.0.0.1:9000"
    ),
    "one more way to come in": lambda d: d["servers"]["sse"]["security"].append(
        {"$ref": "#/components/securitySchemes/ticket"}
    ),
    "nobody is asked for a token": lambda d: d["servers"]["sse"].update(security=[]),
    "a version": lambda d: d["info"].update({"x-contract": [1, 2]}),
    "a channel": lambda d: d["channels"].update(x={"address": "/x"}),
    "a channel on one more server": lambda d: channel(d, "main")["servers"].append(
        {"$ref": "#/servers/sse"}
    ),
    "a kind": lambda d: channel(d, "websocket")["parameters"]["kind"]["enum"].append("builds"),
    "a query parameter": lambda d: channel(d, "websocket")["bindings"]["ws"]["query"][
        "properties"
    ].update(x={"type": "string"}),
    "a place for query parameters": lambda d: channel(d, "main").update(
        {"x-query": {"type": "object", "properties": {"x": {"type": "string"}}}}
    ),
    "an operation": lambda d: d["operations"].update(x={"action": "send", "messages": []}),
    "an event's type": lambda d: schema(d, "Envelope")["oneOf"].append({"type": "object"}),
    "a message": lambda d: d["operations"]["report"]["messages"].append(
        {"$ref": "#/channels/main/messages/hello"}
    ),
    "the order of messages": lambda d: d["operations"]["tell"]["messages"].reverse(),
    "a code of an operation": lambda d: d["operations"]["tell"].update(
        {"x-errors": [*d["operations"]["tell"].get("x-errors", ()), {"code": "X", "retry": True}]}
    ),
    "the words of a code": lambda d: code(d, "KICKED", message="Out."),
    "a field that is said": lambda d: fields(d, "Hello").update(x={}),
    "further fields that are said": lambda d: schema(d, "Hello").pop("additionalProperties"),
    "a field that may be given": lambda d: fields(d, "Subscribe").update(x={"type": "string"}),
    "further fields that may be given": lambda d: schema(d, "Subscribe").pop(
        "additionalProperties"
    ),
    "a code": lambda d: fields(d, "Closing")["code"]["enum"].append("TIRED"),
    "a value that is taken": lambda d: schema(d, "As")["enum"].append("LOVED"),
    "a greater limit": lambda d: fields(d, "ListNotifications")["limit"].update(maximum=500),
    "one that need not be given": lambda d: schema(d, "Subscribe")["required"].clear(),
    "one that is always said": lambda d: fields(d, "Closing").update(
        retryAfter={"type": "number", "minimum": 1}
    ),
    "a word": lambda d: schema(d, "Hello").update(description="Hi."),
    "the same in an allOf": lambda d: schema(d, "Hello").update(allOf=[{"required": ["v"]}]),
}


def after(change: Change) -> list[str]:
    document = deepcopy(DOCUMENT)
    change(document)
    return of_asyncapi(DOCUMENT, document)


@pytest.mark.parametrize("told", list(BREAKING))
def test_a_break_is_told(told: str) -> None:
    assert after(BREAKING[told]) == [told]


@pytest.mark.parametrize("change", list(HARMLESS))
def test_what_breaks_nothing_is_let_by(change: str) -> None:
    assert after(HARMLESS[change]) == []


KICK = {"$ref": "#/components/schemas/KickPayload"}
HEADERS = {"type": "object", "properties": {"t": {"type": "string"}}}
PARTS: dict[str, tuple[Any, Any]] = {
    "adminKick.reason is needed now": (
        {"payload": {"allOf": [KICK]}},
        {"payload": {"allOf": [KICK, {"required": ["reason"]}]}},
    ),
    "adminKick headers.t is gone": ({"headers": HEADERS}, {}),
    "adminKick headers.t is needed now": ({}, {"headers": {**HEADERS, "required": ["t"]}}),
}


@pytest.mark.parametrize("told", list(PARTS))
def test_a_break_of_a_message_is_told(told: str) -> None:
    documents = deepcopy(DOCUMENT), deepcopy(DOCUMENT)
    for document, part in zip(documents, PARTS[told], strict=True):
        message(document, "adminKick").update(part)
    assert of_asyncapi(*documents) == [told]


def test_headers_may_come_to_be_described() -> None:
    assert after(lambda d: message(d, "adminKick").update(headers=HEADERS)) == []


def test_a_code_of_a_channel_is_kept() -> None:
    old, new = deepcopy(DOCUMENT), deepcopy(DOCUMENT)
    refusal = {"code": "METHOD_NOT_ALLOWED", "message": "No.", "retry": False}
    channel(old, "sse")["x-errors"] = [refusal]
    channel(new, "sse")["x-errors"] = []
    told = "the channel sse does not answer METHOD_NOT_ALLOWED any more"
    assert of_asyncapi(old, new) == [told]
    channel(new, "sse")["x-errors"] = [{**refusal, "retry": True}]
    assert of_asyncapi(old, new) == ["METHOD_NOT_ALLOWED: retry is True now"]


def without(document: Any, channel: str) -> None:
    """The channel, and what is done on it."""
    del document["channels"][channel]
    here = {"$ref": f"#/channels/{channel}"}
    left = {k: each for k, each in document["operations"].items() if each["channel"] != here}
    document["operations"] = left


def test_a_channel_goes_with_its_operations() -> None:
    assert after(lambda d: without(d, "journal")) == [
        "the channel journal is gone",
        "the operation publish is gone",
    ]


@settings(deadline=None)
@given(st.sampled_from(list(DOCUMENT["operations"])), st.data())
def test_no_operation_and_none_of_its_messages_goes_unseen(key: str, data: st.DataObject) -> None:
    assert after(lambda d: d["operations"].pop(key)) == [f"the operation {key} is gone"]
    operation = DOCUMENT["operations"][key]
    part = data.draw(st.sampled_from([each for each in ("messages", "reply") if each in operation]))
    several = operation[part] if part == "messages" else operation["reply"]["messages"]
    place = data.draw(st.integers(0, len(several) - 1))

    def drop_message(document: Any) -> None:
        found = document["operations"][key][part]
        (found if part == "messages" else found["messages"]).pop(place)

    name = several[place]["$ref"].rpartition("/")[2]
    assert after(drop_message) == [f"{key} has no {name} any more"]


def said(document: Any) -> list[tuple[str, str]]:
    """Fields that are always said, of the named schemas that the hub's messages hold."""
    schemas, found = document["components"]["schemas"], set()
    names = {
        each["$ref"].rpartition("/")[2]
        for operation in document["operations"].values()
        for part in (operation, operation.get("reply", {}))
        if (part is operation) == (operation["action"] == "send")
        for each in part.get("messages", ())
    }
    waiting = [message(document, name)["payload"] for name in names]
    while waiting:
        value = waiting.pop()
        name = value["$ref"].rpartition("/")[2] if "$ref" in value else None
        if name and name not in found:
            found.add(name)
            waiting.append(schemas[name])
        for inner in value.values():
            inside = inner if isinstance(inner, list) else [inner]
            waiting += [each for each in inside if isinstance(each, dict)]
    return sorted((n, field) for n in found for field in schemas[n].get("required", ()))


@settings(deadline=None)
@given(st.sampled_from(said(DOCUMENT)))
def test_no_field_that_is_always_said_goes_unseen(place: tuple[str, str]) -> None:
    name, field = place
    assert after(lambda d: drop(d, name, field)) == [f"{name}.{field} is gone"]
    assert after(lambda d: schema(d, name)["required"].remove(field)) == [
        f"{name}.{field} may be missing now"
    ]
