"""The commands of the namespace ``/``: one table, and no other way to a handler (contract 4)."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from hub import metrics
from hub.domain import codes
from hub.domain.events import Position, position_told
from hub.domain.shapes import parse
from hub.gateways.sio.answers import Answer, ok, position_fields
from hub.gateways.sio.connection import Command, Connection
from hub.services.channels import Channels, required_channel
from hub.services.following import Joined

SUBSCRIPTIONS_AT_MOST: Final = 100
"""Channels that one connection follows, those that its user has anyway included."""

_SNAPSHOT: Final = 2048  # bytes of a job's snapshot, and of what else an answer has, about

_ChannelName = Annotated[str, Meta(max_length=140)]
_Epoch = Annotated[str, Meta(max_length=32)]
_Offset = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]


class Subscribe(Struct, frozen=True, forbid_unknown_fields=True):
    """Payload of ``subscribe``. ``offset`` 0 needs no epoch: it asks for the log from its start."""

    channel: _ChannelName
    epoch: _Epoch | UnsetType | None = UNSET
    offset: _Offset | UnsetType | None = UNSET


class Unsubscribe(Struct, frozen=True, forbid_unknown_fields=True):
    """Payload of ``unsubscribe``."""

    channel: _ChannelName


class Since(Struct, frozen=True, forbid_unknown_fields=True):
    """A position that a client says it has."""

    epoch: _Epoch | UnsetType | None = UNSET
    offset: _Offset | UnsetType | None = UNSET


class ChannelCommands:
    """Following channels."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def subscribe(self, connection: Connection, raw: Any, answer: Answer) -> None:
        """Follows a channel from where the client stands; the answer goes out in the same turn in
        which the channel goes live, so no event can get ahead of it."""
        wanted = parse(Subscribe, raw)
        channel = required_channel(wanted.channel)
        since = position_of(wanted)
        make_room(connection, wanted.channel)
        await connection.session.unsettle()
        known = _is_known(connection, wanted.channel, since)

        def hand_over(joined: Joined) -> None:
            connection.lags_no_more(joined.channel)
            connection.promised += (joined.channel,)
            answer.in_turn(_size(joined), lambda: _follows(connection, joined, known=known))

        try:
            await self._channels.subscribe(
                connection.principal, connection, channel, since, hand_over
            )
        except BaseException:
            if wanted.channel in (*connection.channels, *connection.promised):
                connection.forget(wanted.channel)  # and stays unsettled: it lost what it had
            else:
                connection.session.settle()
            raise

    async def unsubscribe(self, connection: Connection, raw: Any, answer: Answer) -> None:
        """Stops following; harmless when the client does not follow."""
        wanted = parse(Unsubscribe, raw)
        required_channel(wanted.channel)
        await connection.session.unsettle()
        self._channels.unsubscribe(connection, wanted.channel)
        connection.lags_no_more(wanted.channel)
        connection.session.restored.pop(wanted.channel, None)
        answer.in_turn(0, lambda: _follows_no_more(connection, wanted.channel))

    def table(self) -> dict[str, Command]:
        """The commands by name."""
        return {"subscribe": self.subscribe, "unsubscribe": self.unsubscribe}


def make_room(connection: Connection, channel: str) -> None:
    """Raises CONFLICT when the connection follows as many channels as one may."""
    held = {*connection.channels, *connection.promised}
    if channel not in held and len(held) >= SUBSCRIPTIONS_AT_MOST:
        metrics.LIMITED.add(1, "subscriptions")
        most = f"a connection follows at most {SUBSCRIPTIONS_AT_MOST} channels"
        raise codes.HubError(codes.CONFLICT, most)


def _is_known(connection: Connection, channel: str, since: Position | None) -> bool:
    """Whether what the client lacks since there is on its way to it already, because the channel
    was recovered with its connection: a client that subscribes whenever it connects asks for it
    once more, before it has seen any of that."""
    restored = connection.session.restored.pop(channel, None)
    return (
        restored is not None
        and since is not None
        and since.epoch == restored.epoch
        and since.offset >= restored.offset
    )


def _follows(connection: Connection, joined: Joined, *, known: bool) -> dict[str, Any]:
    """The answer that tells the client that it follows a channel, which from now on counts."""
    if known:
        sent = connection.channels.get(joined.channel, 0)
        joined.events = [event for event in joined.events if event.offset > sent]
    promised = list(connection.promised)
    promised.remove(joined.channel)
    connection.promised = tuple(promised)
    connection.follows(joined.channel, joined.position)
    connection.session.settle()
    return ok(_joined(joined))


def _follows_no_more(connection: Connection, channel: str) -> dict[str, Any]:
    """The answer that tells the client that it does not follow a channel."""
    connection.forget(channel)
    connection.session.settle()
    return ok({})


def _size(joined: Joined) -> int:
    return sum(len(event.envelope) for event in joined.events) + _SNAPSHOT


def position_of(given: Subscribe | Since) -> Position | None:
    """The position a client gave, None when it gave none."""
    epoch = given.epoch if isinstance(given.epoch, str) else None
    offset = given.offset if isinstance(given.offset, int) else None
    return position_told(epoch, offset)


def _joined(joined: Joined) -> dict[str, Any]:
    fields: dict[str, Any] = {
        **position_fields(joined.channel, joined.position),
        "mode": joined.mode,
        "events": [msgspec.Raw(event.envelope) for event in joined.events],
    }
    if joined.snapshot is not None:
        fields["snapshot"] = joined.snapshot
    return fields


RESERVED: Final = frozenset({"connect", "connect_error", "disconnect", "disconnecting"})
"""Event names that Socket.IO keeps for itself; a client that sends one gets an error."""
