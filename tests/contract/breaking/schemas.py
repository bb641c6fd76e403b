"""Compares schemas of two documents."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from math import inf
from typing import Final

from tests.contract.breaking.references import ANNOTATIONS, AT_LEAST, AT_MOST, Json, flat, last
from tests.contract.breaking.values import (
    as_schema,
    kinds,
    labelled,
    listed,
    options,
    shown,
    values,
)

_EXACT: Final = {"pattern", "format", "multipleOf", "uniqueItems"}
_SEEN_TO: Final = {
    *AT_MOST,
    *AT_LEAST,
    *_EXACT,
    *ANNOTATIONS,
    *("type", "enum", "const", "default", "not", "anyOf", "oneOf", "discriminator", "items"),
    *("properties", "required", "additionalProperties"),
}


class Schemas:
    """Compares schemas of an old and a new document. What is broken inside of a named schema is
    told once, by its old name. ``taken``: whether the hub takes it, or says it."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._told: set[tuple[str, str, bool]] = set()
        self._inside: set[str] = set()

    def compare(self, old: Json, new: Json, at: str, *, taken: bool) -> Iterator[str]:
        """What is broken, each with the place where it is."""
        old, new = as_schema(old), as_schema(new)
        place = last(old) if "$ref" in old else at
        if "$ref" in old and "$ref" in new:
            beside = (_without(old, "$ref"), _without(new, "$ref"))
            yield from self._flat(*beside, at, taken=taken)
            old, new = {"$ref": old["$ref"]}, {"$ref": new["$ref"]}
            if (old["$ref"], new["$ref"], taken) in self._told:
                return
            self._told.add((old["$ref"], new["$ref"], taken))
        inside = json.dumps((old, new, taken))
        if inside not in self._inside:  # of one that holds itself
            self._inside.add(inside)
            yield from self._flat(old, new, place, taken=taken)
            self._inside.remove(inside)

    def _flat(self, old: Json, new: Json, at: str, *, taken: bool) -> Iterator[str]:
        old, new = flat(self._old, old), flat(self._new, new)
        before, after = kinds(self._old, old), kinds(self._new, new)
        if not (before <= after if taken else after <= before):
            yield f"{at}: {shown(before)} became {shown(after)}"
            return
        some, others = options(old), options(new)
        if some and not others and _only_options(old):
            others, new = _as_option(new)
        elif others and not some and _only_options(new):
            some, old = _as_option(old)
        yield from self._options(some, others, at, taken=taken)
        yield from self._object(old, new, at, taken=taken)
        if "items" in old or "items" in new:
            inside = (old.get("items", {}), new.get("items", {}))
            yield from self.compare(*inside, f"{at}[]", taken=taken)
        yield from _values(old, new, at, taken=taken)
        yield from _promises(old, new, at, taken=taken)
        if taken:
            yield from _not_and_default(old, new, at)
        for name in sorted((old.keys() | new.keys()) - _SEEN_TO):
            if not name.startswith("x-") and old.get(name) != new.get(name):
                yield f"{at}: another {name}"

    def _object(self, old: Json, new: Json, at: str, *, taken: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        gone = [name for name in before if name not in after]
        yield from (f"{at}.{name} is gone" for name in gone)
        for name in sorted(needs - needed if taken else needed - needs - {*gone}):
            yield f"{at}.{name} is needed now" if taken else f"{at}.{name} may be missing now"
        free = old.get("additionalProperties", True)
        for name in after:
            if name in before or free is not False:
                was, place = before.get(name, free), f"{at}.{name}"
                yield from self.compare(was, after[name], place, taken=taken)
        yield from self._further(old, new, at, taken=taken)

    def _further(self, old: Json, new: Json, at: str, *, taken: bool) -> Iterator[str]:
        """Fields that have no names. Of those that are said, unknown ones are passed by, unless
        the object is a map."""
        before, after = (each.get("additionalProperties", {}) for each in (old, new))
        is_map = before not in (True, False, {})
        if before is False or (not is_map and (not taken or after in (True, {}))):
            return
        if after is False:
            yield f"{at} has no further fields any more"
        else:
            yield from self.compare(before, after, f"{at}.*", taken=taken)

    def _options(self, old: list[Json], new: list[Json], at: str, *, taken: bool) -> Iterator[str]:
        """Alternatives may become more. They are found by their labels; of those that are left
        over, one of each side is the same when there is no other of its types."""
        before, after = labelled(old), labelled(new)
        pairs = {label: label for label in before if label in after}
        lost = self._by_kinds(self._old, before, pairs)
        added = self._by_kinds(self._new, after, pairs)
        for types, labels in lost.items():
            if len(labels) == len(added.get(types, ())) == 1:
                pairs[labels[0]] = added[types][0]
            elif taken or "object" in types:
                yield from (f"{at}: {label} is gone" for label in labels)
        if taken and new and not old:
            yield f"{at}: only {' or '.join(after)} now"
        for was, now in pairs.items():
            place = at if len(old) == len(new) == 1 else f"{at}<{was}>"
            yield from self.compare(before[was], after[now], place, taken=taken)

    @staticmethod
    def _by_kinds(
        document: Json, some: dict[str, Json], found: Collection[str]
    ) -> dict[frozenset[str], list[str]]:
        """The labels that were not found, by the types of their schemas."""
        left: dict[frozenset[str], list[str]] = {}
        for label, schema in some.items():
            if label not in found:
                left.setdefault(kinds(document, schema), []).append(label)
        return left


def _without(schema: Json, name: str) -> Json:
    return {key: value for key, value in schema.items() if key != name}


def _only_options(schema: Json) -> bool:
    return not schema.keys() & {"type", "properties", "required"}


def _as_option(schema: Json) -> tuple[list[Json], Json]:
    """A schema as the only alternative of one that says no more than its default."""
    base = {"default": schema["default"]} if "default" in schema else {}
    return [_without(schema, "default")], base


def _values(old: Json, new: Json, at: str, *, taken: bool) -> Iterator[str]:
    """Of listed values there may be more, but none may go."""
    before, after = values(old), values(new)
    if before is not None and after is not None:
        gone = [each for each in before if each not in after]
        if gone:
            yield f"{at}: {listed(gone)} is not {'taken' if taken else 'said'} any more"
    elif taken and after is not None:
        yield f"{at}: only {listed(after)} now"
    elif not taken and before is not None:
        yield f"{at}: not only {listed(before)} now"


def _promises(old: Json, new: Json, at: str, *, taken: bool) -> Iterator[str]:
    """Limits of what is taken may become wider, those of what is said closer. Patterns are not
    understood: one may go where a limit may become wider, and come where it may become closer."""
    wide, close = (old, new) if taken else (new, old)
    for name in sorted(close.keys() & (AT_MOST | AT_LEAST)):
        if _is_closer(name, close[name], wide):
            yield f"{at}: {name} is {new[name]} now" if name in new else f"{at}: {name} is gone"
    for name in sorted(close.keys() & _EXACT):
        if close[name] != wide.get(name):
            yield f"{at}: another {name}"


def _is_closer(name: str, limit: float, schema: Json) -> bool:
    if name in AT_MOST:
        return limit < float(schema.get(name, inf))
    floor = -inf if name in ("minimum", "exclusiveMinimum") else 0
    return limit > float(schema.get(name, floor))


def _not_and_default(old: Json, new: Json, at: str) -> Iterator[str]:
    if old.get("default") is not None and old["default"] != new.get("default"):
        yield f"{at}: the default is not {listed([old['default']])} any more"
    elif "default" in old and old["default"] != new.get("default"):
        yield f"{at}: the default is {listed([new['default']])} now"
    before, after = values(old.get("not", {"enum": []})), values(new.get("not", {"enum": []}))
    if before is not None and after is not None:
        gone = [each for each in after if each not in before]
        if gone:
            yield f"{at}: {listed(gone)} is not taken any more"
    elif "not" in new and new["not"] != old.get("not"):
        yield f"{at}: another not"
