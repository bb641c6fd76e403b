"""Compares who is let in, and which versions are spoken; the same in both documents."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.contract.breaking.references import Json, last

Keys = frozenset[str]
_WORDS = {"description", "bearerFormat"}


def of_openapi(document: Json, operation: Json) -> list[Keys]:
    """Each alternative: the schemes, and scopes of them, that are needed together."""
    several: list[Json] = operation.get("security") or []
    if "security" not in operation:
        several = document.get("security", [])
    return [
        frozenset(
            key
            for name, scopes in each.items()
            for key in (name, *(f"{name}:{scope}" for scope in scopes))
        )
        for each in several
    ]


def of_asyncapi(part: Json) -> list[Keys]:
    """Those of a server or operation, where each is one scheme."""
    several = part.get("security", ())
    return [frozenset([last(each) if "$ref" in each else json.dumps(each)]) for each in several]


def refused(old: list[Keys], new: list[Keys], at: str) -> Iterator[str]:
    """With what nobody comes in any more. No alternatives: without anything."""
    after = new or [Keys()]
    for keys in old or [Keys()]:
        if any(each <= keys for each in after):
            continue
        if keys:
            yield f"{at} does not take {_shown(keys)} any more"
        else:
            yield f"{at} needs {' or '.join(map(_shown, after))} now"


def _shown(keys: Keys) -> str:
    return " with ".join(sorted(keys))


def of_whole(old: Json, new: Json) -> Iterator[str]:
    """Versions of the contract that are gone, and schemes that mean something else."""
    for version in old["info"].get("x-contract", ()):
        if version not in new["info"].get("x-contract", ()):
            yield f"version {version} is not spoken any more"
    before, after = (each["components"].get("securitySchemes", {}) for each in (old, new))
    for name in before:
        for key in sorted((before[name].keys() | after.get(name, {}).keys()) - _WORDS):
            if name in after and before[name].get(key) != after[name].get(key):
                yield f"the security scheme {name}: {key} is {after[name].get(key)} now"
