"""The namespace ``/`` of contract section 4: connecting, ``hello``, and dispatching commands."""

import asyncio
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from hub.delivery.message import Message, Reset
from hub.domain import channels, codes, times
from hub.domain.events import Position
from hub.domain.principal import Principal
from hub.domain.shapes import parse
from hub.gateways.sio.commands import RESERVED, Since, position_of
from hub.gateways.sio.connection import Command, Connection, position_fields
from hub.gateways.sio.server import Client
from hub.services.authenticate import Authenticator
from hub.services.channels import Channels, required_channel
from hub.services.following import Joined, Mode

PROTOCOL_VERSION = 1
_CHANNELS_AT_CONNECT = 50
_REPLAYED_AT_MOST = 8 * 1024 * 1024  # bytes; of channels beyond it the client gets a reset


class Auth(Struct, frozen=True):
    """What a client sends with CONNECT; what is not named here is the application's own."""

    token: str | None = None
    channels: dict[str, Since] = {}


class HubNamespace:
    """Serves ``/``."""

    def __init__(
        self, authenticator: Authenticator, channels: Channels, commands: Mapping[str, Command]
    ) -> None:
        self._authenticator = authenticator
        self._channels = channels
        self._summary = channels.summary
        self._commands = dict(commands)

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        """Authenticates, authorizes and joins the channels; nothing is sent before CONNECT."""
        given = parse(Auth, auth or {})
        principal = await self._authenticator.verify(given.token or _bearer(client.environ))
        wanted = _wanted(principal, given)
        client.state = connection = Connection(client, principal, self._summary)
        connection.channels = dict.fromkeys(wanted, 0)
        joins = [self._join(connection, name, since) for name, since in wanted.items()]
        results = await asyncio.gather(*joins, return_exceptions=True)
        failures = [each for each in results if isinstance(each, BaseException)]
        if failures or client.socket.closed:
            self._leave_all(connection)
            raise failures[0] if failures else codes.HubError(codes.UNAVAILABLE)
        connection.joined = [each for each in results if isinstance(each, Joined)]
        return {}

    async def connected(self, client: Client) -> None:
        """Sends ``hello`` and what was missed; from then on the client is live."""
        connection: Connection = client.state
        joined, connection.joined = connection.joined, []
        for each in _beyond(joined, _REPLAYED_AT_MOST):
            each.mode, each.events = Mode.RESET, []
        missed = [message for one in joined for message in _missed(one)]
        connection.greet(_hello(connection, joined), missed)

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        """Runs one command of the table."""
        connection: Connection = client.state

        def answer(reply: dict[str, Any]) -> None:
            if ack_id is not None:
                client.acknowledge(ack_id, reply)

        try:
            command = self._find(name)
            if len(args) > 1:
                raise codes.invalid("payload", "a command has one payload")
            await command(connection, args[0] if args else {}, answer)
        finally:
            if client.socket.closed:  # it went while the command ran, which may have joined
                self._leave_all(connection)

    async def disconnected(self, client: Client, reason: str) -> None:
        """Forgets the client; costs what it had joined."""
        connection: Connection = client.state
        self._leave_all(connection)

    def _find(self, name: Any) -> Command:
        if not isinstance(name, str) or name in RESERVED:
            raise codes.invalid("event", "is reserved by Socket.IO")
        command = self._commands.get(name)
        if command is None:
            raise codes.HubError(codes.UNKNOWN_COMMAND, f"there is no command {name[:64]!r}")
        return command

    async def _join(self, connection: Connection, name: str, since: Position | None) -> Joined:
        handed: list[Joined] = []
        channel = required_channel(name)
        await self._channels.subscribe(
            connection.principal, connection, channel, since, handed.append
        )
        return handed[0]

    def _leave_all(self, connection: Connection) -> None:
        for name in connection.channels:
            self._channels.unsubscribe(connection, name)


def _bearer(environ: Mapping[str, Any]) -> str | None:
    scheme, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _wanted(principal: Principal, given: Auth) -> dict[str, Position | None]:
    """The channels of a connection, in order: the own one, ``all``, and those it resumes."""
    own: dict[str, Position | None] = {
        channels.user_channel(principal.user_id): None,
        channels.ALL: None,
    }
    if len(given.channels) > _CHANNELS_AT_CONNECT:
        raise codes.invalid("channels", f"at most {_CHANNELS_AT_CONNECT}")
    return own | {name: position_of(since) for name, since in given.channels.items()}


def _hello(connection: Connection, joined: list[Joined]) -> dict[str, Any]:
    positions = []
    for each in joined:
        start = each.start
        connection.follows(each.channel, start.offset)
        positions.append(position_fields(each.channel, start))
    own = joined[0]
    return {
        "v": PROTOCOL_VERSION,
        "sid": connection.client.sid,
        "userId": connection.principal.user_id,
        "serverTime": times.wire(times.now()),
        "recovered": False,
        "unread": {"count": own.unread, "version": own.position.offset},
        "channels": positions,
        "notices": [],
    }


def _beyond(joined: list[Joined], limit: int) -> list[Joined]:
    """The channels whose missed events do not fit into ``limit`` bytes any more, the first ones
    counted first."""
    found = []
    for each in joined:
        size = sum(len(event.envelope) for event in each.events)
        if size > limit:
            found.append(each)
        else:
            limit -= size
    return found


def _missed(joined: Joined) -> list[Message | Reset]:
    """What follows ``hello`` on one channel."""
    epoch = joined.position.epoch
    if joined.mode is Mode.RESET:
        return [Reset(joined.channel, epoch, joined.position.offset, joined.snapshot)]
    return [Message(joined.channel, epoch, event) for event in joined.events]
