"""Who asks, and whether the hub deals with them: one question for every door (contract 2 and 9)."""

from hub.domain import codes
from hub.domain.principal import Principal
from hub.services.authenticate import Authenticator
from hub.services.guests import Guests
from hub.services.limits import Limits


class Identity:
    """A good token of somebody who is neither banned nor had it revoked."""

    def __init__(self, authenticator: Authenticator, guests: Guests, limits: Limits) -> None:
        self._authenticator = authenticator
        self._guests = guests
        self._limits = limits

    async def verify(self, token: object) -> Principal:
        """As ``Authenticator.verify``; raises ``HubError`` BANNED, too."""
        who = await self._authenticator.verify(token)
        await self._guests.check(who)
        return who

    async def verify_request(self, token: object, site: str) -> Principal:
        """As ``verify``, for one HTTP request, which is counted: for its user, or, without a good
        token, for where it comes from. Raises ``HubError`` RATE_LIMITED, too."""
        try:
            who = await self.verify(token)
        except codes.HubError as error:
            if error.code is codes.UNAUTHENTICATED:
                self._limits.note("requests", f"address:{site}")
            raise
        self._limits.note("requests", f"user:{who.user_id}")
        return who
