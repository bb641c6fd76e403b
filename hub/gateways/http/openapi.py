"""``GET /openapi.json``: the HTTP API as an OpenAPI 3.1 document, made of what the handlers and the
catalogue of codes say of themselves."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from hub.domain import codes
from hub.domain.versions import SPOKEN
from hub.gateways.contract.limits import LIMITS
from hub.gateways.contract.schemas import Json, dialect, parameters, reference, schemas
from hub.gateways.http import problems
from hub.gateways.http.documents import Problem
from hub.gateways.http.examples import refusal
from hub.gateways.http.headers import X_REQUEST_ID
from hub.gateways.http.operation import (
    EVERY_OPERATION,
    PATH_PARAMETERS,
    TICKET,
    TICKET_SAID,
    Answer,
    Operation,
)
from hub.gateways.http.versions import HEADER
from hub.gateways.publications import publication_schemas

_PARAMETER: Final = re.compile(r"{(\w+)}")
_VERSION: Final = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The version of the contract that the caller speaks; the oldest one that is "
    "served when it says nothing.",
    "schema": {"type": "string", "enum": list(map(str, SPOKEN.numbers))},
}
_HEADERS: Final = {
    X_REQUEST_ID: "What the log calls the request.",
    HEADER: "The version of the contract that was spoken; not where none is.",
    "Deprecation": "Since when that version will not be served any more (RFC 9745); only then.",
    "Sunset": "Until when that version is served (RFC 8594), once it is known.",
    "Retry-After": "Seconds after which to try again.",
    "WWW-Authenticate": "`Bearer`.",
    "Allow": "The methods that the address takes.",
}
_OF_VERSIONS: Final = (HEADER, "Deprecation", "Sunset")
_OF_STATUS: Final = {
    "Retry-After": problems.COME_BACK_LATER,
    "WWW-Authenticate": (problems.UNAUTHORIZED,),
    "Allow": (codes.METHOD_NOT_ALLOWED.http,),
}
_VERSIONED: Final = "/v1/"
_REQUEST: Final = "5f2b8c1e9a7d4c36b0e1f2a3c4d5e6f7"
_ANYWHERE: Final = {
    "NotFound": codes.NOT_FOUND,
    "MethodNotAllowed": codes.METHOD_NOT_ALLOWED,
}
_DESCRIPTION: Final = (
    "Progress of long jobs and notifications, stored before they are shown. Refusals are "
    "`application/problem+json` with an `errorCode` of the catalogue and a `requestId`. An address "
    "that is not listed answers 404 `NOT_FOUND`, a method that is not listed 405 "
    f"`METHOD_NOT_ALLOWED`. {LIMITS}"
)


def document(operations: Sequence[Operation], version: str) -> Json:
    """The OpenAPI document of ``operations``."""
    shapes = [*_shapes(operations), Problem]
    given, components = schemas(shapes)
    named = dict(zip(map(_key, shapes), given, strict=True))
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
            "schemas": components | publication_schemas(),
            "responses": {
                name: _refusal([code], {}, _common("/")) for name, code in _ANYWHERE.items()
            },
            "headers": {
                name: {"description": about, "schema": {"type": "string"}}
                for name, about in _HEADERS.items()
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                TICKET: {
                    "type": "apiKey",
                    "in": "query",
                    "name": TICKET,
                    "description": TICKET_SAID,
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
                refusals=EVERY_OPERATION,
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
            **{
                str(status): _answer(given, named, _common(each.path))
                for status, given in each.answers.items()
            },
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
    ways = ["token", TICKET] if hasattr(each.query, TICKET) else ["token"]
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
    shape = parameters(each.query)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in shape["required"],
            "description": schema.get("description", ""),
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in shape["properties"].items()
        if name != TICKET  # a way to say who one is
    ]


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
    if each.path.startswith(_VERSIONED):
        found.append(_VERSION)
    return found


def _common(path: str) -> dict[str, Json]:
    """The headers of every answer."""
    spoken = _OF_VERSIONS if path.startswith(_VERSIONED) else ()
    return {name: _header(name) for name in (X_REQUEST_ID, *spoken)}


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _answer(given: Answer, named: Mapping[str, Json], headers: Mapping[str, Json]) -> Json:
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
    own = {
        name: {"description": about, "schema": {"type": "string"}}
        for name, about in given.headers.items()
    }
    return {**found, "headers": own | dict(headers)}


def _refusals(each: Operation) -> dict[str, Json]:
    by_status: dict[int, list[codes.Code]] = {}
    for code in each.refusals:
        if code.http is not None:
            by_status.setdefault(code.http, []).append(code)
    return {
        str(status): _refusal(found, each.because, _common(each.path))
        for status, found in sorted(by_status.items())
    }


def _refusal(
    found: Sequence[codes.Code], because: Mapping[codes.Code, str], headers: Mapping[str, Json]
) -> Json:
    """The answer with one of several codes, all of one status."""
    told = "; ".join(f"`{code.name}`: {because.get(code, code.message)}" for code in found)
    own = [name for name, statuses in _OF_STATUS.items() if found[0].http in statuses]
    return {
        "description": told,
        "headers": {**headers, **{name: _header(name) for name in own}},
        "content": {
            "application/problem+json": {
                "schema": reference("Problem"),
                "examples": {
                    code.name: {"value": problems.document(refusal(code), _REQUEST)}
                    for code in found
                },
            }
        },
    }
