"""What nodes tell and ask one another, as JSON on the control channel."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from hub.domain.principal import Principal

KICK: Final = "kick"
FIND: Final = "find"
SAY: Final = "say"
VIEWERS: Final = "viewers"
TAILS: Final = "tails"


class Target(Struct, frozen=True):
    """Which connections are meant: a user's, one, those that follow a job, or all when nothing is
    given. At most one of them is."""

    user_id: str | None = None
    sid: str | None = None
    channel: str | None = None

    def __str__(self) -> str:
        if self.user_id is not None:
            return f"user:{self.user_id}"
        if self.sid is not None:
            return f"sid:{self.sid}"
        return self.channel or "all"


class Kick(Struct, frozen=True):
    """End these connections, with a code of the catalogue."""

    target: Target
    code: str
    message: str | None = None
    retry_after: float | None = None


class Kicked(Struct, frozen=True):
    """How many that were, and whose."""

    connections: int
    users: list[str]


class Find(Struct, frozen=True):
    """List these connections, in the order of their sids, after one of them."""

    target: Target
    after: str
    limit: int


class Found(Struct, frozen=True, rename="camel"):
    """A connection, as in contract section 10."""

    sid: str
    node: str
    door: str
    user_id: str
    address: str
    channels: list[str]
    connected_at: str
    outbox_bytes: int


class Say(Struct, frozen=True):
    """Give these connections an event that no log has. ``envelopes``: by user when there are users,
    else one."""

    name: str
    envelope: msgspec.Raw = msgspec.Raw(b"{}")
    channel: str | None = None
    users: dict[str, msgspec.Raw] = {}


class Viewers(Struct, frozen=True):
    """Name the users who follow a channel."""

    channel: str


def is_meant(target: Target, principal: Principal, sid: str, channels: Any) -> bool:
    """Whether a connection is one of these."""
    if target.user_id is not None:
        return principal.user_id == target.user_id
    if target.sid is not None:
        return sid == target.sid
    return target.channel is None or target.channel in channels
