"""Nothing that was released is broken without a new version and its migration page."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from hub.domain.versions import SPOKEN
from tests.contract.breaking import of_asyncapi, of_openapi
from tests.support.documents import asyncapi_document, openapi_document
from tests.support.process import ROOT

RELEASED = {
    name: json.loads((ROOT / "docs" / "api" / f"{name}.json").read_text())
    for name in ("asyncapi", "openapi")
}


def test_what_was_released_still_holds() -> None:
    broken = [
        *of_asyncapi(RELEASED["asyncapi"], asyncapi_document()),
        *of_openapi(RELEASED["openapi"], openapi_document()),
    ]
    assert not broken or excused(SPOKEN.current), broken


def excused(current: int) -> bool:
    """Whether there is a new version since the release, and a page that says how to go there."""
    page = ROOT / "docs" / "migrations" / f"{current}.md"
    return current > max(RELEASED["asyncapi"]["info"]["x-contract"]) and page.is_file()


def test_a_break_needs_a_new_version_with_its_page() -> None:
    assert not excused(SPOKEN.current)
    assert not excused(SPOKEN.current + 1), "there is no page"


Change = Callable[[Any], Any]


def schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


def drop(document: Any, name: str, field: str) -> None:
    found = schema(document, name)
    del found["properties"][field]
    found["required"] = [each for each in found["required"] if each != field]


BREAKING: dict[str, Change] = {
    "a channel": lambda d: d["channels"].pop("admin"),
    "an address": lambda d: d["channels"]["websocket"].update(address="/v2/{kind}/{jobId}"),
    "a command": lambda d: d["operations"].pop("unsubscribe"),
    "an event's type": lambda d: d["operations"]["tell"]["messages"].pop(0),
    "a name": lambda d: d["components"]["messages"]["hello"].update(name="welcome"),
    "a field that is said": lambda d: drop(d, "Hello", "unread"),
    "one deep inside": lambda d: drop(d, "Progress", "percentage"),
    "one that may be missing": lambda d: schema(d, "Closing")["required"].remove("message"),
    "one that may be null": lambda d: schema(d, "Hello")["properties"].update(
        sid={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "another type": lambda d: schema(d, "UnreadCount")["properties"].update(
        count={"type": "string"}
    ),
    "a field that is taken": lambda d: drop(d, "Subscribe", "epoch"),
    "one that is needed": lambda d: schema(d, "Subscribe")["required"].append("epoch"),
    "a value that is taken": lambda d: schema(d, "As")["enum"].remove("RESTORED"),
    "a smaller limit": lambda d: schema(d, "ListNotifications")["properties"]["limit"].update(
        maximum=50
    ),
    "another pattern": lambda d: schema(d, "ListNotifications")["properties"]["cursor"]["anyOf"][
        0
    ].update(pattern="^[0-9]+$"),
    "a publication": lambda d: schema(d, "Publication")["oneOf"].pop(0),
}
HARMLESS: dict[str, Change] = {
    "nothing": lambda d: d,
    "an event's type": lambda d: schema(d, "Envelope")["oneOf"].append({"type": "object"}),
    "a field that is said": lambda d: schema(d, "Hello")["properties"].update(x={}),
    "a field that may be given": lambda d: schema(d, "Subscribe")["properties"].update(x={}),
    "a code": lambda d: schema(d, "Closing")["properties"]["code"]["enum"].append("TIRED"),
    "a value that is taken": lambda d: schema(d, "As")["enum"].append("LOVED"),
    "a greater limit": lambda d: schema(d, "ListNotifications")["properties"]["limit"].update(
        maximum=500
    ),
    "one that need not be given": lambda d: schema(d, "Subscribe")["required"].clear(),
    "an operation": lambda d: d["operations"].update(x={"action": "send", "messages": []}),
    "a word": lambda d: schema(d, "Hello").update(description="Hi."),
}


@pytest.mark.parametrize("change", list(BREAKING))
def test_a_break_of_the_live_doors_is_seen(change: str) -> None:
    document = deepcopy(asyncapi_document())
    BREAKING[change](document)
    assert of_asyncapi(asyncapi_document(), document) != []


@pytest.mark.parametrize("change", list(HARMLESS))
def test_what_breaks_nothing_is_let_by(change: str) -> None:
    document = deepcopy(asyncapi_document())
    HARMLESS[change](document)
    assert of_asyncapi(asyncapi_document(), document) == []


PATH = "/v1/notifications"
OF_HTTP: dict[str, Change] = {
    "a path": lambda d: d["paths"].pop(PATH),
    "a method": lambda d: d["paths"]["/v1/preferences"].pop("put"),
    "a parameter": lambda d: d["paths"][PATH]["get"]["parameters"].pop(0),
    "one that is needed": lambda d: d["paths"][PATH]["get"]["parameters"][0].update(required=True),
    "an answer": lambda d: d["paths"]["/v1/publish"]["post"]["responses"].pop("202"),
    "a media type": lambda d: d["paths"]["/v1/jobs/{jobId}/progress"]["get"]["responses"]["200"][
        "content"
    ].pop("text/event-stream"),
    "a field of an answer": lambda d: drop(d, "JobHistory", "hasMore"),
    "a field of a body": lambda d: drop(d, "PutPreferences", "mutedTypes"),
}


@pytest.mark.parametrize("change", list(OF_HTTP))
def test_a_break_of_the_http_api_is_seen(change: str) -> None:
    document = deepcopy(openapi_document())
    OF_HTTP[change](document)
    assert of_openapi(openapi_document(), document) != []
    assert of_openapi(openapi_document(), deepcopy(openapi_document())) == []
