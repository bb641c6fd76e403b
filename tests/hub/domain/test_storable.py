from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from hub.domain import storable
from hub.domain.codes import INVALID_REQUEST, HubError
from tests.hub.domain import samples


def nested(levels: int) -> dict[str, Any]:
    """An object with this many levels, itself included."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@given(samples.json_objects)
def test_ordinary_json_is_storable(value: dict[str, Any]) -> None:
    storable.check(value, "data")


@pytest.mark.parametrize(
    "value",
    [
        {"a": (1 << 63) - 1, "b": -(1 << 63)},
        {"$set": 1, "a.b": 2, "": 3},
        {"text": "with a \0 inside"},
        {"a": True},
        nested(32),
    ],
    ids=["extreme integers", "keys", "NUL in a text", "boolean", "32 levels"],
)
def test_what_is_just_storable(value: dict[str, Any]) -> None:
    storable.check(value, "data")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"a": {"b": [0, 1 << 63]}}, "data.a.b[1]"),
        ({"a": -(1 << 63) - 1}, "data.a"),
        ({"a": {"x\0": 1}}, "data.a"),
        ({"\0": 1}, "data"),
        (nested(33), "data" + ".a" * 32),
        ({"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}, None),
    ],
    ids=["big", "small", "NUL in a key", "NUL key", "33 levels", "lists nest, too"],
)
def test_what_no_store_could_keep_is_named(value: dict[str, Any], field: str | None) -> None:
    with pytest.raises(HubError) as caught:
        storable.check(value, "data")
    assert caught.value.code is INVALID_REQUEST
    assert caught.value.details
    assert field is None or caught.value.details[0]["field"] == field


def test_size_is_counted_in_bytes_of_json() -> None:
    exact = {"a": "é" * 4}  # {"a":"…"} is 8 bytes and 2 for each é
    storable.check(exact, "data", max_bytes=16)
    with pytest.raises(HubError, match="at most 15 bytes, not 16"):
        storable.check(exact, "data", max_bytes=15)
