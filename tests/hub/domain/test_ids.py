from __future__ import annotations

import threading
import time
from uuid import UUID, uuid5

import pytest
from hypothesis import given

from hub.domain import ids
from tests.hub.domain import samples


def test_uuid7_rises_in_the_order_of_minting() -> None:
    minted = [ids.uuid7() for _ in range(20_000)]
    assert minted == sorted(set(minted))


def test_uuid7_of_many_threads_are_distinct_and_rise_in_each() -> None:
    minted: dict[int, list[str]] = {}

    def mint(thread: int) -> None:
        minted[thread] = [ids.uuid7() for _ in range(2000)]

    threads = [threading.Thread(target=mint, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in minted.values())
    assert len({each for mine in minted.values() for each in mine}) == 8000


def test_uuid7_has_version_variant_and_time_of_rfc_9562() -> None:
    before = time.time_ns() // 1_000_000
    minted = UUID(ids.uuid7())
    assert (minted.version, minted.variant) == (7, "specified in RFC 4122")
    assert before <= (minted.int >> 80) <= time.time_ns() // 1_000_000 + 1
    assert ids.is_uuid(str(minted))


def test_uuid7_keeps_rising_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    mint = ids._Uuid7()
    first = mint()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    assert mint() > first


def test_a_derived_id_is_repeatable_and_differs_by_origin_and_channel() -> None:
    one, two = str(samples.uuid(1)), str(samples.uuid(2))
    assert ids.derived_id(one, "user:u1") == ids.derived_id(one, "user:u1")
    assert ids.derived_id(one, "user:u1") == str(uuid5(UUID(one), "user:u1"))
    different = {ids.derived_id(origin, ch) for origin in (one, two) for ch in ("user:u1", "all")}
    assert len(different) == 4


@pytest.mark.parametrize("good", ["a", "0", "a" * 128, "u-1", "A.b_c:d@e|f+g=h", "1:2"])
def test_ids_that_users_may_bring(good: str) -> None:
    assert ids.is_user_id(good)


@pytest.mark.parametrize(
    "bad", ["", "a" * 129, "-a", ".a", ":a", "_a", "a b", "a\n", "é", "a/b", "a*", "a\0", "٣"]
)
def test_ids_that_users_may_not_bring(bad: str) -> None:
    assert not ids.is_user_id(bad)


@given(samples.user_ids)
def test_every_combination_of_the_allowed_characters_is_an_id(name: str) -> None:
    assert ids.is_user_id(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0197",
        "0197f0c0-0000-7000-8000-00000000000G",
        "0197F0C0-0000-7000-8000-000000000000",
        "0197f0c0-0000-7000-8000-000000000000\n",
        "0197f0c0000070008000000000000000",
    ],
)
def test_only_canonical_uuids_are_uuids(text: str) -> None:
    assert not ids.is_uuid(text)
