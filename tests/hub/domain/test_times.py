from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain import times


@given(st.integers(0, 4_102_444_800_000))
def test_milliseconds_survive_the_way_there_and_back(ms: int) -> None:
    at = times.from_ms(ms)
    assert times.to_ms(at) == ms
    assert times.parse_instant(times.wire(at)) == at


def test_wire_is_utc_with_exactly_three_decimals() -> None:
    east = timezone(timedelta(hours=3))
    assert times.wire(datetime(2026, 1, 28, 13, 15, 30, tzinfo=east)) == "2026-01-28T10:15:30.000Z"
    late = datetime(2026, 1, 28, 10, 15, 30, 123_999, tzinfo=UTC)
    assert times.wire(late) == "2026-01-28T10:15:30.123Z"
    assert times.wire_or_none(None) is None
    assert times.wire_or_none(late) == times.wire(late)


def test_the_year_has_four_digits_on_the_wire() -> None:
    assert times.wire(datetime(999, 1, 2, tzinfo=UTC)) == "0999-01-02T00:00:00.000Z"


def test_now_has_whole_milliseconds_and_a_zone() -> None:
    now = times.now()
    assert now.microsecond % 1000 == 0
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-28T10:15:30Z", datetime(2026, 1, 28, 10, 15, 30, tzinfo=UTC)),
        ("2026-01-28T10:15:30.123Z", datetime(2026, 1, 28, 10, 15, 30, 123_000, tzinfo=UTC)),
        ("2026-01-28T13:15:30+03:00", datetime(2026, 1, 28, 10, 15, 30, tzinfo=UTC)),
        ("2026-01-28t10:15:30.1z", datetime(2026, 1, 28, 10, 15, 30, 100_000, tzinfo=UTC)),
        (
            "2026-01-28T10:15:30.123456789-00:00",
            datetime(2026, 1, 28, 10, 15, 30, 123_456, tzinfo=UTC),
        ),
        ("2026-01-28T10:15:30", None),
        ("2026-01-28T10:15:30Z\0", None),
        ("2026-01-28T10:15:30Z\n", None),
        ("2026-01-28T10:15:30+24:00", None),
        ("2026-01-28T24:00:00Z", None),
        ("2026-01-28 10:15:30Z", None),
        ("2026-01-28", None),
        ("2026-W01-1", None),
        ("20260101T000000Z", None),
        ("\N{FULLWIDTH DIGIT TWO}026-01-28T10:15:30Z", None),
        ("", None),
        ("now", None),
        ("10:15", None),
        ("2026-13-01T00:00:00Z", None),
        ("2026-01-28T25:00:00Z", None),
    ],
)
def test_instants(text: str, instant: datetime | None) -> None:
    assert times.parse_instant(text) == instant


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_an_instant_beyond_the_calendar_in_utc_is_none(text: str) -> None:
    assert times.parse_instant(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "PT0S"),
        (0.4, "PT0S"),
        (1, "PT1S"),
        (59.6, "PT1M"),
        (60, "PT1M"),
        (330, "PT5M30S"),
        (420, "PT7M"),
        (3600, "PT1H"),
        (3601, "PT1H1S"),
        (3660, "PT1H1M"),
        (90_061, "PT25H1M1S"),
        (-5, "PT0S"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert times.iso_duration(timedelta(seconds=seconds)) == text
