"""The namespace ``/`` of contract section 4: connecting, ``hello``, and dispatching commands."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from config.values import Rate
from hub import metrics
from hub.delivery.message import Message, Reset
from hub.domain import channels, codes, times
from hub.domain.allowance import Allowance
from hub.domain.events import Position
from hub.domain.inbox import Member
from hub.domain.principal import Principal
from hub.domain.shapes import parse
from hub.domain.versions import SPOKEN, Versions
from hub.gateways.bearer import token_of
from hub.gateways.endings import note_end
from hub.gateways.given import ChannelName
from hub.gateways.given import Spoken as Spoken
from hub.gateways.sio import packets
from hub.gateways.sio.answers import position_fields
from hub.gateways.sio.commands import RESERVED, Since, position_of
from hub.gateways.sio.connection import Command, Connection
from hub.gateways.sio.server import Client
from hub.gateways.sio.topics import Topics
from hub.services.channels import Channels
from hub.services.following import Joined, Mode
from hub.services.guests import Guests
from hub.services.identity import Identity
from hub.services.inbox.inbox import Inbox
from hub.services.limits import Limits
from hub.services.recovery import REPLAYED_AT_MOST, Arrival, Recovery

CHANNELS_AT_CONNECT: Final = 50
"""Channels that a client resumes as it connects."""


class Auth(Struct, frozen=True):
    """What a client sends with CONNECT; what is not named here is the application's own.
    ``channels``: those that it resumes, with where it stands on each. ``pid`` and ``offset`` are
    the stock client's: whatever they are, they refuse nobody."""

    v: Spoken | None = None
    token: str | None = None
    channels: Annotated[dict[ChannelName, Since], Meta(max_length=CHANNELS_AT_CONNECT)] = {}
    pid: Any = None
    offset: Any = None


