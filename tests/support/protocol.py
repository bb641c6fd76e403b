"""Every message that a test's client sends or gets is held against the two documents. The clients
of ``tests/support`` call this, those of chaos runs, and ``overheard.py`` for stock clients of other
processes; requests that go through aiohttp are listened to. ``tests/conftest.py`` fails the test in
which something did not fit."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Protocol

import jsonschema_rs
from aiohttp import ClientResponse, ClientSession
from yarl import URL

from hub.domain import codes
from hub.domain.emissions import OWN_EVENTS
from tests.support.documents import asyncapi_document, openapi_document

_SHOWN = 600
_KEPT = 1000
_misfits: list[str] = []
MADE_UP = frozenset({"NEWS"})
"""Types of events that no worker published: tests of a gateway put them into a log."""

_ANYWAY = {code.name for code in (codes.RATE_LIMITED, codes.INVALID_REQUEST, codes.INTERNAL)}


def take() -> list[str]:
    """What did not fit since the last time."""
    found = list(_misfits)
    _misfits.clear()
    return found


def told(namespace: str, name: str, args: list[Any]) -> None:
    """An event came on a namespace of Socket.IO, with the recovery string last."""
    if namespace not in ("/", "/admin"):
        return
    if namespace == "/":
        if not (args and isinstance(args[-1], str)):
            _note(f"{name} has no recovery string", args)
            return
        if name not in OWN_EVENTS:
            return  # of an application that emits by itself
        args = args[:-1]
    if len(args) != 1:
        _note(f"{name} has {len(args)} arguments", args)
    elif name == "event" and namespace == "/":
        if args[0]["type"] not in MADE_UP:
            _hold("Envelope", args[0], _by_type(args[0]))
    elif name in _payloads(_channel(namespace)):
        _hold(name, args[0], _payloads(_channel(namespace))[name])
    else:
        _note(f"{namespace} has no event {name}", args)


def streamed(door: str, message: Any, name: str | None = None) -> None:
    """A message came on a raw WebSocket, or an event of a stream."""
    type_ = name if name in ("end", "closing") else message.get("type")
    if name is not None and name != type_:
        _note(f"{door} calls {type_} {name}", message)
    if type_ in MADE_UP:
        return
    own = _payloads(door).get(str(type_))
    _hold(f"{door} {type_}", message, own or _by_type(message))


def connected(namespace: str, auth: Any, answer: Any) -> None:
    """CONNECT, sent with ``auth``, was answered in kind."""
    if namespace in ("/", "/admin"):
        _hold("CONNECT", answer, {"$ref": "#/components/schemas/Connected"})
        _hold("what CONNECT took", {} if auth is None else auth, _message(_connect(namespace)))


def refused(namespace: str, answer: Any) -> None:
    """CONNECT_ERROR came."""
    if namespace not in ("/", "/admin"):
        return
    if _hold("CONNECT_ERROR", answer, {"$ref": "#/components/schemas/ConnectError"}):
        _expect(_connect(namespace), answer["data"]["code"])


def answered(namespace: str, name: Any, payload: Any, reply: Any) -> None:
    """A command that was sent with ``payload`` is acknowledged."""
    if namespace not in ("/", "/admin"):
        return
    key = _commands(_channel(namespace)).get(name)
    if isinstance(reply, dict) and reply.get("ok") is False:
        if _hold(f"refusal of {name}", reply, {"$ref": "#/components/schemas/Refusal"}):
            _expect(key, reply["error"]["code"])
    elif key is None:
        _note(f"{name} is no command, but", reply)
    else:
        _hold(f"answer to {name}", _published(reply), _message(f"{key}Answer"))
        _hold(f"what {name} took", {} if payload is None else payload, _message(key))


class Answered(Protocol):
    """An HTTP answer, by whichever client."""

    method: str
    status: int

    @property
    def url(self) -> URL: ...

    @property
    def content_type(self) -> str: ...

    @property
    def ok(self) -> bool: ...


def served(answer: Answered, body: Any) -> None:
    """An HTTP answer of JSON came."""
    if (described := _operation(answer)) is None:
        return
    told = f"{answer.method} {answer.url.path}"
    given = described["responses"].get(str(answer.status))
    if given is None:
        _note(f"{told} never answers {answer.status}", body)
    elif schema := given.get("content", {}).get(answer.content_type, {}).get("schema"):
        _hold(told, body, schema, openapi=True)


def asked(answer: Answered, body: Any) -> None:
    """An HTTP request was answered; if it was not refused, this body and its query were fine."""
    if not answer.ok or (described := _operation(answer)) is None:
        return
    told = f"{answer.method} {answer.url.path}"
    if "requestBody" in described:
        schema = described["requestBody"]["content"]["application/json"]["schema"]
        _hold(f"what {told} took", body, schema, openapi=True)
    elif body is not None:
        _note(f"{told} takes no body, but took", body)
    query = answer.url.query
    for name in query:
        if (schema := _parameters(described).get(name)) is None:
            _note(f"{told} takes no {name}, but took", query[name])
        else:
            _hold(f"{name} of {told}", _read(query.getall(name), schema), schema, openapi=True)


def listen_to_http() -> None:
    """Has every answer that a test reads as JSON held against the OpenAPI document, and what every
    request sent that was not refused."""
    read, send = ClientResponse.json, ClientSession._request

    async def json(self: ClientResponse, **options: Any) -> Any:
        body = await read(self, **options)
        if self.content_type.endswith("json"):
            served(self, body)
        return body

    async def request(self: ClientSession, *args: Any, **options: Any) -> ClientResponse:
        answer = await send(self, *args, **options)
        if options.get("data") is None:
            asked(answer, options.get("json"))
        return answer

    ClientResponse.json = json  # type: ignore[method-assign]
    ClientSession._request = request  # type: ignore[method-assign]


def _published(reply: Any) -> Any:
    """The answer without events that nobody published."""
    if not isinstance(reply, dict) or "events" not in reply.get("data", {}):
        return reply
    events = [each for each in reply["data"]["events"] if each["type"] not in MADE_UP]
    return reply | {"data": reply["data"] | {"events": events}}


def _expect(operation: str | None, code: str) -> None:
    if operation is None:
        if code not in {codes.UNKNOWN_COMMAND.name, *_ANYWAY}:
            _note("an unknown command is refused with", code)
        return
    named = {each["code"] for each in asyncapi_document()["operations"][operation]["x-errors"]}
    if code not in named:
        _note(f"{operation} is never refused with", code)


def _hold(what: str, value: Any, schema: Any, *, openapi: bool = False) -> bool:
    found = _validator(_Key(schema), openapi)
    if found.is_valid(value):
        return True
    error = next(iter(found.iter_errors(value)))
    _note(f"{what} does not fit ({error.message[:_SHOWN]}):", value)
    return False


def _note(what: str, value: Any) -> None:
    if len(_misfits) < _KEPT:
        _misfits.append(f"{what} {str(value)[:_SHOWN]}")


class _Key:
    """A schema, hashed by what it refers to."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self._text = repr(schema)

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other._text == self._text


