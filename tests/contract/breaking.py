"""What of a document breaks those who kept to an older one. What the hub takes may only become
more, what it says only stays: a client must not care for fields, types and codes that it does not
know (docs/migrations/README.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

Json = dict[str, Any]
_METHODS: Final = ("get", "put", "post", "delete", "patch")
_AT_MOST: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
_AT_LEAST: Final = ("minimum", "minLength", "minItems", "minProperties")
_DEEPEST: Final = 12


class Schemas:
    """Compares schemas of two documents. ``taken``: whether the hub takes them, or says them."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old = old["components"]["schemas"]
        self._new = new["components"]["schemas"]

    def compare(
        self, old: Json, new: Json, at: str, *, taken: bool, deep: int = 0
    ) -> Iterator[str]:
        """What is broken, each with the place where it is."""
        old, new = _found(old, self._old), _found(new, self._new)
        if deep > _DEEPEST or old == new == {}:
            return
        one, other = (new, old) if taken else (old, new)
        if not _types(other, self._side(other is new)) <= _types(one, self._side(one is new)):
            yield f"{at}: {_shown(old)} became {_shown(new)}"
            return
        yield from self._object(old, new, at, taken=taken, deep=deep)
        if "items" in old and "items" in new:
            yield from self.compare(
                old["items"], new["items"], f"{at}[]", taken=taken, deep=deep + 1
            )
        yield from self._options(old, new, at, taken=taken, deep=deep)
        if taken:
            yield from _limits(old, new, at)

    def _side(self, is_new: bool) -> Json:
        schemas: Json = self._new if is_new else self._old
        return schemas

    def _object(self, old: Json, new: Json, at: str, *, taken: bool, deep: int) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in before.keys() - after.keys():
            yield f"{at}.{name} is gone"
        for name in sorted(needs - needed) if taken else ():
            yield f"{at}.{name} is needed now"
        for name in () if taken else sorted(needed - needs):
            if name in after:
                yield f"{at}.{name} may be missing now"
        for name in before.keys() & after.keys():
            place = f"{at}.{name}"
            yield from self.compare(before[name], after[name], place, taken=taken, deep=deep + 1)

    def _options(self, old: Json, new: Json, at: str, *, taken: bool, deep: int) -> Iterator[str]:
        """Of alternatives, those that are named are compared by their names, and may only become
        more."""
        before, after = _options(old), _options(new)
        for name in before.keys() - after.keys() if after else ():
            yield f"{at}: {name} is gone"
        for name in before.keys() & after.keys():
            place = f"{at}<{name}>"
            yield from self.compare(before[name], after[name], place, taken=taken, deep=deep + 1)
        gone = set(map(str, old.get("enum", ()))) - set(map(str, new.get("enum", ())))
        if taken and "enum" in new and gone:
            yield f"{at}: {', '.join(sorted(gone))} is not taken any more"


def of_openapi(old: Json, new: Json) -> list[str]:
    """What is broken in the HTTP API."""
    schemas, found = Schemas(old, new), []
    for path, methods in old["paths"].items():
        for method in methods.keys() & set(_METHODS):
            told = f"{method.upper()} {path}"
            operation = new["paths"].get(path, {}).get(method)
            if operation is None:
                found.append(f"{told} is gone")
            else:
                found += _http(schemas, methods[method], operation, told)
    return found


def _http(schemas: Schemas, old: Json, new: Json, told: str) -> Iterator[str]:
    before = {each["name"]: each for each in old["parameters"]}
    after = {each["name"]: each for each in new["parameters"]}
    for name in before.keys() - after.keys():
        yield f"{told} does not take {name} any more"
    for name, each in after.items():
        if each["required"] and not before.get(name, {}).get("required"):
            yield f"{told} needs {name} now"
    for name in before.keys() & after.keys():
        if name != "Hub-Version":
            yield from schemas.compare(
                before[name]["schema"], after[name]["schema"], f"{told}?{name}", taken=True
            )
    yield from _bodies(schemas, old.get("requestBody"), new.get("requestBody"), told, taken=True)
    for status, answer in old["responses"].items():
        if status not in new["responses"]:
            if int(status) < 400:
                yield f"{told} does not answer {status} any more"
            continue
        yield from _bodies(schemas, answer, new["responses"][status], f"{told} {status}")


def _bodies(
    schemas: Schemas, old: Json | None, new: Json | None, told: str, *, taken: bool = False
) -> Iterator[str]:
    before, after = (old or {}).get("content", {}), (new or {}).get("content", {})
    for media in before.keys() - after.keys():
        yield f"{told} has no {media} any more"
    if taken and after and not before:
        yield f"{told} needs a body now"
    for media in before.keys() & after.keys():
        yield from schemas.compare(
            before[media]["schema"], after[media]["schema"], told, taken=taken
        )


def of_asyncapi(old: Json, new: Json) -> list[str]:
    """What is broken on the live doors and the journal."""
    schemas, found = Schemas(old, new), []
    for key, channel in old["channels"].items():
        other = new["channels"].get(key)
        if other is None or other["address"] != channel["address"]:
            found.append(f"the channel {key} is gone")
    for key, operation in old["operations"].items():
        other = new["operations"].get(key)
        if other is None or other["action"] != operation["action"]:
            found.append(f"the operation {key} is gone")
            continue
        replies = (operation.get("reply", {}), other.get("reply", {}))
        taken = operation["action"] == "receive"
        for before, after, way in ((operation, other, taken), (*replies, False)):
            for name in map(_last, before.get("messages", ())):
                if name not in map(_last, after.get("messages", ())):
                    found.append(f"{key} has no {name} any more")
                    continue
                was, now = (each["components"]["messages"][name] for each in (old, new))
                if was["name"] != now["name"]:
                    found.append(f"{key}: {was['name']} is called {now['name']} now")
                found += schemas.compare(was["payload"], now["payload"], name, taken=way)
    return found


def _last(reference: Json) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _found(schema: Json, schemas: Json) -> Json:
    """The schema itself, of one that refers to it."""
    while "$ref" in schema or "allOf" in schema:
        schema = schemas[_last(schema)] if "$ref" in schema else _merged(schema)
    return schema


def _merged(schema: Json) -> Json:
    """Of several that hold together, the first: the others say which of its fields go together."""
    return dict(schema["allOf"][0])


def _types(schema: Json, schemas: Json) -> set[str]:
    """What kinds of values there are; an empty schema is any of them."""
    schema = _found(schema, schemas)
    for several in ("anyOf", "oneOf"):
        if several in schema and "properties" not in schema:
            return {kind for each in schema[several] for kind in _types(each, schemas)}
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is not None:
        return {type(each).__name__.replace("str", "string") for each in values}
    if "type" not in schema:
        return {"string", "number", "integer", "boolean", "null", "array", "object"}
    kind = str(schema["type"])
    return {"number", "integer", "int"} if kind == "number" else {_PYTHON.get(kind, kind), kind}


_PYTHON: Final = {"integer": "int", "boolean": "bool"}


def _options(schema: Json) -> dict[str, Json]:
    options = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    named = {_last(each): each for each in options if "$ref" in each}
    return named | {str(each["type"]): each for each in options if "type" in each}


def _limits(old: Json, new: Json, at: str) -> Iterator[str]:
    for name in _AT_MOST:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{at}: {name} is {new[name]} now"
    for name in _AT_LEAST:
        if name in new and new[name] > old.get(name, 0):
            yield f"{at}: {name} is {new[name]} now"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{at}: another pattern"


def _shown(schema: Json) -> str:
    return str(schema.get("type") or sorted(schema.keys() & {"anyOf", "oneOf", "enum", "const"}))
