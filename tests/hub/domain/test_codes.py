"""The catalogue against section 7 of the contract, row by row."""

from __future__ import annotations

import pytest

from hub.domain import codes

# code, HTTP status, WebSocket close code, whether to come back
CONTRACT: list[tuple[str, int | None, int | None, bool | None]] = [
    ("UNAUTHENTICATED", 401, 4501, False),
    ("TOKEN_EXPIRED", 401, 4101, True),
    ("INSUFFICIENT_PERMISSIONS", 403, 4503, False),
    ("JOB_NOT_FOUND", 404, 4504, False),
    ("TOO_MANY_CONNECTIONS", 429, 4102, True),
    ("RATE_LIMITED", 429, 4103, True),
    ("INVALID_REQUEST", 400, 4505, False),
    ("PAYLOAD_TOO_LARGE", 413, 1009, False),
    ("IDLE_TIMEOUT", None, 4104, True),
    ("SLOW_CONSUMER", None, 4105, True),
    ("KICKED", 403, 4506, False),
    ("BANNED", 403, 4507, None),  # "not before retryAfter": up to the answer
    ("DRAINING", 503, 1012, True),
    ("UNAVAILABLE", 503, 1013, True),
    ("UNKNOWN_COMMAND", 400, None, None),
    ("UNSUPPORTED_VERSION", 400, None, None),
    ("CONFLICT", 409, None, None),
    ("INTERNAL", 500, None, None),
]


@pytest.mark.parametrize(("name", "http", "ws", "retry"), CONTRACT)
def test_a_code_of_the_contract(
    name: str, http: int | None, ws: int | None, retry: bool | None
) -> None:
    code = codes.CATALOGUE[name]
    assert code.ws == ws
    assert http is None or code.http == http
    assert retry is None or code.retry is retry


def test_names_are_unambiguous_and_messages_are_there() -> None:
    listed = list(codes.CATALOGUE.values())
    closing = [code.ws for code in listed if code.ws is not None]
    assert len(set(closing)) == len(closing)
    assert all(getattr(codes, code.name) is code for code in listed)
    assert all(code.message for code in listed)


def test_what_a_code_beyond_the_contract_would_close_with() -> None:
    """The hub may answer more (an unknown address), but never close a connection with it."""
    more = codes.CATALOGUE.keys() - {name for name, *_ in CONTRACT}
    assert more == {"NOT_FOUND", "METHOD_NOT_ALLOWED"}
    assert all(codes.CATALOGUE[name].ws is None for name in more)


@pytest.mark.parametrize("code", codes.CATALOGUE.values(), ids=lambda code: code.name)
def test_4500_and_above_tells_a_client_to_stay_away(code: codes.Code) -> None:
    if code.ws is not None and code.ws >= 4000:
        assert code.retry is (code.ws < 4500)


def test_an_error_has_only_the_fields_that_apply() -> None:
    bare = codes.HubError(codes.JOB_NOT_FOUND)
    assert bare.as_error() == {
        "code": "JOB_NOT_FOUND",
        "message": codes.JOB_NOT_FOUND.message,
        "retry": False,
    }
    full = codes.HubError(codes.RATE_LIMITED, "slow down", details=[{"a": 1}], retry_after=0.0)
    assert full.as_error() == {
        "code": "RATE_LIMITED",
        "message": "slow down",
        "retry": True,
        "retryAfter": 0.0,
        "details": [{"a": 1}],
    }
    assert str(full) == "slow down"


def test_an_invalid_field_is_named_in_message_and_details() -> None:
    error = codes.invalid("items[3].data.title", "too long")
    assert error.code is codes.INVALID_REQUEST
    assert error.message == "items[3].data.title: too long"
    assert error.details == [{"field": "items[3].data.title", "message": "too long"}]
