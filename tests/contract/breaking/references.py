"""Schemas and other parts of a document, without references and ``allOf``."""

from __future__ import annotations

from functools import reduce
from typing import Any, Final

Json = dict[str, Any]

AT_MOST: Final = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
AT_LEAST: Final = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
ANNOTATIONS: Final = {"title", "description", "summary", "example", "examples", "deprecated"}


def resolved(document: Json, value: Json) -> Json:
    """What a reference leads to, over any number of others."""
    while "$ref" in value:
        keys = value["$ref"].removeprefix("#/").split("/")
        named = (key.replace("~1", "/").replace("~0", "~") for key in keys)
        value = reduce(lambda inside, key: inside[key], named, document)
    return value


def last(value: Json) -> str:
    """The name of what is referred to."""
    return str(value["$ref"]).rpartition("/")[2]


def flat(document: Json, schema: Json) -> Json:
    """One schema in place of several that hold together. Its fields may still be references."""
    found = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    parts = [resolved(document, schema)] if "$ref" in schema else []
    for part in (*parts, *schema.get("allOf", ())):
        found = _both(found, flat(document, part))
    return found


def _both(one: Json, other: Json) -> Json:
    found = dict(one)
    for key, value in other.items():
        found[key] = value if key not in found else _joined(key, found[key], value)
        if found[key] is None and value is not None:  # said in no single schema: kept as it is
            found[key] = one[key]
            found["allOf"] = [*found.get("allOf", ()), {key: value}]
    return found


def _joined(key: str, one: Any, other: Any) -> Any:
    """Of two values of a keyword, the one that says both; None where there is none."""
    if one == other or key in ANNOTATIONS:
        return one
    if key in AT_MOST:
        return min(one, other)
    if key in AT_LEAST:
        return max(one, other)
    if key in ("required", "allOf"):
        return [*one, *other]
    if key == "enum":
        return [each for each in one if each in other]
    if key == "properties":
        twice = {name: {"allOf": [one[name], other[name]]} for name in one.keys() & other.keys()}
        return one | other | twice
    return None
