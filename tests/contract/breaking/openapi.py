"""Compares OpenAPI 3.1 documents: the HTTP API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.contract.breaking import security
from tests.contract.breaking.references import Json, resolved
from tests.contract.breaking.schemas import Schemas

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_STYLES: Final = {"query": "form", "cookie": "form", "path": "simple", "header": "simple"}
_PROBLEM: Final = "application/problem+json"
_VERSION: Final = "hub-version"
"""Which versions there are is told once, of the whole document."""


def of_openapi(old: Json, new: Json) -> list[str]:
    """What is broken, each once."""
    return list(dict.fromkeys(_Comparison(old, new).breaks()))


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._schemas = Schemas(old, new)

    def breaks(self) -> Iterator[str]:
        yield from security.of_whole(self._old, self._new)
        for path, before in self._old["paths"].items():
            after = self._new["paths"].get(path, {})
            for method in (each for each in _METHODS if each in before):
                told = f"{method.upper()} {path}"
                if method in after:
                    yield from self._operation(before, after, method, told)
                else:
                    yield f"{told} is gone"

    def _operation(self, old: Json, new: Json, method: str, told: str) -> Iterator[str]:
        parameters = (_parameters(self._old, old, method), _parameters(self._new, new, method))
        yield from self._parameters(*parameters, told)
        old, new = old[method], new[method]
        keys = security.of_openapi(self._old, old)
        yield from security.refused(keys, security.of_openapi(self._new, new), told)
        before = resolved(self._old, old.get("requestBody", {}))
        after = resolved(self._new, new.get("requestBody", {}))
        if after.get("required") and not before.get("required"):
            yield f"{told} needs a body now"
        yield from self._contents(before, after, told, taken=True)
        for status, answer in old["responses"].items():
            answers = resolved(self._old, answer), new["responses"].get(status)
            if answers[1] is not None:
                other = resolved(self._new, answers[1])
                yield from self._answer(answers[0], other, f"{told} {status}")
            elif not status.startswith("5"):
                yield f"{told} does not answer {status} any more"

    def _parameters(self, old: Json, new: Json, told: str) -> Iterator[str]:
        for name in old:
            if name not in new:
                yield f"{told} does not take {name} any more"
        for name, each in new.items():
            if each.get("required") and not old.get(name, {}).get("required"):
                yield f"{told} needs {name} now"
        for name in (each for each in old if each in new):
            before, after = old[name], new[name]
            if _form(before) != _form(after):
                yield f"{told}: {name} is written in another way"
            yield from self._value(before, after, f"{told}: {name}", taken=True)

    def _answer(self, old: Json, new: Json, told: str) -> Iterator[str]:
        yield from self._contents(old, new, told, taken=False)
        after = {name.lower(): each for name, each in new.get("headers", {}).items()}
        for name, each in old.get("headers", {}).items():
            if name.lower() not in after:
                yield f"{told} has no {name} any more"
                continue
            before = {"name": name, **resolved(self._old, each)}
            header = resolved(self._new, after[name.lower()])
            if before.get("required") and not header.get("required"):
                yield f"{told}: {name} may be missing now"
            yield from self._value(before, header, f"{told}: {name}", taken=False)
        codes, others = _codes(old), _codes(new)
        for code, retry in codes.items():
            if code not in others and _PROBLEM in new.get("content", {}):
                yield f"{told} does not say {code} any more"
            elif code in others and retry != others[code]:
                yield f"{code}: retry is {others[code]} now"

    def _value(self, old: Json, new: Json, at: str, *, taken: bool) -> Iterator[str]:
        """Of a parameter or header."""
        before, after = old.get("schema", {}), new.get("schema", {})
        if old["name"].lower() == _VERSION:
            before, after = (_without_versions(each) for each in (before, after))
        yield from self._schemas.compare(before, after, at, taken=taken)
        yield from self._contents(old, new, at, taken=taken)

    def _contents(self, old: Json, new: Json, told: str, *, taken: bool) -> Iterator[str]:
        before, after = old.get("content", {}), new.get("content", {})
        for media in before:
            if media not in after:
                yield f"{told} has no {media} any more"
                continue
            was, now = (each[media].get("schema", {}) for each in (before, after))
            place = told if taken else f"{told} {media}"
            yield from self._schemas.compare(was, now, place, taken=taken)


def _parameters(document: Json, path: Json, method: str) -> dict[str, Json]:
    """By their names, with those that all methods of the path take."""
    several = (*path.get("parameters", ()), *path[method].get("parameters", ()))
    found = (resolved(document, each) for each in several)
    return {_name(each): each for each in found}


def _name(parameter: Json) -> str:
    name, place = parameter["name"], parameter["in"]
    return f"the {place} {name.lower() if place == 'header' else name}"


def _form(parameter: Json) -> tuple[str, bool]:
    style = parameter.get("style", _STYLES[parameter["in"]])
    return style, parameter.get("explode", style == "form")


def _codes(answer: Json) -> dict[str, Any]:
    """The codes of a refusal, as its examples name them, and whether to try again."""
    examples = answer.get("content", {}).get(_PROBLEM, {}).get("examples", {})
    return {code: each.get("value", {}).get("retry") for code, each in examples.items()}


def _without_versions(schema: Json) -> Json:
    return {key: value for key, value in schema.items() if key != "enum"}
