"""Whether an index serves a query by ranges alone: equality, then sort, then range.

The stand-in for MongoDB explains its own plans, which are not MongoDB's: with a range behind other
keys it scans the collection, it sorts what an index gives in order, and its ``limit`` does not
stop. So this is proved from the query and the keys of the index. Where there is a real ``mongod``,
``examined`` reads what it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hub.stores.mongo import INDEXES

Keys = Sequence[tuple[str, int]]

STATE: Final = frozenset({"seenAt", "readStamp", "dismissStamp", "came"})
"""Told by the documents that a mark may change, all of which are in its range."""

_MERGED_AT_MOST = 200  # ranges that MongoDB merges rather than sort
_NO_RANGE = {"$exists", "$ne", "$nin", "$not"}


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
    found = ["_id_"] if serves([("_id", 1)], where, sort, narrows=True) else []
    for index in INDEXES.get(collection, ()):
        keys = list(index.document["key"].items())
        partial = index.document.get("partialFilterExpression", {})
        if set(partial) <= set(where) and serves(keys, where, sort):
            found.append(index.document["name"])
    return found


def without_state(where: Mapping[str, Any]) -> dict[str, Any]:
    """A mark's query without the parts that only tell which documents of its range change."""
    if "$and" in where:
        return without_state(where["$and"][0])
    return {name: wanted for name, wanted in where.items() if name not in STATE}


def serves(keys: Keys, where: Mapping[str, Any], sort: Keys, *, narrows: bool = False) -> bool:
    """Whether an index of these keys does. ``narrows``: by its first keys it is one document,
    whatever else is asked of it."""
    equal, ranges = _terms(where)
    count, merged = 0, 1
    while count < len(keys) and keys[count][0] in equal:
        merged *= equal[keys[count][0]]
        count += 1
    if count == 0 or narrows:
        return count > 0
    rest = [name for name, _ in keys[count:]]
    if set(equal) - {name for name, _ in keys[:count]}:
        return False
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


def explanations(command: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The commands that make MongoDB explain a command; none for what looks for nothing."""
    kept = ("find", "filter", "sort", "limit", "projection", "aggregate", "pipeline", "cursor")
    match command:
        case {"find": _} | {"aggregate": _}:
            asked = [{name: command[name] for name in kept if name in command}]
        case {"update": name, "updates": several}:
            asked = [{"update": name, "updates": [each]} for each in several]
        case {"delete": name, "deletes": several}:
            asked = [{"delete": name, "deletes": [each]} for each in several]
        case _:
            asked = []
    return [{"explain": each, "verbosity": "executionStats"} for each in asked]


def examined(explained: Mapping[str, Any]) -> tuple[int, int]:
    """How many keys and documents MongoDB looked at, by what it explained."""
    stats = list(_executions(explained))
    return (
        sum(each["totalKeysExamined"] for each in stats),
        sum(each["totalDocsExamined"] for each in stats),
    )


def _executions(explained: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Its statistics, which an aggregation has in its first stage."""
    if "executionStats" in explained:
        yield explained["executionStats"]
        return
    for stage in explained.get("stages", ()):
        if "$cursor" in stage:
            yield from _executions(stage["$cursor"])
