"""TypeScript of the documents' schemas, for the SDK. A schema with an ``x-name`` is an alias of
that name: of an open enumeration where it has ``x-known``, of what begins so where it has
``x-begins``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from hub.domain.versions import CURRENT
from hub.gateways.contract import commands, messages
from hub.gateways.contract.commands import Command
from tests.support.documents import asyncapi_document, openapi_document

Schema = Any
_HEAD = """/**
 * The contract as TypeScript, made of /asyncapi.json and /openapi.json by `make types`. Not to be
 * edited: `protocol.ts` says what of it the SDK shows under which name.
 */
"""


def types(before: str) -> str:
    """The text of the file."""
    del before
    schemas = {
        **openapi_document()["components"]["schemas"],
        **asyncapi_document()["components"]["schemas"],
    }
    parts = [
        _HEAD,
        f"export const CONTRACT_VERSION = {CURRENT};\n",
        *_aliases(schemas),
        *(_declaration(name, schemas[name]) for name in sorted(schemas)),
        _table("MainCommands", "Commands of the namespace `/`.", commands.MAIN),
        _table("AdminCommands", "Commands of the namespace `/admin`.", commands.ADMIN),
        _event_data(schemas),
    ]
    return "\n".join(parts)


def _aliases(schemas: dict[str, Schema]) -> Iterator[str]:
    named = {each["x-name"]: each for each in _walk(schemas) if "x-name" in each}
    for name in sorted(named):
        found = named[name]
        options = [json.dumps(each) for each in found.get("x-known", found.get("enum", ()))]
        options += [f"`{begin}${{string}}`" for begin in found.get("x-begins", ())]
        if "x-known" in found and "x-begins" not in found:
            options.append("(string & {})")
        yield _about(found, "") + f"export type {name} = {' | '.join(options)};\n"


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _walk(inner)


def _declaration(name: str, schema: Schema) -> str:
    about = _about(schema, "")
    if schema.get("type") == "object" and "properties" in schema:
        return f"{about}export interface {name} {_members(schema, '')}\n"
    return f"{about}export type {name} = {_type(schema, '')};\n"


def _members(schema: Schema, indent: str) -> str:
    if not schema["properties"] and schema.get("additionalProperties") is False:
        return "{\n  [name: string]: never;\n}"
    inner = indent + "  "
    required = set(schema.get("required", ()))
    lines = [
        f"{_about(each, inner)}{inner}{_name(name)}{'' if name in required else '?'}: "
        f"{_type(each, inner)};\n"
        for name, each in schema["properties"].items()
    ]
    return "{\n" + "".join(lines) + indent + "}"


def _type(schema: Schema, indent: str) -> str:
    if "x-name" in schema:
        return str(schema["x-name"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    for several in ("anyOf", "oneOf"):
        if several in schema and "properties" not in schema:
            found = dict.fromkeys(_type(each, indent) for each in schema[several])
            return " | ".join(found)
    return _plain(schema, indent)


def _plain(schema: Schema, indent: str) -> str:
    match schema.get("type"):
        case "string":
            return "string"
        case "integer" | "number":
            return "number"
        case "boolean":
            return "boolean"
        case "null":
            return "null"
        case "array":
            item = _type(schema.get("items", {}), indent)
            return f"({item})[]" if " " in item and not item.startswith("{") else f"{item}[]"
        case "object" if "properties" in schema:
            return _members(schema, indent)
        case "object":
            values = schema.get("additionalProperties")
            of = _type(values, indent) if isinstance(values, dict) else "unknown"
            return f"Record<string, {of}>"
        case _:
            return "unknown"


def _about(schema: Schema, indent: str) -> str:
    told = schema.get("description", "")
    return f"{indent}/** {told.replace('*/', '* /')} */\n" if told else ""


def _name(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _table(name: str, about: str, described: Iterable[Command]) -> str:
    lines = [
        f"  {json.dumps(each.name) if ':' in each.name else each.name}: "
        f"[{each.payload.__name__}, {each.answer.__name__}];\n"
        for each in described
    ]
    told = f"/** {about} What each takes, and what its acknowledgement brings. */\n"
    return f"{told}export interface {name} {{\n{''.join(lines)}}}\n"


def _event_data(schemas: dict[str, Schema]) -> str:
    lines = []
    for shape in messages.EVENTS:
        properties = schemas[shape.__name__]["properties"]
        if "enum" in properties["type"]:
            (type_,) = properties["type"]["enum"]
            lines.append(f"  {type_}: {_type(properties['data'], '')};\n")
    return (
        f"/** `data` by the event's type. */\nexport interface DataByType {{\n{''.join(lines)}}}\n"
    )
