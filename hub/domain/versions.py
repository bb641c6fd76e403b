"""The versions of the contract that are spoken: the current one and the one before. Each client
says which it wants; one that says nothing gets the oldest, so that a new version breaks nobody who
does not know of it."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final

from msgspec import Struct

from hub.domain import codes, times

AT_MOST: Final = 2
"""Versions at a time."""

DEPRECATED: Final = "VERSION_DEPRECATED"
"""The code of the notice that a version will not be spoken any more."""


class Version(Struct, frozen=True):
    """One of them. ``deprecated``: since when it is, None while it is not; ``sunset``: until when
    it is spoken, if that is known. Both in UTC."""

    number: int
    deprecated: datetime | None = None
    sunset: datetime | None = None

    def notices(self) -> list[dict[str, Any]]:
        """What ``hello.notices`` says of it: ``[{code, message, sunset?}]``."""
        if self.deprecated is None:
            return []
        where = f"docs/migrations/{self.number + 1}.md"
        message = f"version {self.number} of the contract will not be spoken any more: see {where}"
        notice = {"code": DEPRECATED, "message": message}
        return [notice if self.sunset is None else {**notice, "sunset": times.wire(self.sunset)}]

    def headers(self) -> dict[str, str]:
        """What an HTTP answer says of it (RFC 9745 and 8594)."""
        found = {"Hub-Version": str(self.number)}
        if self.deprecated is not None:
            found["Deprecation"] = f"@{int(self.deprecated.timestamp())}"
        if self.sunset is not None:
            found["Sunset"] = format_datetime(self.sunset, usegmt=True)
        return found


class Versions:
    """Those that are spoken, in any order; the highest is the current one."""

    def __init__(self, *spoken: Version) -> None:
        if not 0 < len(spoken) <= AT_MOST:
            raise ValueError(f"a hub speaks one or {AT_MOST} versions")
        self._spoken: Mapping[int, Version] = {each.number: each for each in spoken}
        self.numbers = sorted(self._spoken)

    @property
    def current(self) -> int:
        """The newest."""
        return self.numbers[-1]

    def choose(self, wanted: object) -> Version:
        """The one that a client gets; ``wanted``: what it says, None when it says nothing. Raises
        ``HubError`` UNSUPPORTED_VERSION, which names those that are spoken."""
        if wanted is None:
            return self._spoken[self.numbers[0]]
        if isinstance(wanted, int) and not isinstance(wanted, bool) and wanted in self._spoken:
            return self._spoken[wanted]
        message = f"spoken here: {', '.join(map(str, self.numbers))}"
        details = [{"field": "v", "message": message, "supported": self.numbers}]
        raise codes.HubError(codes.UNSUPPORTED_VERSION, details=details)


SPOKEN: Final = Versions(Version(1))
"""What this hub speaks."""

CURRENT: Final = SPOKEN.current
"""The version of what is stored, and made once for all."""
