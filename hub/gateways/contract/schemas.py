"""JSON Schema of msgspec types, in the dialect that both documents share.

A shape that has ``rules`` says there what the types of its fields cannot: which of them go
together.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import inspect, structs

Json = dict[str, Any]

REFERENCE: Final = "#/components/schemas/{name}"
_PYTHON_END: Final = r"\Z"  # of a pattern, which is `$` in the dialect of JSON Schema


def reference(name: str) -> Json:
    """A reference to a named schema."""
    return {"$ref": REFERENCE.format(name=name)}


def components(shapes: Sequence[Any]) -> dict[str, Json]:
    """The named schemas of ``shapes`` and of all that they hold."""
    return schemas(shapes)[1]


def schemas(shapes: Sequence[Any]) -> tuple[list[Json], dict[str, Json]]:
    """The schema of each of ``shapes``; and the named ones, of all that they hold."""
    each, named = msgspec.json.schema_components(list(shapes), ref_template=REFERENCE)
    for shape in _structs(shapes):
        named[shape.__name__] |= getattr(shape, "rules", {})
    return list(each), named


def _structs(shapes: Sequence[Any]) -> Iterator[type]:
    """Every struct that is reached from ``shapes``, once."""
    seen: set[type] = set()
    waiting: list[Any] = list(inspect.multi_type_info(shapes))
    while waiting:
        found = waiting.pop()
        if isinstance(found, tuple):
            waiting += found
        elif isinstance(found, inspect.StructType):
            if found.cls not in seen:
                seen.add(found.cls)
                waiting += found.fields
                yield found.cls
        elif isinstance(found, inspect.Type | inspect.Field):
            waiting += structs.astuple(found)


def parameters(shape: type[msgspec.Struct]) -> Json:
    """The schema of a query, as an object: nobody can send null there."""
    found = components([shape])[shape.__name__]
    return found | {
        "properties": {name: _without_null(each) for name, each in found["properties"].items()}
    }


def _without_null(schema: Json) -> Json:
    found = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    for option in schema.get("anyOf", ()):
        if option != {"type": "null"}:
            found |= option
    if schema.get("default") is not None:
        found["default"] = schema["default"]
    return found


def exactly_one(*names: str) -> Json:
    """Of these fields, one is given: null is none."""
    return {"oneOf": [_given(name) for name in names]}


def not_both(one: str, other: str) -> Json:
    """Of these fields, none or one is given."""
    return {"not": {"allOf": [_given(one), _given(other)]}}


def _given(name: str) -> Json:
    return {"required": [name], "properties": {name: {"type": "string"}}}


def dialect(value: Any) -> Any:
    """``value`` with patterns as JSON Schema has them, and descriptions as Markdown has them."""
    if isinstance(value, dict):
        return {key: _text(key, inner) for key, inner in value.items()}
    return [dialect(each) for each in value] if isinstance(value, list) else value


def _text(key: str, value: Any) -> Any:
    if isinstance(value, str) and key == "pattern":
        return value.replace(_PYTHON_END, "$")
    if isinstance(value, str) and key in ("description", "summary"):
        return " ".join(value.split()).replace("``", "`")
    return dialect(value)