class HubNamespace:
    """Serves ``/``."""

    def __init__(
        self,
        identity: Identity,
        guests: Guests,
        channels: Channels,
        recovery: Recovery,
        inbox: Inbox,
        commands: Mapping[str, Command],
        rate: Rate,
        limits: Limits,
        versions: Versions = SPOKEN,
    ) -> None:
        self._identity = identity
        self._guests = guests
        self._channels = channels
        self._recovery = recovery
        self._inbox = inbox
        self.topics = Topics(inbox, channels)
        self._summary = channels.summary
        self._commands = dict(commands)
        self._rate = rate
        self._limits = limits
        self._versions = versions

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        """Authenticates, authorizes and joins the channels; nothing is sent before CONNECT."""
        version = self._versions.choose(spoken_by(auth))
        given = parse(Auth, auth or {})
        header = client.environ.get("HTTP_AUTHORIZATION", "")
        principal = await self._identity.verify(given.token or token_of(header))
        client.user_id = principal.user_id
        stay = await self._guests.arrive(principal)  # Redis is asked while MongoDB is
        try:
            connection = await self._return(client, principal, given)
            if connection is None:
                connection = await self._arrive(client, principal, given)
            connection.stay, connection.version = stay, version
            await self._count(connection)
            await self._allow(connection)
        except BaseException:
            self._guests.leave(stay)
            raise
        connection.allowance = Allowance(self._rate)
        client.state = connection
        return {"pid": connection.session.pid}

    async def _allow(self, connection: Connection) -> None:
        """Returns once it is certain that the connection may be."""
        try:
            await self._guests.settle(connection.stay)
            if not connection.client.socket.attended:
                raise codes.HubError(codes.UNAVAILABLE)
        except BaseException:
            self._leave_all(connection)
            raise

    async def _return(self, client: Client, who: Principal, given: Auth) -> Connection | None:
        """A connection that goes on where the client's last one broke, if it can."""
        back = await self._recovery.find(who, given.pid, given.offset)
        if back is None:
            return None
        session = self._recovery.begin(who, back)
        connection = Connection(client, who, self._summary, session)
        connection.on_topics = self.topics.changed
        connection.arrival = await self._recovery.restore(who, connection, back)
        if connection.arrival is None:
            return None
        connection.channels = dict.fromkeys(back.positions, 0)
        session.restored = dict(back.positions)
        return connection

    async def _arrive(self, client: Client, who: Principal, given: Auth) -> Connection:
        """A connection that begins with its own channels and those that the client resumes."""
        member = await self._inbox.enter(who)
        wanted = _wanted(member, given)
        connection = Connection(client, who, self._summary, self._recovery.begin(who))
        connection.on_topics = self.topics.changed
        connection.channels = dict.fromkeys(wanted, 0)
        joined = await self._channels.subscribe_all(who, connection, wanted, without_refused=True)
        for name in wanted.keys() - {each.channel for each in joined}:
            del connection.channels[name]  # ``hello.channels`` has those that it follows
        for each in _beyond(joined, REPLAYED_AT_MOST):
            each.mode, each.events = Mode.RESET, []
        connection.arrival = Arrival(joined, topics=frozenset(member.topics))
        return connection

    async def _count(self, connection: Connection) -> None:
        """Finds out what ``hello`` says is unread, after joining: what comes later is an event. If
        what the user missed cannot be told, the first page of the inbox stands for it."""
        who, arrival = connection.principal, connection.arrival
        try:
            for each in arrival.joined if arrival else ():
                if each.mode is Mode.RESET and each.channel == channels.user_channel(who.user_id):
                    each.page = await self._inbox.first_page(who)
            reading = await self._inbox.reading(who)
            connection.unread = reading.unread
            if arrival is not None:
                arrival.topics = _moved(connection, arrival, frozenset(reading.member.topics))
        except BaseException:
            self._leave_all(connection)
            raise

    async def connected(self, client: Client) -> None:
        """Sends ``hello`` and what was missed; from then on the client is live."""
        connection: Connection = client.state
        arrival, connection.arrival = connection.arrival, None
        if arrival is not None:
            connection.session.start()
            missed = [message for one in arrival.joined for message in _missed(one)]
            connection.greet(_hello(connection, arrival), missed)
            self.topics.changed(connection, arrival.topics)
            self._guests.enter(connection.stay, connection)

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        """Runs one command of the table."""
        connection: Connection = client.state
        connection.acts += 1
        if not connection.allowance.take(asyncio.get_running_loop().time()):
            await self._refuse(connection)
        await self._count_command(connection)
        try:
            command = self._find(name)
            if len(args) > 1:
                raise codes.invalid("payload", "a command has one payload")
            await command(connection, args[0] if args else {}, _Answer(client, ack_id))
        finally:
            if connection.session.over:  # it went while the command ran, which may have joined
                self._leave_all(connection)

    async def _refuse(self, connection: Connection) -> None:
        """Answers a command above the rate; a connection that goes on all the same is ended."""
        allowance = connection.allowance
        metrics.LIMITED.add(1, "commands")
        if allowance.flooded:
            await connection.close(codes.RATE_LIMITED, allowance.retry_after)
        raise codes.HubError(codes.RATE_LIMITED, retry_after=allowance.retry_after)

    async def _count_command(self, connection: Connection) -> None:
        """Counts a command among all those of its user."""
        user = connection.principal.user_id
        try:
            self._limits.note("user_commands", user)
        except codes.HubError as error:
            if self._limits.flooding("user_commands", user):
                await connection.close(codes.RATE_LIMITED, error.retry_after)
            raise

    def closing(self, client: Client, code: codes.Code, retry_after: float) -> None:
        """Tells the client why its connection ends."""
        connection: Connection = client.state
        connection.tell_closing(code, retry_after)

    async def disconnected(self, client: Client, reason: str) -> None:
        """Forgets the client; costs what it had joined. It may come back if its line broke, not if
        it or the hub took leave."""
        connection: Connection = client.state
        note_end(connection, reason)
        self._leave_all(connection)
        self._guests.leave(connection.stay)
        if client.socket.closed:
            connection.session.lose()
        else:
            connection.session.end()

    def _find(self, name: Any) -> Command:
        if not isinstance(name, str) or name in RESERVED:
            raise codes.invalid("event", "is reserved by Socket.IO")
        command = self._commands.get(name)
        if command is None:
            raise codes.HubError(codes.UNKNOWN_COMMAND, f"there is no command {name[:64]!r}")
        return command

    def _leave_all(self, connection: Connection) -> None:
        for name in (*connection.channels, *connection.promised):
            self._channels.unsubscribe(connection, name)


