"""``GET /openapi.json``: the HTTP API as an OpenAPI 3.1 document, made of what the handlers and the
catalogue of codes say of themselves."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from hub.domain import codes
from hub.domain.versions import SPOKEN
from hub.gateways.contract.schemas import REFERENCE, Json, dialect, reference
from hub.gateways.http.documents import Problem
from hub.gateways.http.operation import ANY, PATH_PARAMETERS, Answer, Operation
from hub.gateways.publications import publication_schema

_PARAMETER: Final = re.compile(r"{(\w+)}")
_TICKET: Final = "ticket"
_VERSION: Final = {
    "name": "Hub-Version",
    "in": "header",
    "required": False,
    "description": "The version of the contract that the caller speaks; the oldest one that is "
    "served when it says nothing. The answer has the same header, and `Deprecation` and `Sunset` "
    "where that version will not be served any more.",
    "schema": {"type": "string", "enum": list(map(str, SPOKEN.numbers))},
}
_DESCRIPTION: Final = (
    "Progress of long jobs and notifications, stored before they are shown. Refusals are "
    "`application/problem+json` with an `errorCode` of the catalogue and a `requestId`."
)


def document(operations: Sequence[Operation], version: str) -> Json:
    """The OpenAPI document of ``operations``."""
    schemas, components = msgspec.json.schema_components(
        [*_shapes(operations), Problem], ref_template=REFERENCE
    )
    named = dict(zip(map(_key, [*_shapes(operations), Problem]), schemas, strict=True))
    publication, publications = publication_schema(REFERENCE)
    components |= publications
    components["PublishBody"]["properties"]["items"]["items"] = publication
    paths: dict[str, Json] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, named)
    found: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "Notification hub",
            "version": version,
            "description": _DESCRIPTION,
            "x-contract": SPOKEN.numbers,
        },
        "tags": [{"name": name} for name in dict.fromkeys(each.tag for each in operations)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                _TICKET: {
                    "type": "apiKey",
                    "in": "query",
                    "name": _TICKET,
                    "description": "A one-time ticket of `POST /v1/tickets`; live doors take it.",
                },
            },
        },
    }
    spoken: Json = dialect(found)
    return spoken


class OpenApiResource:
    """The handler. ``operations``: all that are served beside it."""

    def __init__(self, operations: Sequence[Operation], version: str) -> None:
        self._body = msgspec.json.encode(document([*operations, *self.operations()], version))

    def operations(self) -> list[Operation]:
        """Where it is found."""
        return [
            Operation(
                method="GET",
                path="/openapi.json",
                handler=self.show,
                id="getOpenApi",
                tag="documents",
                summary="This document.",
                answers={200: Answer("The OpenAPI 3.1 document.", shape=dict[str, Any])},
                refusals=ANY,
                open=True,
            )
        ]

    async def show(self, request: web.Request) -> web.Response:
        """The document."""
        return web.Response(body=self._body, content_type="application/json")


def _shapes(operations: Iterable[Operation]) -> list[Any]:
    found: dict[str, Any] = {}
    for each in operations:
        shapes = [each.query, each.body, *(answer.shape for answer in each.answers.values())]
        found |= {_key(shape): shape for shape in shapes if shape is not None}
    return list(found.values())


def _key(shape: Any) -> str:
    return repr(shape)


def _operation(each: Operation, named: Mapping[str, Json]) -> Json:
    found: Json = {
        "operationId": each.id,
        "tags": [each.tag],
        "summary": each.summary,
        "description": each.description or each.summary,
        "parameters": [*_path(each), *_query(each), *_headers(each)],
        "responses": {
            **{str(status): _answer(given, named) for status, given in each.answers.items()},
            **_refusals(each),
        },
        "security": _security(each),
    }
    if each.body is not None:
        content = {"schema": named[_key(each.body)]}
        if each.body_example is not None:
            content["example"] = each.body_example
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    return found


def _security(each: Operation) -> list[Json]:
    if each.open:
        return []
    ways = ["token", _TICKET] if hasattr(each.query, _TICKET) else ["token"]
    return [{way: []} for way in ways]


def _path(each: Operation) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_PARAMETERS[name][1],
            "schema": {"type": "string", "pattern": PATH_PARAMETERS[name][0]},
        }
        for name in _PARAMETER.findall(each.path)
    ]


def _query(each: Operation) -> list[Json]:
    if each.query is None:
        return []
    _, components = msgspec.json.schema_components([each.query], ref_template=REFERENCE)
    shape = components[each.query.__name__]
    required = shape.get("required", ())
    found = []
    for name, schema in shape["properties"].items():
        if name == _TICKET:  # a way to say who one is
            continue
        given = _without_null(schema)
        found.append(
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": given.pop("description", ""),
                "schema": given,
            }
        )
    return found


def _without_null(schema: Json) -> Json:
    """What a query may hold of a schema: nobody can send null there."""
    found = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    for option in schema.get("anyOf", ()):
        if option != {"type": "null"}:
            found |= option
    if schema.get("default") is not None:
        found["default"] = schema["default"]
    return found


def _headers(each: Operation) -> list[Json]:
    found = [
        {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.description,
            "schema": {"type": "string"}
            | ({} if header.longest is None else {"minLength": 1, "maxLength": header.longest}),
        }
        for header in each.headers
    ]
    if each.path.startswith("/v1/"):
        found.append(_VERSION)
    return found


def _answer(given: Answer, named: Mapping[str, Json]) -> Json:
    found: Json = {"description": given.description}
    content: Json = {
        media: {"schema": {"type": "string", "description": about}}
        for media, about in given.media.items()
    }
    if given.shape is not None:
        content["application/json"] = {"schema": named[_key(given.shape)]}
        if given.example is not None:
            content["application/json"]["example"] = given.example
    if content:
        found["content"] = content
    if given.headers:
        found["headers"] = {
            name: {"description": about, "schema": {"type": "string"}}
            for name, about in given.headers.items()
        }
    return found


def _refusals(each: Operation) -> dict[str, Json]:
    by_status: dict[int, list[codes.Code]] = {}
    for code in each.refusals:
        by_status.setdefault(code.http, []).append(code)
    return {
        str(status): {
            "description": "; ".join(f"`{code.name}`: {code.message}" for code in found),
            "content": {
                "application/problem+json": {
                    "schema": reference("Problem"),
                    "examples": {code.name: {"value": _example(code)} for code in found},
                }
            },
        }
        for status, found in sorted(by_status.items())
    }


def _example(code: codes.Code) -> Json:
    return {
        "type": "about:blank",
        "title": code.message,
        "status": code.http,
        "detail": code.message,
        "errorCode": code.name,
        "requestId": "5f2b8c1e9a7d4c36b0e1f2a3c4d5e6f7",
        "retry": code.retry,
    }
