"""What nodes tell and ask one another, as JSON on the control channel."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hub.domain.principal import Principal

KICK: Final = "kick"
FIND: Final = "find"
SAY: Final = "say"
VIEWERS: Final = "viewers"
TAILS: Final = "tails"
LOOK: Final = "look"
STEER: Final = "steer"


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
    """End these connections, with a code of the catalogue. ``until``: their users are banned until
    then (Unix seconds), whenever a node carries that out."""

    target: Target
    code: str
    message: str | None = None
    retry_after: float | None = None
    until: float | None = None


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
    """Give these connections an event that no log has. ``users``: those of these users, each with
    the user's own channel in the place of the envelope's; ``channel``: those that follow it. All,
    when neither is given."""

    name: str
    envelope: msgspec.Raw = msgspec.Raw(b"{}")
    channel: str | None = None
    users: list[str] | UnsetType = UNSET


class Viewers(Struct, frozen=True):
    """Name the users who follow a channel."""

    channel: str


class Look(Struct, frozen=True):
    """Say what has changed since ``viewer`` (a node) was answered last. ``seen``: the number of
    that answer, by node; without one, or with another, everything is told."""

    viewer: str
    seen: dict[str, int] = {}


class Handshake(Struct, frozen=True):
    """How a connection began. ``issued``: Unix milliseconds."""

    address: str
    headers: dict[str, str]
    query: dict[str, str]
    issued: int
    time: str
    url: str
    secure: bool = False
    xdomain: bool = False


class Socket(Struct, frozen=True, rename="camel"):
    """A connection, in the terms of the stock Socket.IO admin UI. ``nsp``: its namespace, or the
    name of another door. ``client_id``: tells which are of one client, and nothing more."""

    id: str
    client_id: str
    transport: str
    nsp: str
    data: dict[str, Any]
    handshake: Handshake
    rooms: list[str]


class Server(Struct, frozen=True, rename="camel"):
    """A node, in the same terms."""

    server_id: str
    hostname: str
    pid: int
    uptime: float
    clients_count: int
    polling_clients_count: int
    namespaces: list[dict[str, Any]]


class Changed(Struct, frozen=True):
    """A connection whose rooms or transport are others."""

    id: str
    transport: str
    rooms: list[str]


class Glance(Struct, frozen=True):
    """A node's answer to ``Look``, its ``number``. ``whole``: nothing is there but ``came``."""

    number: int
    whole: bool
    server: Server
    came: list[Socket] = []
    changed: list[Changed] = []
    went: list[str] = []


class Steer(Struct, frozen=True):
    """Make connections of a namespace join or leave ``channel``, or end them when there is none.
    ``only``: one connection's sid, or a channel whose followers are meant; else all."""

    nsp: str
    act: str
    only: str | None = None
    channel: str | None = None


class Steered(Struct, frozen=True):
    """How many connections did, and how many were meant that may not. ``missing``: the nodes that
    did not answer, if there are any."""

    done: int = 0
    refused: int = 0
    missing: list[str] | UnsetType = UNSET


def is_meant(target: Target, principal: Principal, sid: str, channels: Any) -> bool:
    """Whether a connection is one of these."""
    if target.user_id is not None:
        return principal.user_id == target.user_id
    if target.sid is not None:
        return sid == target.sid
    return target.channel is None or target.channel in channels
