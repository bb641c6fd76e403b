"""``GET /asyncapi.json``: the live doors and the journal as an AsyncAPI 3 document."""

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from aiohttp import web

from hub.domain import codes
from hub.domain.versions import SPOKEN
from hub.gateways.contract import commands, messages
from hub.gateways.contract.channels import (
    CHANNELS,
    Channel,
    Message,
    Operation,
    answer_schema,
)
from hub.gateways.contract.commands import Command
from hub.gateways.contract.schemas import REFERENCE, Json, components, dialect, reference
from hub.gateways.http import operation as http
from hub.gateways.publications import publication_schema
from hub.gateways.sio import admin_payloads

_SERVERS: Final[dict[str, tuple[str, str, str, str]]] = {
    "socketio": (
        *("{host}", "socketio", "/socket.io/"),
        "Socket.IO 4 (protocol 5, Engine.IO 4), WebSocket or long-polling.",
    ),
    "websocket": ("{host}", "ws", "/", "WebSockets, for who has no Socket.IO."),
    "sse": (
        "{host}",
        "sse",
        "/",
        "HTTP, for browsers' EventSource.",
    ),
    "redis": ("{redis}", "redis", "/", "The hub's own Redis or Valkey, for workers."),
}
_VARIABLES: Final = {
    "host": ("127.0.0.1:8800", "Where a node, or the proxy before the nodes, is reached."),
    "redis": ("127.0.0.1:6379", "`HUB_REDIS_URL`."),
}
_DESCRIPTION: Final = (
    "Progress of long jobs and notifications, stored before they are shown. `/openapi.json` has "
    "the HTTP API. `x-errors` of an operation: the codes with which it is refused, or with which a "
    "connection ends; `close` is the WebSocket close code."
)


def document(version: str) -> Json:
    """The AsyncAPI document."""
    spoken = {message.key: message for channel in CHANNELS for message in _messages_of(channel)}
    found: Json = dialect(
        {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Notification hub",
                "version": version,
                "description": _DESCRIPTION,
                "x-contract": SPOKEN.numbers,
            },
            "defaultContentType": "application/json",
            "servers": {name: _server(*about) for name, about in _SERVERS.items()},
            "channels": {each.key: _channel(each) for each in CHANNELS},
            "operations": {
                operation.key: _operation(channel, operation)
                for channel in CHANNELS
                for operation in channel.operations
            },
            "components": {
                "schemas": _schemas(spoken.values()),
                "messages": {key: _message(each) for key, each in spoken.items()},
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "bearerFormat": "JWT",
                        "description": "On Socket.IO `auth: {token}` does as well.",
                    }
                },
            },
        }
    )
    return found


class AsyncApiResource:
    """The handler."""

    def __init__(self, version: str) -> None:
        self._body = msgspec.json.encode(document(version))

    def operations(self) -> list[http.Operation]:
        """Where it is found."""
        return [
            http.Operation(
                method="GET",
                path="/asyncapi.json",
                handler=self.show,
                id="getAsyncApi",
                tag="documents",
                summary="Socket.IO, raw WebSocket, event streams and the journal, as AsyncAPI 3.",
                answers={200: http.Answer("The AsyncAPI 3 document.", shape=dict[str, Any])},
                refusals=http.ANY,
                open=True,
            )
        ]

    async def show(self, request: web.Request) -> web.Response:
        """The document."""
        return web.Response(body=self._body, content_type="application/json")


def _messages_of(channel: Channel) -> list[Message]:
    found: dict[str, Message] = {}
    for operation in channel.operations:
        found |= {each.key: each for each in (*operation.messages, *operation.replies)}
    return list(found.values())


def _server(host: str, protocol: str, path: str, about: str) -> Json:
    default, meaning = _VARIABLES[host.strip("{}")]
    found: Json = {
        "host": host,
        "protocol": protocol,
        "description": about,
        "variables": {host.strip("{}"): {"default": default, "description": meaning}},
    }
    if path != "/":
        found["pathname"] = path
    if protocol != "redis":
        found["security"] = [{"$ref": "#/components/securitySchemes/token"}]
    return found


def _channel(each: Channel) -> Json:
    found: Json = {
        "address": each.address,
        "title": each.title,
        "description": each.description,
        "servers": [{"$ref": f"#/servers/{each.server}"}],
        "messages": {
            message.key: {"$ref": f"#/components/messages/{message.key}"}
            for message in _messages_of(each)
        },
    }
    if each.parameters:
        found["parameters"] = {
            name: {"description": about} | ({"enum": list(values)} if values else {})
            for name, (about, values) in each.parameters.items()
        }
    if each.query:
        properties = {
            name: {"type": "string", "description": about} for name, about in each.query.items()
        }
        query = {"type": "object", "properties": properties}
        found["x-query"] = query
        if each.server == "websocket":
            found["bindings"] = {"ws": {"method": "GET", "query": query}}
    return found


def _operation(channel: Channel, each: Operation) -> Json:
    place = {"$ref": f"#/channels/{channel.key}"}
    found: Json = {
        "action": each.action,
        "channel": place,
        "title": each.summary,
        "summary": each.summary,
        "description": each.description,
        "messages": _references(channel, each.messages),
        "x-errors": [_error(code) for code in each.refusals],
    }
    if each.replies:
        found["reply"] = {"channel": place, "messages": _references(channel, each.replies)}
    return found


def _references(channel: Channel, spoken: Iterable[Message]) -> list[Json]:
    return [{"$ref": f"#/channels/{channel.key}/messages/{each.key}"} for each in spoken]


def _error(code: codes.Code) -> Json:
    found: Json = {"code": code.name, "message": code.message, "retry": code.retry}
    return found if code.ws is None else {**found, "close": code.ws}


def _message(each: Message) -> Json:
    name = each.shape if isinstance(each.shape, str) else each.shape.__name__
    payload = reference(name)
    if each.one_of:
        payload = {"allOf": [payload, {"oneOf": [_given(field) for field in each.one_of]}]}
    return {
        "name": each.name,
        "title": each.about.partition(". ")[0].rstrip("."),
        "summary": each.about,
        "contentType": "application/json",
        "payload": payload,
        "examples": [{"name": each.key, "payload": each.example}],
    }


def _given(field: str) -> Json:
    """Whether a field is there with a value."""
    return {"required": [field], "properties": {field: {"type": "string"}}}


def _schemas(spoken: Iterable[Message]) -> dict[str, Json]:
    answers = [
        *(_answer_type("", each) for each in commands.MAIN),
        *(_answer_type("admin", each) for each in commands.ADMIN),
    ]
    audiences = (admin_payloads.ToUsers, admin_payloads.ToTopic, admin_payloads.ToJob)
    shapes = [each.shape for each in spoken if not isinstance(each.shape, str)]
    found = components([*dict.fromkeys(shapes), *answers, *audiences])
    publication, publications = publication_schema(REFERENCE)
    found |= publications | {"Publication": publication}
    found[messages.ENVELOPE] = {
        "description": "An event, the same JSON on every transport.",
        "oneOf": [reference(shape.__name__) for shape in messages.EVENTS],
    }
    own = publications["TopicEvent"]["properties"]["type"]["not"]
    found[messages.ApplicationEvent.__name__]["properties"]["type"]["not"] = own
    return found


def _answer_type(namespace: str, each: Command) -> Any:
    return msgspec.defstruct(
        answer_schema(namespace, each),
        [("ok", Literal[True]), ("data", each.answer)],
        kw_only=True,
        forbid_unknown_fields=True,
    )
