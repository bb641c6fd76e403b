"""``auth:refresh``: the same user goes on with another token (contract section 2)."""

from typing import Any

from msgspec import Struct

from hub.domain import codes, times
from hub.domain.shapes import parse
from hub.gateways.sio.answers import Answer, ok
from hub.gateways.sio.connection import Command, Connection
from hub.services.channels import Channels
from hub.services.guests import Guests
from hub.services.identity import Identity


class Refresh(Struct, frozen=True, forbid_unknown_fields=True):
    """Payload of ``auth:refresh``."""

    token: str


class IdentityCommands:
    """Who the connection is of."""

    def __init__(self, identity: Identity, guests: Guests, channels: Channels) -> None:
        self._identity = identity
        self._guests = guests
        self._channels = channels

    async def refresh(self, connection: Connection, raw: Any, answer: Answer) -> None:
        """Takes the new token's claims from now on: it leaves the channels that they do not allow,
        and names them in ``left``. When this raises, all is as it was."""
        who = await self._identity.verify(parse(Refresh, raw).token)
        if who.user_id != connection.principal.user_id:
            message = "the token is another user's"
            raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS, message)
        names = dict.fromkeys((*connection.channels, *connection.promised))
        lost = await self._channels.unreadable(who, names)
        if lost:
            await connection.session.unsettle()
        connection.principal = who
        self._guests.renew(connection.stay, who)
        for name in lost:
            self._channels.unsubscribe(connection, name)
            connection.lags_no_more(name)
            connection.session.restored.pop(name, None)
        answer.in_turn(0, lambda: _refreshed(connection, lost))

    def table(self) -> dict[str, Command]:
        """The commands by name."""
        return {"auth:refresh": self.refresh}


def _refreshed(connection: Connection, lost: list[str]) -> dict[str, Any]:
    for name in lost:
        connection.forget(name)
    if lost:
        connection.session.settle()
    answer: dict[str, Any] = {"expiresAt": times.wire(connection.principal.expires_at)}
    return ok(answer | {"left": lost} if lost else answer)
