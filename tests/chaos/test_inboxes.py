"""The last look at the inboxes sees a device that shows something else, and an audit that is not
clean or says nothing."""

from __future__ import annotations

import pytest

from tests.chaos.inboxes import audited, different

RIGHT = {"count": 3, "version": 7}


def test_devices_that_show_what_is_right() -> None:
    assert different(["u1", "u1"], [RIGHT, RIGHT], [RIGHT, RIGHT]) == []


@pytest.mark.parametrize(
    "shown", [None, {"count": 4, "version": 7}, {"count": 3, "version": 6}, {"count": 3}]
)
def test_a_device_that_shows_something_else(shown: dict[str, int] | None) -> None:
    (problem,) = different(["u1", "u2"], [RIGHT, shown], [RIGHT, RIGHT])
    assert problem.startswith("client 1 of u2 shows")


def test_a_clean_audit() -> None:
    assert audited("3 users, 10 unread, 0 drifts\n", 0) == []


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("u1: counted 3, stored 2\n3 users, 10 unread, 1 drifts\n", 1),
        ("3 users, 0 unread, 0 drifts\n", 0),
        ("3 users, 10 unread, 10 drifts\n", 0),
        ("3 users, 10 unread, 0 drifts\n", 1),
        ("MongoDB: nobody there\n", 1),
        ("", 0),
    ],
)
def test_an_audit_that_is_not(said: str, status: int) -> None:
    (problem,) = audited(said, status)
    assert problem.startswith(f"audit-unread ended with {status}")
