"""Which channels a principal may follow, and following them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from redis.exceptions import RedisError

from hub import metrics
from hub.broker.slots import Holder, Slots
from hub.delivery.feed import Subscriber
from hub.delivery.message import Reset
from hub.domain import codes
from hub.domain.channels import Channel, Kind, parse_channel
from hub.domain.events import Position
from hub.domain.principal import Principal
from hub.services.following import Following, HandOver, Joined, Wanted
from hub.services.jobs import Jobs
from hub.stores.heads import Head

_COME_BACK: Final = 10.0  # seconds; as often as the job is worth polling meanwhile


class Follower(Subscriber, Holder, Protocol):
    """A connection that follows channels, and takes a slot of each job among them."""


class Channels:
    """Authorization in front of ``Following``: nothing is joined that was not permitted.

    A job that runs has so many followers at a time. One that has ended has any number: nothing
    more comes of it.
    """

    def __init__(self, jobs: Jobs, following: Following, slots: Slots) -> None:
        self._jobs = jobs
        self._following = following
        self._slots = slots

    async def subscribe(
        self,
        who: Principal,
        follower: Follower,
        channel: Channel,
        since: Position | None,
        hand_over: HandOver,
        *,
        kind: str | None = None,
    ) -> None:
        """As ``Following.join``, for a channel that ``who`` may read. A job without ``since``
        comes with its whole history; ``kind``: what it has to be, None for any.

        Who follows already is given nothing until it has joined again, and keeps its slot; when
        this raises it does not follow any more. Raises ``HubError``.
        """
        name = str(channel)
        self._following.leave(follower, name)
        try:
            heads = await self._permit(who, [channel], kind)
            if await self._crowded(follower, _permitted(heads)):
                raise codes.HubError(codes.TOO_MANY_CONNECTIONS, retry_after=_COME_BACK)
            await self._following.join(follower, [_wanted(channel, since)], hand_over)
        except BaseException:
            self.unsubscribe(follower, name)
            raise

    async def subscribe_all(
        self,
        who: Principal,
        follower: Follower,
        wanted: Mapping[str, Position | None],
        *,
        without_refused: bool = False,
    ) -> list[Joined]:
        """As ``subscribe``, for many channels at once and at the cost of one: all of them, or none
        when it raises. What was missed comes back in the order of ``wanted``; until the
        subscriber has passed that on it must hold back what is delivered to it.

        ``without_refused``: jobs that have all the followers they may have, that are not there (any
        more) or that ``who`` may not read are left out.
        """
        channels = {name: required_channel(name) for name in wanted}
        joined: dict[str, Joined] = {}

        def hand_over(each: Joined) -> None:
            joined[each.channel] = each

        try:
            jobs = await self._permit(who, channels.values())
            refused = {name for name, each in jobs.items() if isinstance(each, codes.HubError)}
            if without_refused:
                jobs = {name: each for name, each in jobs.items() if name not in refused}
            crowded = await self._crowded(follower, _permitted(jobs))
            if crowded and not without_refused:
                raise codes.HubError(codes.TOO_MANY_CONNECTIONS, retry_after=_COME_BACK)
            joins = [
                _wanted(channel, wanted[name])
                for name, channel in channels.items()
                if name not in crowded | refused
            ]
            await self._following.join(follower, joins, hand_over)
        except BaseException:
            for name in wanted:
                self.unsubscribe(follower, name)
            raise
        return [joined[name] for name in wanted if name in joined]  # it may have left some already

    def unsubscribe(self, follower: Follower, channel: str) -> None:
        """Stops following."""
        self._following.leave(follower, channel)
        self._slots.free(follower, channel)

    def needs_no_slot(self, follower: Follower, channel: str) -> None:
        """Frees the slot of a follower of a job that has ended, which goes on following."""
        self._slots.free(follower, channel)

    async def unreadable(self, who: Principal, names: Iterable[str]) -> list[str]:
        """Those of the channels, which somebody follows, that ``who`` may not read."""
        found = {name: required_channel(name) for name in names}
        jobs = [each.subject for each in found.values() if each.kind is Kind.JOB]
        closed = await self._jobs.unreadable(who, jobs) if jobs else set()
        return [
            name
            for name, each in found.items()
            if (each.kind is Kind.JOB and each.subject in closed)
            or (each.kind is Kind.USER and each.subject != who.user_id)
        ]

    async def summary(self, channel: str) -> Reset:
        """As ``Following.summary``, for a channel that the caller has subscribed to."""
        return await self._following.summary(channel)

    async def _permit(
        self, who: Principal, channels: Iterable[Channel], kind: str | None = None
    ) -> dict[str, Head | codes.HubError]:
        """The jobs among ``channels`` by name: the head, or why ``who`` may not follow it. Raises
        for any other channel that is not theirs."""
        jobs = []
        for channel in channels:
            if channel.kind is Kind.JOB:
                jobs.append(channel)
            elif channel.kind is Kind.USER and channel.subject != who.user_id:
                raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS)
        if not jobs:
            return {}
        found = await self._jobs.verdicts(who, [job.subject for job in jobs], kind)
        return {str(job): verdict for job, verdict in zip(jobs, found, strict=True)}

    async def _crowded(self, follower: Follower, jobs: Sequence[Head]) -> set[str]:
        """The jobs that have no slot for ``follower``; of the others it has one now."""
        running = [head.channel for head in jobs if head.job is not None and not head.job.ended]
        if not running:
            return set()
        try:
            taken = await self._slots.take(follower, running)
        except (RedisError, OSError, TimeoutError) as error:
            raise codes.HubError(codes.UNAVAILABLE, retry_after=2) from error
        crowded = set(running) - taken
        if crowded:
            metrics.LIMITED.add(len(crowded), "followers_per_job")
        return crowded


def _permitted(jobs: Mapping[str, Head | codes.HubError]) -> list[Head]:
    """Their heads; raises the first refusal."""
    found = []
    for verdict in jobs.values():
        if isinstance(verdict, codes.HubError):
            raise verdict
        found.append(verdict)
    return found


def _wanted(channel: Channel, since: Position | None) -> Wanted:
    return Wanted(str(channel), since, history=channel.kind is Kind.JOB)


def required_channel(name: str) -> Channel:
    """The channel that a client named; raises INVALID_REQUEST if there is none of that form."""
    channel = parse_channel(name)
    if channel is None:
        raise codes.invalid("channel", "must be job:<id>, user:<id>, topic:<name> or all")
    return channel
