"""``GET /asyncapi.json``: the live doors and the journal as an AsyncAPI 3 document."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

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
from hub.gateways.contract.limits import LIMITS
from hub.gateways.contract.schemas import Json, components, dialect, parameters, reference
from hub.gateways.http import operation as http
from hub.gateways.publications import publication_schemas
from hub.gateways.sio import admin_payloads


class Server(Struct, frozen=True, kw_only=True):
    """What speaks a protocol. ``host``: a variable of its address; ``security``: the ways in which
    a client says who it is, any of them."""

    host: str
    protocol: str
    path: str = ""
    about: str
    security: tuple[str, ...] = ()


_SERVERS: Final = {
    "socketio": Server(
        host="host",
        protocol="socketio",
        path="/socket.io/",
        about="Socket.IO 4 (protocol 5, Engine.IO 4), WebSocket or long-polling.",
        security=("token",),
    ),
    "websocket": Server(
        host="host",
        protocol="ws",
        about="WebSockets, for who has no Socket.IO.",
        security=("token", http.TICKET),
    ),
    "sse": Server(
        host="host",
        protocol="sse",
        about="HTTP, for browsers' EventSource.",
        security=("token", http.TICKET),
    ),
    "redis": Server(
        host="redis",
        protocol="redis",
        about="The hub's own Redis or Valkey, for workers.",
    ),
}
_VARIABLES: Final = {
    "host": {
        "default": "127.0.0.1:8800",
        "description": "Where a node, or the proxy before the nodes, is reached.",
    },
    "redis": {"default": "127.0.0.1:6379", "description": "`HUB_REDIS_URL`."},
}
_SECURITY: Final = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "On Socket.IO `auth: {token}` does as well.",
    },
    http.TICKET: {
        "type": "httpApiKey",
        "in": "query",
        "name": http.TICKET,
        "description": http.TICKET_SAID,
    },
}
_DESCRIPTION: Final = (
    "Progress of long jobs and notifications, stored before they are shown. `/openapi.json` has "
    "the HTTP API. `x-errors` of an operation: the codes with which it is refused, or with which a "
    "connection ends; of a channel: those of what is none of its operations. `close` is the "
    f"WebSocket close code. {LIMITS}"
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
            "servers": {name: _server(each) for name, each in _SERVERS.items()},
            "channels": {each.key: _channel(each) for each in CHANNELS},
            "operations": {
                operation.key: _operation(channel, operation)
                for channel in CHANNELS
                for operation in channel.operations
            },
            "components": {
                "schemas": _schemas(spoken.values()),
                "messages": {key: _message(each) for key, each in spoken.items()},
                "securitySchemes": _SECURITY,
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
                refusals=http.EVERY_OPERATION,
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


def _server(each: Server) -> Json:
    found: Json = {
        "host": f"{{{each.host}}}",
        "protocol": each.protocol,
        "description": each.about,
        "variables": {each.host: _VARIABLES[each.host]},
    }
    if each.path:
        found["pathname"] = each.path
    if each.security:
        found["security"] = [
            {"$ref": f"#/components/securitySchemes/{way}"} for way in each.security
        ]
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
        **each.more,
    }
    if each.parameters:
        found["parameters"] = dict(each.parameters)
    if each.query is not None:
        query = _query(each.query)
        found["x-query"] = query
        if each.server == "websocket":
            found["bindings"] = {"ws": {"method": "GET", "query": query}}
    if each.refusals:
        found["x-errors"] = [_error(code, {}) for code in each.refusals]
    return found


def _query(shape: type[Struct]) -> Json:
    """The schema of a query but for the ticket, which is a way to say who one is."""
    found = parameters(shape)
    fields = {name: each for name, each in found["properties"].items() if name != http.TICKET}
    return {**found, "properties": fields}


def _operation(channel: Channel, each: Operation) -> Json:
    place = {"$ref": f"#/channels/{channel.key}"}
    found: Json = {
        "action": each.action,
        "channel": place,
        "title": each.summary,
        "summary": each.summary,
        "description": each.description,
        "messages": _references(channel, each.messages),
        "x-errors": [_error(code, each.because) for code in each.refusals],
    }
    if each.replies:
        found["reply"] = {"channel": place, "messages": _references(channel, each.replies)}
    return found


def _references(channel: Channel, spoken: Iterable[Message]) -> list[Json]:
    return [{"$ref": f"#/channels/{channel.key}/messages/{each.key}"} for each in spoken]


def _error(code: codes.Code, because: Mapping[codes.Code, str]) -> Json:
    message = because.get(code, code.message)
    found: Json = {"code": code.name, "message": message, "retry": code.retry}
    return found if code.ws is None else {**found, "close": code.ws}


def _message(each: Message) -> Json:
    name = each.shape if isinstance(each.shape, str) else each.shape.__name__
    found: Json = {
        "name": each.name,
        "title": each.about.partition(". ")[0].rstrip("."),
        "summary": each.about,
        "contentType": "application/json",
        "payload": reference(name),
        "examples": [{"name": each.key, "payload": shown} for shown in each.examples],
    }
    if each.headers:
        found["headers"] = {"type": "object", "properties": dict(each.headers)}
    return found


def _schemas(spoken: Iterable[Message]) -> dict[str, Json]:
    answers = [
        *(_answer_type("", each) for each in commands.MAIN),
        *(_answer_type("admin", each) for each in commands.ADMIN),
    ]
    audiences = (admin_payloads.ToUsers, admin_payloads.ToTopic, admin_payloads.ToJob)
    shapes = [each.shape for each in spoken if not isinstance(each.shape, str)]
    envelope = {
        "description": "An event, the same JSON on every transport.",
        "oneOf": [reference(shape.__name__) for shape in messages.EVENTS],
    }
    return {
        **components([*dict.fromkeys(shapes), *answers, *audiences]),
        **publication_schemas(),
        messages.ENVELOPE: envelope,
    }


def _answer_type(namespace: str, each: Command) -> Any:
    return msgspec.defstruct(
        answer_schema(namespace, each),
        [("ok", Literal[True]), ("data", each.answer)],
        kw_only=True,
        forbid_unknown_fields=True,
    )
