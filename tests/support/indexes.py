"""Whether an index serves a query by ranges alone: equality, then sort, then range.

The stand-in for MongoDB explains its own plans, which are not MongoDB's: with a range behind other
keys it scans the collection, it sorts what an index gives in order, and its ``limit`` does not
stop. So this is proved from the query and the keys of the index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from hub.stores.mongo import INDEXES

Keys = Sequence[tuple[str, int]]

_MERGED_AT_MOST = 200  # ranges that MongoDB merges rather than sort
_NO_RANGE = {"$exists", "$ne", "$nin", "$not"}


class Commands(CommandListener):
    """What was asked of a database. ``asked``: the commands; ``documents``: how many came back."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.documents = 0

    def clear(self) -> None:
        """Begins anew."""
        self.asked.clear()
        self.documents = 0

    def started(self, event: CommandStartedEvent) -> None:
        self.asked.append(event.command)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        cursor = event.reply.get("cursor", {})
        self.documents += len(cursor.get("firstBatch", ())) + len(cursor.get("nextBatch", ()))

    def failed(self, event: CommandFailedEvent) -> None:
        raise AssertionError(event.failure)


def queries(command: Mapping[str, Any]) -> list[tuple[str, dict[str, Any], Keys]]:
    """The collection, filter and order of all that a command looks for."""
    match command:
        case {"find": name, "filter": where}:
            return [(name, dict(where), list(command.get("sort", {}).items()))]
        case {"aggregate": name, "pipeline": [{"$match": where}, *_]}:
            return [(name, dict(where), [])]
        case {"update": name, "updates": several} | {"delete": name, "deletes": several}:
            return [(name, dict(each["q"]), []) for each in several]
    return []


def serving(collection: str, where: Mapping[str, Any], sort: Keys) -> list[str]:
    """The names of the indexes that serve a query by ranges alone."""
    found = ["_id_"] if _serves([("_id", 1)], where, sort, narrows=True) else []
    for index in INDEXES[collection]:
        keys = list(index.document["key"].items())
        partial = index.document.get("partialFilterExpression", {})
        if set(partial) <= set(where) and _serves(keys, where, sort):
            found.append(index.document["name"])
    return found


def _serves(keys: Keys, where: Mapping[str, Any], sort: Keys, *, narrows: bool = False) -> bool:
    equal, ranges = _terms(where)
    count, merged = 0, 1
    while count < len(keys) and keys[count][0] in equal:
        merged *= equal[keys[count][0]]
        count += 1
    if count == 0:
        return False
    rest = [name for name, _ in keys[count:]]
    if set(equal) - {name for name, _ in keys[:count]}:
        return narrows  # by its id it is one document, whatever else is asked of it
    if sort and (list(keys[count : count + len(sort)]) != list(sort) or merged > _MERGED_AT_MOST):
        return False
    if ranges and not sort and rest[:1] and rest[0] not in ranges:
        return False
    return ranges <= set(rest)


def _terms(where: Mapping[str, Any]) -> tuple[dict[str, int], set[str]]:
    """The fields that are to equal something, with how many values each, and those that are not."""
    equal: dict[str, int] = {}
    ranges: set[str] = set()
    for name, wanted in where.items():
        if name == "$and":
            for each in wanted:
                more, others = _terms(each)
                equal |= more
                ranges |= others
        elif name == "$or":
            for each in wanted:
                more, others = _terms(each)
                ranges |= {*more, *others}
        elif not isinstance(wanted, Mapping):
            equal[name] = 1
        elif set(wanted) == {"$in"}:
            equal[name] = len(wanted["$in"])
        else:
            ranges.add(f"{name} {wanted}" if _NO_RANGE & set(wanted) else name)
    return equal, ranges - set(equal)
