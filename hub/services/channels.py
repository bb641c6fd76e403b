"""Which channels a principal may follow, and following them."""

from collections.abc import Mapping

from hub.delivery.feed import Subscriber
from hub.delivery.message import Reset
from hub.domain import codes
from hub.domain.channels import Channel, Kind, parse_channel
from hub.domain.events import Position
from hub.domain.principal import Principal
from hub.services.following import Following, HandOver, Joined, Wanted
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
        hand_over: HandOver,
    ) -> None:
        """As ``Following.join``, for a channel that ``who`` may read. A job without ``since``
        comes with its whole history. Raises ``HubError``."""
        await self._permit(who, [channel])
        await self._following.join(subscriber, [_wanted(channel, since)], hand_over)

    async def subscribe_all(
        self, who: Principal, subscriber: Subscriber, wanted: Mapping[str, Position | None]
    ) -> list[Joined]:
        """As ``subscribe``, for many channels at once and at the cost of one: all of them, or none
        when it raises. What was missed comes back in the order of ``wanted``; until the
        subscriber has passed that on it must hold back what is delivered to it.
        """
        channels = [required_channel(name) for name in wanted]
        await self._permit(who, channels)
        joined: dict[str, Joined] = {}

        def hand_over(each: Joined) -> None:
            joined[each.channel] = each

        joins = map(_wanted, channels, wanted.values())
        await self._following.join(subscriber, list(joins), hand_over)
        return [joined[name] for name in wanted if name in joined]  # it may have left some already

    def unsubscribe(self, subscriber: Subscriber, channel: str) -> None:
        """Stops following."""
        self._following.leave(subscriber, channel)

    async def summary(self, channel: str) -> Reset:
        """As ``Following.summary``, for a channel that the caller has subscribed to."""
        return await self._following.summary(channel)

    async def _permit(self, who: Principal, channels: list[Channel]) -> None:
        jobs = []
        for channel in channels:
            if channel.kind is Kind.JOB:
                jobs.append(channel.subject)
            elif channel.kind is Kind.USER and channel.subject != who.user_id:
                raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS)
        if jobs:
            await self._jobs.authorize_all(who, jobs)


def _wanted(channel: Channel, since: Position | None) -> Wanted:
    return Wanted(str(channel), since, history=channel.kind is Kind.JOB)


def required_channel(name: str) -> Channel:
    """The channel that a client named; raises INVALID_REQUEST if there is none of that form."""
    channel = parse_channel(name)
    if channel is None:
        raise codes.invalid("channel", "must be job:<id>, user:<id>, topic:<name> or all")
    return channel
