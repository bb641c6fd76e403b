"""Who asks, and whether the hub deals with them: one question for every door (contract 2 and 9)."""

from hub.domain.principal import Principal
from hub.services.authenticate import Authenticator
from hub.services.guests import Guests


class Identity:
    """A good token of somebody who is neither banned nor had it revoked."""

    def __init__(self, authenticator: Authenticator, guests: Guests) -> None:
        self._authenticator = authenticator
        self._guests = guests

    async def verify(self, token: object) -> Principal:
        """As ``Authenticator.verify``; raises ``HubError`` BANNED, too."""
        who = await self._authenticator.verify(token)
        await self._guests.check(who)
        return who