@cache
def _validator(key: _Key, openapi: bool) -> Any:
    document = openapi_document() if openapi else asyncapi_document()
    kind = jsonschema_rs.Draft202012Validator if openapi else jsonschema_rs.Draft7Validator
    return kind({"allOf": [key.schema], "components": document["components"]})


def _channel(namespace: str) -> str:
    return "admin" if namespace == "/admin" else "main"


def _connect(namespace: str) -> str:
    return "adminConnect" if namespace == "/admin" else "connect"


def _message(key: str) -> Any:
    return asyncapi_document()["components"]["messages"][key]["payload"]


@cache
def _payloads(channel: str) -> dict[str, Any]:
    """The schemas of what is sent on a channel, by name; envelopes not included."""
    spoken = {
        each["$ref"].rpartition("/")[2]
        for operation in asyncapi_document()["operations"].values()
        if operation["action"] == "send" and operation["channel"]["$ref"] == f"#/channels/{channel}"
        for each in operation["messages"]
    }
    every = asyncapi_document()["components"]["messages"]
    return {
        every[key]["name"]: every[key]["payload"] for key in spoken if every[key]["name"] != "event"
    }


@cache
def _commands(channel: str) -> dict[str, str]:
    """The operations by the name of their command."""
    every = asyncapi_document()["components"]["messages"]
    return {
        every[key]["name"]: key
        for key, operation in asyncapi_document()["operations"].items()
        if operation["channel"]["$ref"].endswith(f"/{channel}") and "reply" in operation
    }


def _by_type(message: Any) -> Any:
    type_ = message.get("type") if isinstance(message, dict) else None
    return _events().get(type_, {"$ref": "#/components/schemas/ApplicationEvent"})


@cache
def _events() -> dict[Any, Any]:
    schemas = asyncapi_document()["components"]["schemas"]
    names = [each["$ref"].rpartition("/")[2] for each in schemas["Envelope"]["oneOf"]]
    return {
        schemas[name]["properties"]["type"].get("enum", [None])[0]: {
            "$ref": f"#/components/schemas/{name}"
        }
        for name in names
        if name != "ApplicationEvent"
    }


def _operation(answer: Answered) -> Any:
    """What the OpenAPI document says of the request that was answered; None if nothing."""
    for pattern, methods in _paths():
        if answer.method.lower() in methods and pattern.fullmatch(answer.url.path):
            return methods[answer.method.lower()]
    return None


def _parameters(operation: Any) -> dict[str, Any]:
    """The schemas of what may be in the query of an operation."""
    schemes = openapi_document()["components"]["securitySchemes"]
    keys = [schemes[name] for each in operation["security"] for name in each]
    return {each["name"]: {} for each in keys if each.get("in") == "query"} | {
        each["name"]: each["schema"]
        for each in operation.get("parameters", [])
        if each["in"] == "query"
    }


def _read(given: list[str], schema: Any) -> Any:
    """The values of a parameter, as its schema sees them."""
    if schema.get("type") == "array" or len(given) > 1:
        return given
    return int(given[0]) if schema.get("type") == "integer" and given[0].isdecimal() else given[0]


@cache
def _paths() -> list[tuple[re.Pattern[str], Any]]:
    found = openapi_document()["paths"]
    return [
        (re.compile(re.sub(r"{\w+}", "[^{}/]+", path)), methods) for path, methods in found.items()
    ]