def spoken_by(auth: Any) -> object:
    """The version that a client asks for. It is looked at before anything else of what it sends,
    which may be of another form in another version."""
    return auth.get("v") if isinstance(auth, dict) else None


def _wanted(member: Member, given: Auth) -> dict[str, Position | None]:
    """The channels of a connection, in order: the own one, ``all``, the user's topics, and those
    it resumes."""
    topics = map(channels.topic_channel, member.topics)
    own = dict.fromkeys((channels.user_channel(member.user_id), channels.ALL, *topics))
    return {**own} | {name: position_of(since) for name, since in given.channels.items()}


class _Answer:
    """Acknowledges one event, if the client wants that."""

    __slots__ = ("_ack_id", "_client")

    def __init__(self, client: Client, ack_id: int | None) -> None:
        self._client = client
        self._ack_id = ack_id

    def __call__(self, reply: dict[str, Any]) -> None:
        if self._ack_id is not None:
            self._client.acknowledge(self._ack_id, reply)

    def in_turn(self, size: int, reply: Callable[[], dict[str, Any]]) -> None:
        if self._ack_id is None:
            reply()  # for what it notes
        else:
            self._client.socket.push(_Acknowledgement(self._client, self._ack_id, size, reply))


class _Acknowledgement:
    """An acknowledgement that is made when its turn comes."""

    __slots__ = ("_ack_id", "_client", "_reply", "_size")
    channel = None

    def __init__(
        self, client: Client, ack_id: int, size: int, reply: Callable[[], dict[str, Any]]
    ) -> None:
        self._client = client
        self._ack_id = ack_id
        self._size = size
        self._reply = reply

    def __len__(self) -> int:
        return self._size

    def encode(self) -> bytes:
        body = msgspec.json.encode([self._reply()])
        return b"4%d%b%d%b" % (packets.ACK, self._client.prefix, self._ack_id, body)


def _hello(connection: Connection, arrival: Arrival) -> dict[str, Any]:
    positions = []
    for each in arrival.joined:
        start = each.start
        connection.follows(each.channel, start)
        positions.append(position_fields(each.channel, start))
    return {
        "v": connection.version.number,
        "sid": connection.client.sid,
        "userId": connection.principal.user_id,
        "serverTime": times.wire(times.now()),
        "recovered": arrival.recovered,
        "unread": connection.unread.wire(),
        "channels": positions,
        "notices": connection.version.notices(),
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


def _moved(connection: Connection, arrival: Arrival, topics: frozenset[str]) -> frozenset[str]:
    """The topics that the user began or ceased to subscribe to while the connection arrived, or
    was away. What one that recovered follows beyond the user's topics is its own choice."""
    if not arrival.recovered:
        return arrival.topics ^ topics
    return frozenset(
        each for each in topics if channels.topic_channel(each) not in connection.channels
    )


def _missed(joined: Joined) -> list[Message | Reset]:
    """What follows ``hello`` on one channel."""
    epoch = joined.position.epoch
    if joined.mode is Mode.RESET:
        return [Reset(joined.channel, epoch, joined.position.offset, joined.snapshot)]
    return [Message(joined.channel, epoch, event) for event in joined.events]
