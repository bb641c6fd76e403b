"""What values a schema allows, as far as it is seen without looking inside of them."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.contract.breaking.references import Json, flat, last

KINDS: Final = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))
_OF_PYTHON: Final[dict[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
    list: "array",
    dict: "object",
}
NOTHING: Final[Json] = {"not": {}}
"""The schema that no value fits."""


def as_schema(value: bool | Json) -> Json:
    """``true`` and ``false`` are schemas as well."""
    if isinstance(value, bool):
        return {} if value else NOTHING
    return value


def kinds(document: Json, schema: Json) -> frozenset[str]:
    """The types that a value may have. A whole number is a number too."""
    schema = flat(document, schema)
    found = frozenset[str]() if schema.get("not") == {} else KINDS
    for several in ("anyOf", "oneOf"):
        if several in schema:
            found &= {kind for each in schema[several] for kind in kinds(document, each)}
    if "type" in schema:
        named = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        found &= {*named, "integer"} if "number" in named else set(named)
    listed = values(schema)
    return found if listed is None else found & {_OF_PYTHON[type(each)] for each in listed}


def shown(found: frozenset[str]) -> str:
    """Types in words."""
    if found == KINDS:
        return "anything"
    return " or ".join(sorted(found - {"integer"} if "number" in found else found)) or "nothing"


def values(schema: Json) -> list[Any] | None:
    """All that there are, where they are listed."""
    listed: list[Any] | None = schema.get("enum")
    return [schema["const"]] if listed is None and "const" in schema else listed


def listed(some: list[Any]) -> str:
    """Values in words."""
    return ", ".join(each if isinstance(each, str) else json.dumps(each) for each in some)


def options(schema: Json) -> list[Json]:
    """The alternatives of a schema without ``allOf``, none where it has none."""
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def labelled(several: list[Json]) -> dict[str, Json]:
    """Alternatives by what tells them apart: their names, types, or the fields that they need."""
    found: dict[str, Json] = {}
    for each in several:
        label = _label(each)
        found[f"{label} {json.dumps(each, sort_keys=True)}" if label in found else label] = each
    return found


def _label(option: Json) -> str:
    if "$ref" in option:
        return last(option)
    told = option.get("type", option.get("required", values(option)))
    return listed(told) if isinstance(told, list) else str(told or "anything")
