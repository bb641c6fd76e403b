"""Which channels a principal may follow, and following them."""

from collections.abc import Callable

from hub.delivery.feed import Subscriber
from hub.delivery.message import Reset
from hub.domain import codes
from hub.domain.channels import Channel, Kind, parse_channel
from hub.domain.events import Position
from hub.domain.principal import Principal
from hub.services.following import Following, Joined
from hub.services.jobs import Jobs


class Channels:
    """Authorization in front of ``Following``: nothing is joined that was not permitted."""

    def __init__(self, jobs: Jobs, following: Following) -> None:
        self._jobs = jobs
        self._following = following

    async def subscribe(
        self,
        who: Principal,
        subscriber: Subscriber,
        channel: Channel,
        since: Position | None,
        hand_over: Callable[[Joined], None],
    ) -> None:
        """As ``Following.join``, for a channel that ``who`` may read. A job without ``since``
        comes with its whole history. Raises ``HubError``."""
        await self._permit(who, channel)
        history = channel.kind is Kind.JOB
        await self._following.join(subscriber, str(channel), since, hand_over, history=history)

    def unsubscribe(self, subscriber: Subscriber, channel: str) -> None:
        """Stops following."""
        self._following.leave(subscriber, channel)

    async def summary(self, channel: str) -> Reset:
        """See ``Following.summary``."""
        return await self._following.summary(channel)

    async def _permit(self, who: Principal, channel: Channel) -> None:
        match channel.kind:
            case Kind.JOB:
                await self._jobs.authorize(who, channel.subject)
            case Kind.USER if channel.subject != who.user_id:
                raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS)
            case Kind.USER | Kind.TOPIC | Kind.ALL:
                return


def required_channel(name: str) -> Channel:
    """The channel that a client named; raises INVALID_REQUEST if there is none of that form."""
    channel = parse_channel(name)
    if channel is None:
        raise codes.invalid("channel", "must be job:<id>, user:<id>, topic:<name> or all")
    return channel
