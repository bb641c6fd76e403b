"""Compares AsyncAPI 3 documents: the live doors and the journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.contract.breaking import security
from tests.contract.breaking.references import Json, last, resolved
from tests.contract.breaking.schemas import Schemas

_OF_A_SERVER: Final = {"protocol": None, "protocolVersion": None, "host": None, "pathname": "/"}
_CLOSED: Final[Json] = {"type": "object", "additionalProperties": False}
_WORDS: Final = {"code", "message", "description"}


def of_asyncapi(old: Json, new: Json) -> list[str]:
    """What is broken, each once."""
    return list(dict.fromkeys(_Comparison(old, new).breaks()))


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._schemas = Schemas(old, new)

    def breaks(self) -> Iterator[str]:
        yield from security.of_whole(self._old, self._new)
        for part, told, compare in (
            ("servers", "the server", _server),
            ("channels", "the channel", self._channel),
            ("operations", "the operation", self._operation),
        ):
            for key, before in self._old[part].items():
                after = self._new[part].get(key)
                if after is None:
                    yield f"{told} {key} is gone"
                else:
                    yield from compare(before, after, key)

    def _channel(self, old: Json, new: Json, key: str) -> Iterator[str]:
        if old["address"] != new["address"]:
            yield f"the channel {key}: the address is {new['address']} now"
        yield from _codes(old, new, f"the channel {key}")
        served = {last(each) for each in new.get("servers", ())}
        for server in map(last, old.get("servers") or _all(self._old)):
            if served and server not in served:
                yield f"the channel {key} is not on {server} any more"
        before, after = _taken(old), _taken(new)
        for place in before:
            if place not in after:
                yield f"{key} {place} is gone"
        for place in after:
            schemas = (before.get(place, _CLOSED), after[place])
            yield from self._schemas.compare(*schemas, f"{key} {place}", taken=True)
        for way, binding in old.get("bindings", {}).items():
            method = new.get("bindings", {}).get(way, {}).get("method")
            if "method" in binding and method != binding["method"]:
                yield f"the channel {key}: the method is {method} now"

    def _operation(self, old: Json, new: Json, key: str) -> Iterator[str]:
        for field in ("action", "channel"):
            if old[field] != new[field]:
                yield f"the operation {key}: another {field}"
        yield from security.refused(security.of_asyncapi(old), security.of_asyncapi(new), key)
        yield from _codes(old, new, key)
        taken = old["action"] == "receive"
        yield from self._messages(old, new, key, taken=taken)
        if "reply" not in old:
            return
        if "reply" not in new:
            yield f"{key} is not answered any more"
            return
        before, after = old["reply"], new["reply"]
        if before.get("channel") != after.get("channel"):
            yield f"the operation {key}: it is answered on another channel"
        yield from self._messages(before, after, key, taken=not taken)

    def _messages(self, old: Json, new: Json, key: str, *, taken: bool) -> Iterator[str]:
        after = {last(each): each for each in new.get("messages", ())}
        for name, each in ((last(each), each) for each in old.get("messages", ())):
            if name not in after:
                yield f"{key} has no {name} any more"
                continue
            was, now = resolved(self._old, each), resolved(self._new, after[name])
            if was.get("name") != now.get("name"):
                yield f"{name}: it is called {now.get('name')} now"
            kind = now.get("contentType", self._new.get("defaultContentType"))
            if was.get("contentType", self._old.get("defaultContentType")) != kind:
                yield f"{name}: it is {kind} now"
            schemas = was.get("payload", {}), now.get("payload", {})
            yield from self._schemas.compare(*schemas, name, taken=taken)
            headers = was.get("headers", _CLOSED), now.get("headers", {"type": "object"})
            yield from self._schemas.compare(*headers, f"{name} headers", taken=taken)


def _server(old: Json, new: Json, key: str) -> Iterator[str]:
    for field, otherwise in _OF_A_SERVER.items():
        if old.get(field, otherwise) != new.get(field, otherwise):
            yield f"the server {key}: {field} is {new.get(field, otherwise)} now"
    keys, others = security.of_asyncapi(old), security.of_asyncapi(new)
    yield from security.refused(keys, others, f"the server {key}")


def _all(document: Json) -> list[Json]:
    """A channel that names no servers is on all of them."""
    return [{"$ref": f"#/servers/{name}"} for name in document["servers"]]


def _taken(channel: Json) -> dict[str, Json]:
    """What a client says in the address and headers, as schemas of objects, by the place where
    the document has it. What is not named there is not taken."""
    named = {
        name: {"type": "string", **each} for name, each in channel.get("parameters", {}).items()
    }
    found: Json = {"parameters": {"properties": named}}
    if "x-query" in channel:
        found["x-query"] = channel["x-query"]
    for way, binding in channel.get("bindings", {}).items():
        for part in binding.keys() & {"query", "headers"}:
            found[f"bindings.{way}.{part}"] = binding[part]
    return {place: {**_CLOSED, **schema} for place, schema in found.items()}


def _codes(old: Json, new: Json, key: str) -> Iterator[str]:
    """With which something is refused, or a connection ends. There may be more."""
    after = {each["code"]: each for each in new.get("x-errors", ())}
    for each in old.get("x-errors", ()):
        code = each["code"]
        if code not in after:
            yield f"{key} does not answer {code} any more"
            continue
        for field in sorted((each.keys() | after[code].keys()) - _WORDS):
            if each.get(field) != after[code].get(field):
                yield f"{code}: {field} is {after[code].get(field)} now"
