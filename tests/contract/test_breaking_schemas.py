"""What breaks in a schema: one change a row, first of what is taken, then of what is said."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.breaking.schemas import Schemas

Schema = dict[str, Any]
A: Schema = {"$ref": "#/components/schemas/A"}
B: Schema = {"$ref": "#/components/schemas/B"}
NAMED: Schema = {
    "A": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    "B": {"type": "object", "properties": {"b": A}},
}
TEXT, NUMBER, WHOLE, NULL = ({"type": each} for each in ("string", "number", "integer", "null"))


def thing(**fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "additionalProperties": False}


def any_of(*several: Schema) -> Schema:
    return {"anyOf": list(several)}


def whole(required: list[str]) -> Schema:
    return {"allOf": [thing(a=TEXT, b=TEXT), {"required": required}]}


Row = tuple[Schema, Schema, list[str], list[str]]
ROWS: dict[str, Row] = {
    "nothing": (TEXT, TEXT, [], []),
    "another type": (TEXT, NUMBER, ["x: string became number"], ["x: string became number"]),
    "a wider type": (WHOLE, NUMBER, [], ["x: integer became number"]),
    "a closer type": (NUMBER, WHOLE, ["x: number became integer"], []),
    "anything": (TEXT, {}, [], ["x: string became anything"]),
    "null": (TEXT, any_of(TEXT, NULL), [], ["x: string became null or string"]),
    "no null": (any_of(A, NULL), A, ["x: null or object became object"], []),
    "two types": (TEXT, {"type": ["string", "null"]}, [], ["x: string became null or string"]),
    "a field": (thing(), thing(a=TEXT), [], []),
    "no field": (thing(a=TEXT), thing(), ["x.a is gone"], ["x.a is gone"]),
    "a field inside": (
        thing(a=thing(b=TEXT)),
        thing(a=thing(b=NULL)),
        ["x.a.b: string became null"],
        ["x.a.b: string became null"],
    ),
    "a field that was free": (
        {"type": "object"},
        thing(a=TEXT) | {"additionalProperties": True},
        ["x.a: anything became string"],
        [],
    ),
    "a need": (whole(["a"]), whole(["a", "b"]), ["x.b is needed now"], []),
    "no need": (whole(["a", "b"]), whole(["b"]), [], ["x.a may be missing now"]),
    "no further fields": ({"type": "object"}, thing(), ["x has no further fields any more"], []),
    "further fields": (thing(), {"type": "object"}, [], []),
    "a map's values": (
        {"type": "object", "additionalProperties": TEXT},
        {"type": "object", "additionalProperties": NULL},
        ["x.*: string became null"],
        ["x.*: string became null"],
    ),
    "no map": (
        {"type": "object", "additionalProperties": TEXT},
        thing(),
        ["x has no further fields any more"],
        ["x has no further fields any more"],
    ),
    "items": (
        {"type": "array", "items": TEXT},
        {"type": "array", "items": any_of(TEXT, NULL)},
        [],
        ["x[]: string became null or string"],
    ),
    "any items": (
        {"type": "array", "items": TEXT},
        {"type": "array"},
        [],
        ["x[]: string became anything"],
    ),
    "a value": ({"enum": ["a"]}, {"enum": ["a", "b"]}, [], []),
    "no value": (
        {"enum": ["a", "b"]},
        {"enum": ["a"]},
        ["x: b is not taken any more"],
        ["x: b is not said any more"],
    ),
    "another value": (
        {"const": "a"},
        {"const": "b"},
        ["x: a is not taken any more"],
        ["x: a is not said any more"],
    ),
    "listed values": (TEXT, {"enum": ["a", "b"]}, ["x: only a, b now"], []),
    "values not listed": ({"enum": ["a"]}, TEXT, [], ["x: not only a now"]),
    "a pattern": (TEXT, TEXT | {"pattern": "a"}, ["x: another pattern"], []),
    "no pattern": (TEXT | {"pattern": "a"}, TEXT, [], ["x: another pattern"]),
    "another pattern": (
        TEXT | {"pattern": "a"},
        TEXT | {"pattern": "b"},
        ["x: another pattern"],
        ["x: another pattern"],
    ),
    "another format": (
        TEXT | {"format": "date"},
        TEXT | {"format": "time"},
        ["x: another format"],
        ["x: another format"],
    ),
    "a smaller maximum": (
        WHOLE | {"maximum": 9},
        WHOLE | {"maximum": 5},
        ["x: maximum is 5 now"],
        [],
    ),
    "a greater maximum": (
        WHOLE | {"maximum": 5},
        WHOLE | {"maximum": 9},
        [],
        ["x: maximum is 9 now"],
    ),
    "no maximum": (WHOLE | {"maximum": 5}, WHOLE, [], ["x: maximum is gone"]),
    "a minimum": (WHOLE, WHOLE | {"minimum": 0}, ["x: minimum is 0 now"], []),
    "a length that there always is": (TEXT, TEXT | {"minLength": 0}, [], []),
    "another default": (
        WHOLE | {"default": 1},
        WHOLE | {"default": 2},
        ["x: the default is not 1 any more"],
        [],
    ),
    "no default": (WHOLE | {"default": 1}, WHOLE, ["x: the default is not 1 any more"], []),
    "a default": (WHOLE, WHOLE | {"default": 1}, [], []),
    "a default in place of null": (
        {"default": None},
        {"default": 1},
        ["x: the default is 1 now"],
        [],
    ),
    "a default beside": (
        A | {"default": 1},
        A | {"default": 2},
        ["x: the default is not 1 any more"],
        [],
    ),
    "a default of one that may be null": (
        WHOLE | {"default": 1},
        any_of(WHOLE, NULL) | {"default": 1},
        [],
        ["x: integer became integer or null"],
    ),
    "a value less": (
        {"not": {"enum": ["a"]}},
        {"not": {"enum": ["a", "b"]}},
        ["x: b is not taken any more"],
        [],
    ),
    "another not": ({"not": {"enum": ["a"]}}, {"not": TEXT}, ["x: another not"], []),
    "a value more": ({"not": {"enum": ["a", "b"]}}, {"not": {"enum": ["a"]}}, [], []),
    "an alternative": (any_of(A), any_of(A, B), [], []),
    "no alternative": (any_of(A, B, TEXT), any_of(A, TEXT), ["x: B is gone"], ["x: B is gone"]),
    "a name in place of what it says": (NAMED["A"], A, [], []),
    "an alternative that needs more": (
        {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"type": "object", "oneOf": [{"required": ["a", "b"]}, {"required": ["b"]}]},
        ["x<a>.b is needed now"],
        [],
    ),
    "an alternative of fields less": (
        thing(a=TEXT) | {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        thing(a=TEXT) | {"oneOf": [{"required": ["a"]}]},
        ["x: b is gone"],
        ["x: b is gone"],
    ),
    "alternatives of fields": (
        thing(a=TEXT),
        thing(a=TEXT) | {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        ["x: only a or b now"],
        [],
    ),
    "what is not understood": ({"if": {}}, {"if": TEXT}, ["x: another if"], ["x: another if"]),
    "words": (TEXT | {"title": "A", "x-a": 1}, TEXT | {"description": "B"}, [], []),
}


def compared(old: Schema, new: Schema, *, taken: bool, named: Schema = NAMED) -> list[str]:
    documents = ({"components": {"schemas": each}} for each in (NAMED, named))
    return list(Schemas(*documents).compare(old, new, "x", taken=taken))


@pytest.mark.parametrize("change", list(ROWS))
def test_of_what_is_taken(change: str) -> None:
    old, new, told, _ = ROWS[change]
    assert compared(old, new, taken=True) == told


@pytest.mark.parametrize("change", list(ROWS))
def test_of_what_is_said(change: str) -> None:
    old, new, _, told = ROWS[change]
    assert compared(old, new, taken=False) == told


def test_a_named_schema_is_told_once_by_its_name() -> None:
    named = NAMED | {"A": thing(a=NULL) | {"required": ["a"]}}
    several = thing(one=A, two=B, three={"type": "array", "items": A})
    told = ["A.a: string became null"]
    assert compared(several, several, taken=False, named=named) == told


def test_a_schema_may_hold_itself() -> None:
    named = {"A": {"type": "object", "properties": {"a": A, "b": {"allOf": [A]}}}}
    document = {"components": {"schemas": named}}
    assert list(Schemas(document, document).compare(A, A, "x", taken=True)) == []


LIMITS = st.integers(0, 3)
PLAIN: list[st.SearchStrategy[Schema]] = [
    st.sampled_from([{}, NULL, {"type": "boolean"}, A, B]),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number", ["integer", "null"]])},
        optional={"minimum": LIMITS, "maximum": LIMITS},
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={"minLength": LIMITS, "maxLength": LIMITS, "pattern": st.sampled_from("ab")},
    ),
]
LISTED: list[st.SearchStrategy[Schema]] = [
    st.fixed_dictionaries({"enum": st.lists(st.sampled_from(["a", "b", 1, None]), min_size=1)}),
    st.fixed_dictionaries({"const": st.sampled_from(["a", 1])}),
    st.just({"not": {"enum": ["a"]}}),
]


def larger(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("object")},
            optional={
                "properties": st.dictionaries(st.sampled_from("ab"), inner),
                "required": st.lists(st.sampled_from("ab"), unique=True),
                "additionalProperties": st.booleans() | inner,
            },
        ),
        st.fixed_dictionaries(
            {"type": st.just("array")},
            optional={"items": inner, "minItems": LIMITS, "maxItems": LIMITS},
        ),
        st.builds(lambda several: {"allOf": several}, st.lists(inner, min_size=1, max_size=2)),
    )


def larger_or_any(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    several = st.lists(inner, min_size=1, max_size=3)
    return larger(inner) | st.builds(lambda several: {"anyOf": several}, several)


TAKEN = st.recursive(st.one_of(*PLAIN, *LISTED), larger_or_any, max_leaves=6)
SAID = st.recursive(st.one_of(*PLAIN), larger, max_leaves=6)
"""Without values and alternatives, of which the hub may say more."""
VALUES = st.recursive(
    st.sampled_from(["a", "b", "ab", "", 0, 1, 3, 1.5, None, True]),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner, max_size=2), st.lists(inner, max_size=2)
    ),
    max_leaves=4,
)


def fits(schema: Schema, value: Any) -> bool:
    document = {"allOf": [schema], "components": {"schemas": NAMED}}
    return jsonschema_rs.Draft202012Validator(document).is_valid(value)


def opened(schema: Any) -> Any:
    """As it is for clients, who pass by the fields that they do not know."""
    if isinstance(schema, list):
        return [opened(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: opened(value) for key, value in schema.items()}
    return {k: v for k, v in found.items() if (k, v) != ("additionalProperties", False)}


@settings(deadline=None, max_examples=500)
@given(TAKEN, TAKEN, VALUES)
def test_what_was_taken_is_taken_or_it_is_told(old: Schema, new: Schema, value: Any) -> None:
    if fits(old, value) and not fits(new, value):
        assert compared(old, new, taken=True) != []


@settings(deadline=None, max_examples=500)
@given(SAID, SAID, VALUES)
def test_what_is_said_was_said_or_it_is_told(old: Schema, new: Schema, value: Any) -> None:
    if fits(new, value) and not fits(opened(old), value):
        assert compared(old, new, taken=False) != []


@settings(deadline=None)
@given(TAKEN)
def test_a_schema_does_not_break_itself(schema: Schema) -> None:
    assert compared(schema, schema, taken=True) == []
    assert compared(schema, schema, taken=False) == []
