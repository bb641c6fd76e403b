"""The tables of ``docs/reference.md``: codes, events, commands and settings. What stands between
two marks is replaced, the rest is written by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from config.settings import Settings, variable
from hub.domain import codes
from hub.gateways.contract.channels import ADMIN, MAIN
from tests.support.documents import asyncapi_document, openapi_document

_MARKED: Final = re.compile(
    r"(<!-- (?P<name>[\w-]+): made by make types -->\n).*?(<!-- end -->)", re.DOTALL
)
_UNKNOWN: Final = frozenset({"INTERNAL"})
_PROBLEM: Final = "application/problem+json"


def reference(before: str) -> str:
    """The page with its tables made anew."""
    return _MARKED.sub(lambda found: found[1] + TABLES[found["name"]]() + found[3], before)


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = ["| " + " | ".join(map(str, row)) + " |\n" for row in (heads, *rows)]
    lines.insert(1, "| " + " | ".join("---" for _ in heads) + " |\n")
    return "".join(lines)


def _codes() -> str:
    rows = (
        [
            f"`{each.name}`",
            each.http or "",
            each.ws or "",
            "yes" if each.retry else "no",
            each.message,
        ]
        for each in codes.CATALOGUE.values()
    )
    return _table(("code", "HTTP", "WebSocket close", "retry", "meaning"), rows)


def _events() -> str:
    schemas = asyncapi_document()["components"]["schemas"]
    rows = []
    for each in schemas["Envelope"]["oneOf"]:
        shape = schemas[each["$ref"].rpartition("/")[2]]
        kind = shape["properties"]["type"].get("enum", ["any other"])[0]
        data = shape["properties"]["data"]
        data = schemas[data["$ref"].rpartition("/")[2]] if "$ref" in data else data
        name = f"`{kind}`" if kind.isupper() else kind
        rows.append([name, _fields(data), shape["description"]])
    return _table(("type", "`data`", "when"), rows)


def _fields(schema: Any) -> str:
    needed = set(schema.get("required", ()))
    found = [name if name in needed else f"{name}?" for name in schema.get("properties", ())]
    return f"`{{{', '.join(found)}}}`" if found else "of the service's own"


def _commands(channel: Any) -> str:
    document = asyncapi_document()
    every, schemas = document["components"]["messages"], document["components"]["schemas"]
    rows = []
    for each in channel.operations:
        if each.action != "receive" or each.messages[0].name == "CONNECT":
            continue
        asked, answered = (every[one.key] for one in (each.messages[0], each.replies[0]))
        taken = asked["payload"].get("allOf", [asked["payload"]])[0]
        answer = schemas[answered["payload"]["$ref"].rpartition("/")[2]]["properties"]["data"]
        shapes = [schemas[one["$ref"].rpartition("/")[2]] for one in (taken, answer)]
        refused = [code.name for code in each.refusals if code.name not in _UNKNOWN]
        rows.append([f"`{asked['name']}`", *map(_shown, shapes), ", ".join(refused)])
    return _table(("command", "takes", "answers", "may be refused with"), rows)


def _shown(schema: Any) -> str:
    return _fields(schema) if schema["properties"] else "`{}`"


def _http() -> str:
    rows = []
    for path, methods in openapi_document()["paths"].items():
        for method, each in methods.items():
            answers = [
                status
                for status, answer in each["responses"].items()
                if _PROBLEM not in answer.get("content", {})
            ]
            rows.append([f"`{method.upper()} {path}`", each["summary"], ", ".join(answers)])
    return _table(("request", "for", "answers"), rows)


def _settings() -> str:
    rows = (
        [f"`{variable(name)}`", _default(field.default), _plain(field.description or "")]
        for name, field in Settings.model_fields.items()
    )
    return _table(("variable", "default", "meaning"), rows)


def _default(value: Any) -> str:
    """As it would be written in the environment; nothing where nothing is set."""
    if value is None or value == ():
        return ""
    return f"`{int(value) if isinstance(value, bool) else value}`"


def _plain(text: str) -> str:
    """A docstring in a table of Markdown."""
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


TABLES: Final[dict[str, Callable[[], str]]] = {
    "codes": _codes,
    "events": _events,
    "commands": lambda: _commands(MAIN),
    "admin-commands": lambda: _commands(ADMIN),
    "http": _http,
    "settings": _settings,
}
