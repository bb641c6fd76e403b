"""Connections and the topics of their users: a subscription that begins or ends while a user is
connected takes effect on every connection, on any node.

What tells a node is the event itself that tells the user's devices (NOTIFICATIONS_CHANGED with the
``topic``), and on arrival the look at what is unread. What is stored then decides, not the event,
so that of several changes the last one holds.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from config.logs import get_logger
from hub.delivery.message import Message, Reset
from hub.domain import channels, codes
from hub.domain.events import Position
from hub.gateways.sio.commands import make_room
from hub.gateways.sio.connection import Connection
from hub.services.channels import Channels, required_channel
from hub.services.following import Joined, Mode
from hub.services.inbox.inbox import Inbox
from hub.services.recovery import REPLAYED_AT_MOST

_RETRY: Final = 1.0
_log = get_logger(__name__)


class Topics:
    """Makes connections follow what their users subscribe to, and leave what they do not."""

    def __init__(self, inbox: Inbox, followed: Channels) -> None:
        self._inbox = inbox
        self._channels = followed

    def changed(self, connection: Connection, topics: Iterable[str]) -> None:
        """Sees to these topics, between two commands of the client; returns at once."""
        idle = not connection.due
        connection.due.update(topics)
        if idle and connection.due:
            connection.spawn(self._see_to(connection))

    async def steer(self, connection: Connection, name: str, *, follow: bool) -> None:
        """Makes a connection follow a job or topic that its user may read, or leave it, because an
        administrator says so; harmless when it is so already. The client gets what a job's log has
        as events. Raises ``HubError``."""
        async with connection.client.socket.receiving:
            if not _is_connected(connection):
                return
            follows = name in (*connection.channels, *connection.promised)
            if follow and not follows:
                make_room(connection, name)
                await self._follow(connection, name, None)
            elif follows and not follow:
                await self._leave(connection, name)

    async def _see_to(self, connection: Connection) -> None:
        while connection.due:
            topic = next(iter(connection.due))
            try:
                async with connection.client.socket.receiving:
                    await self._follow_or_leave(connection, topic)
            except codes.HubError as error:
                _log.warning("topics.retry", topic=topic, error=error.code.name)
                await asyncio.sleep(_RETRY)

    async def _follow_or_leave(self, connection: Connection, topic: str) -> None:
        if not _is_connected(connection):
            connection.due.clear()
            return
        name = channels.topic_channel(topic)
        connection.due.discard(topic)  # told of once more from here on, it is looked at once more
        connection.due.add("")  # which no topic is called: this task is at work
        try:
            since = (await self._inbox.enter(connection.principal)).topics.get(topic)
            follows = name in (*connection.channels, *connection.promised)
            if since is not None and not follows:
                await self._follow(connection, name, since)
            elif since is None and follows:
                await self._leave(connection, name)
        except codes.HubError:
            connection.due.add(topic)
            raise
        finally:
            connection.due.discard("")

    async def _follow(self, connection: Connection, name: str, since: Position | None) -> None:
        """From the subscription on, so that nothing is missing that came meanwhile."""

        def hand_over(joined: Joined) -> None:
            connection.lags_no_more(name)
            connection.follows(name, joined.start)
            connection.send_backlog(_missed(joined))

        await connection.session.unsettle()
        try:
            await self._channels.subscribe(
                connection.principal, connection, required_channel(name), since, hand_over
            )
        finally:
            connection.session.settle()
            if not _is_connected(connection):
                self._channels.unsubscribe(connection, name)

    async def _leave(self, connection: Connection, name: str) -> None:
        await connection.session.unsettle()
        self._channels.unsubscribe(connection, name)
        connection.lags_no_more(name)
        connection.session.restored.pop(name, None)
        connection.forget(name)
        connection.session.settle()


def _is_connected(connection: Connection) -> bool:
    return connection.client.state is connection and not connection.session.over


def _missed(joined: Joined) -> list[Message | Reset]:
    epoch, size = joined.position.epoch, sum(len(each.envelope) for each in joined.events)
    too_many = joined.job is not None and joined.position.offset > 0 and not joined.events
    if joined.mode is Mode.RESET or size > REPLAYED_AT_MOST or too_many:
        return [Reset(joined.channel, epoch, joined.position.offset, joined.snapshot)]
    return [Message(joined.channel, epoch, event) for event in joined.events]
