"""Instants and durations in the forms the wire uses: ``2026-01-28T10:15:30.123Z``, ``PT7M``."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def from_ms(ms: int) -> datetime:
    """The instant ``ms`` milliseconds after the Unix epoch, exact (no float in between)."""
    return _EPOCH + ms * _MS


def to_ms(at: datetime) -> int:
    """Whole milliseconds from the Unix epoch to ``at``."""
    return (at - _EPOCH) // _MS


def now() -> datetime:
    """The current instant, cut to the milliseconds that the wire and MongoDB keep."""
    return from_ms(to_ms(datetime.now(UTC)))


def wire(at: datetime) -> str:
    """``at`` as ISO 8601 UTC with milliseconds."""
    at = at.astimezone(UTC)
    return f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def wire_or_none(at: datetime | None) -> str | None:
    """``wire`` for an instant that may be unknown."""
    return None if at is None else wire(at)


def parse_instant(text: str) -> datetime | None:
    """The instant that a text of RFC 3339 names, with its zone; None for any other text."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def iso_duration(length: timedelta) -> str:
    """``length`` as ISO 8601, in whole seconds: ``PT5M30S``, ``PT1H``, ``PT0S``."""
    seconds = max(0, round(length.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{hours}H" if hours else "", f"{minutes}M" if minutes else ""]
    if seconds or not (hours or minutes):
        parts.append(f"{seconds}S")
    return "PT" + "".join(parts)
