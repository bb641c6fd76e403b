"""One client of the namespace ``/``: a subscriber that writes Socket.IO packets."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from config.logs import Subject, speak_of
from hub import metrics
from hub.delivery.message import Message, Notice, Reset, Run
from hub.delivery.outbox import Entry, Told
from hub.domain import codes, times
from hub.domain.allowance import Allowance
from hub.domain.events import Position
from hub.domain.inbox import Unread
from hub.domain.principal import Principal
from hub.domain.recovery import UNBEGUN
from hub.domain.versions import Version
from hub.gateways.endings import closing_fields
from hub.gateways.lagging import Lagging, Summary, gives_way
from hub.gateways.sio import packets
from hub.gateways.sio.answers import Answer
from hub.gateways.sio.server import Client
from hub.services.guests import Stay
from hub.services.recovery import Arrival, Session

_HELD_AT_MOST: Final = 8 * 1024 * 1024  # bytes
_PROBED_AFTER: Final = 2.0
_ANSWERED_WITHIN: Final = 5.0  # seconds
_END: Final = b'"]'


class Connection:
    """A connected client and the channels it follows.

    Until ``greet``, live events are held back, so that ``hello`` and what was missed come first.
    """

    __slots__ = (
        "_after", "_asked", "_before", "_channel", "_channels", "_cut", "_held", "_held_bytes",
        "_lagging", "_limit", "_live", "_offset", "_probed", "_roster", "_socket", "_summary",
        "acts", "allowance", "arrival", "began", "client", "due", "ended_by", "on_topics",
        "principal", "promised", "session", "stay", "unread", "version",
    )  # fmt: skip

    def __init__(
        self, client: Client, principal: Principal, summary: Summary, session: Session
    ) -> None:
        self.client = client
        self.principal = principal
        self.began = time.time()
        self.ended_by = ""  # the code of the hub's reason, when it was the hub
        self._channels: dict[str, int] = {}
        self.session = session
        self.stay: Stay  # set before it is accepted
        self.version: Version  # of the contract; likewise
        self.acts = 0  # commands, and events that have no offset
        self.allowance: Allowance  # of commands; set before it is accepted
        self.arrival: Arrival | None = None  # what connecting joined, until it is told of
        self.unread = Unread()  # as of the arrival
        self.promised: tuple[str, ...] = ()  # followed, but the client was not told of it yet
        self.due: set[str] = set()  # topics that the user subscribes to, or does not any more
        self.on_topics: Callable[[Connection, list[str]], None] | None = None
        self._roster = session.roster
        self._socket = client.socket
        self._held: list[Message | Reset] | None = []
        self._held_bytes = 0
        self._asked: list[tuple[str, Told]] | None = None  # who asked after what is held
        self._summary = summary
        self._lagging: Lagging | None = None  # most clients never lag
        self._live = False  # nothing is held, and no channel lags
        self._limit = client.socket.outbox.limit
        self._channel: str | None = None  # whose recovery string is prepared
        self._probed = 0.0  # when it was pinged, to know whether it is there
        self._offset = 0  # of that channel; ``_channels`` learns of it later
        self._around(b"", _END)
        client.socket.pressure = self

    @property
    def channels(self) -> dict[str, int]:
        """What it follows, in the order joined → the offset of the last event sent: what was handed
        to the transport, never what still waits. The client sends it back when it recovers."""
        if self._channel is not None:
            self._channels[self._channel] = self._offset
        return self._channels

    @channels.setter
    def channels(self, channels: dict[str, int]) -> None:
        self._channel, self._channels = None, channels

    # -- what a feed calls ------------------------------------------------------------------------

    @staticmethod
    def fan_out(connections: "Iterable[Connection]", messages: Sequence[Message]) -> None:
        """Sends the next events of a channel to each connection, in one write.

        This loop is what a delivery costs. For a client that keeps up nothing is called in it but
        ``join`` and ``write``; it does what ``WebSocket.send`` would do.
        """
        run = messages if type(messages) is Run else Run(messages)
        last = run[-1]
        channel, epoch, offset, size = last.channel, last.epoch, last.offset, run.size
        if run[0].of_user:
            connections = list(connections)
            _tell_topics(connections, run)
        write, key, cut = os.write, None, []
        for each in connections:
            line = each._socket.direct
            if line is None or not each._live or size > each._limit:
                each._deliver_behind(run)
                continue
            if each._channel != channel:
                each._prepare(channel, epoch)
            if each._cut is not key:
                key = each._cut
                cut = run.cuts.get(key) or run.cut(key)
            frames = each._before.join(cut)
            if line.descriptor < 0 or line.cork.closed:
                line.send(frames)
            else:
                try:
                    sent = write(line.descriptor, frames)
                except OSError:
                    sent = 0
                if sent < len(frames):
                    line.send_rest(frames, sent)
            each._offset = offset

    def deliver(self, messages: Sequence[Message]) -> None:
        """As ``fan_out``, to this connection alone."""
        self.fan_out((self,), messages)

    def reset(self, notice: Reset) -> None:
        """Tells that a channel goes on from another place."""
        if self._held is not None:
            self._hold([notice])
            return
        if self._is_another_job(notice):
            self.evicted(notice.channel)
            return
        self.lags_no_more(notice.channel)
        self._socket.push(_Stamped(self, notice.socketio, notice))

    def _is_another_job(self, notice: Reset) -> bool:
        """Whether a job that was not kept any more has been started anew. Following it was not
        asked for, nor allowed: the client connects again, and is counted if it subscribes."""
        epoch = self._roster.epoch(notice.channel)
        return gives_way(notice.channel) and epoch not in (None, UNBEGUN, notice.epoch)

    def send_reset(self, notice: Reset) -> None:
        """Sends the reset of a channel that lagged, unless the client lacks nothing of it: what was
        dropped was from before it left the channel and joined again."""
        epoch, offset = self._roster.epoch(notice.channel), self.channels.get(notice.channel)
        if (epoch, offset) != (notice.epoch, notice.offset):
            self._socket.push(_Stamped(self, notice.socketio, notice))

    @property
    def slot(self) -> str:
        """A client that recovers takes the slots over that its lost connection had."""
        return self.session.pid

    def shows_life(self) -> bool:
        """Whether the client answers. The heartbeat is too slow to free a slot within 15 s, so who
        holds one is pinged more often; a stock client answers each ping."""
        now = asyncio.get_running_loop().time()
        heard = now - self._socket.host.heartbeats.silent_for(self._socket)
        if now - heard < _PROBED_AFTER:
            return True
        if self._probed <= heard:
            self._probed = now
            self._socket.ping()
        return now - self._probed < _ANSWERED_WITHIN

    def evicted(self, channel: str) -> None:
        """Another one has its slot of a job: it connects again, and is told then."""
        del channel
        self.spawn(self.close(codes.TOO_MANY_CONNECTIONS))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` in a task of the server's whose log lines are about this connection."""
        self._socket.host.spawn(_speaking_of(self._socket, work))

    def revoked(self, channel: str, code: codes.Code) -> None:
        """It does not follow a job any more. Of one that is not kept any more nothing would have
        come; a permission that was lost ends the connection, which is told so."""
        if code is codes.JOB_NOT_FOUND:
            self.forget(channel)
        else:
            self.spawn(self.close(code))

    def _prepare(self, channel: str, epoch: str) -> None:
        """What stands around the channel's own offset at the end of its events: it stays the same
        until an event of another channel is sent, or of another epoch."""
        if self._roster.epoch(channel) != epoch:  # its very first event, or the log began anew
            self._roster.moved(channel, epoch)
        channels = self.channels
        self._channel, self._offset = channel, channels.get(channel, 0)
        if not self._roster.prefix:
            self._around(b"", _END)
            return
        at = list(channels).index(channel)
        offsets = list(map(str, channels.values()))
        before = "".join(f"{each}." for each in offsets[:at])
        after = "".join(f".{each}" for each in offsets[at + 1 :])
        self._around(self._roster.prefix + before.encode(), after.encode() + _END)

    def _around(self, before: bytes, after: bytes) -> None:
        self._before, self._after, self._cut = before, after, _cut(len(before), after)

    def _deliver_behind(self, messages: Sequence[Message]) -> None:
        """Not everything before these was written, or some channel lags."""
        if self._held is not None:
            self._hold(messages)
            return
        for message in messages:  # any of which may be the one that makes its channel lag
            if self._lagging is None or self._lagging.pass_on(message):
                self._socket.push(_Stamped(self, message.socketio, message))
        self._check_lag()

    def stamp(self, of: Message | Reset | None) -> bytes:
        """The end of a packet that is handed to the transport now: the recovery string. From now
        on the client has the channel up to the event or reset that it is ``of``."""
        if of is None or of.channel not in self._channels:  # the client may have left it
            return self.recovery() + _END
        if of.channel != self._channel or of.epoch != self._roster.epoch(of.channel):
            self._prepare(of.channel, of.epoch)
        self._offset = of.offset
        return self._before + b"%d" % of.offset + self._after

    # -- what the node's guests are asked ---------------------------------------------------------

    @property
    def sid(self) -> str:
        """Its id in the namespace."""
        return self.client.sid

    @property
    def follows_now(self) -> Collection[str]:
        """The channels that it follows."""
        return self.channels

    @property
    def activity(self) -> object:
        """Changes with every event that is sent, and every command."""
        return self._channel, self._offset, self.acts

    def warn(self) -> None:
        """Sends ``token-expiring``."""
        self.send("token-expiring", {"expiresAt": times.wire(self.principal.expires_at)})

    def send_away(self, code: codes.Code, message: str | None, retry_after: float | None) -> None:
        """Ends the connection, in the next turn of the event loop."""
        self.spawn(self.close(code, retry_after, message))

    # -- what the namespace calls -----------------------------------------------------------------

    def follows(self, channel: str, position: Position) -> None:
        """Notes that the client was told that it has everything of ``channel`` up to there."""
        self._roster.joined(channel, position)
        self.channels[channel] = position.offset
        self._channel = None

    def forget(self, channel: str) -> None:
        """Notes that the client does not follow ``channel`` any more."""
        self._roster.left(channel)
        self.channels.pop(channel, None)
        self._channel = None
        if channel not in self.promised:  # it has joined again meanwhile, and may lag already
            self.lags_no_more(channel)

    def greet(self, hello: dict[str, Any], missed: list[Message | Reset]) -> None:
        """Sends ``hello``, then what was missed, then what was held; from then on it is live.
        What was missed may be more than the outbox holds, and must be bounded by the caller."""
        self.send("hello", hello)
        held, self._held = self._held or [], None
        self._live = True
        self.send_backlog([*missed, *held])
        asked, self._asked = self._asked or (), None
        for channel, told in asked:
            if (written := self.written(channel, told)) is not None:
                told(written)

    def send_backlog(self, messages: Sequence[Message | Reset]) -> None:
        """Sends what may be more than the outbox holds, and must be bounded by the caller."""
        with self._socket.outbox.backlog():
            for each in messages:
                if isinstance(each, Message):
                    self.deliver([each])
                else:
                    self.reset(each)

    def send(self, event: str, payload: dict[str, Any]) -> None:
        """Sends an event of the hub's own, with the recovery string last."""
        self._socket.push(_Stamped(self, _head(event, payload)))

    def relay(self, head: bytes) -> bool:
        """Sends an event that no log has, if there is room for it now: nobody is cut off for it,
        and no event that is stored gives way. ``head``: the packet up to its recovery string. Says
        whether there was."""
        outbox = self._socket.outbox
        room = self._held is None and outbox.bytes + len(head) <= outbox.limit
        if room:
            self.acts += 1
            self._socket.push(_Stamped(self, head))
        return room

    def recovery(self) -> bytes:
        """The offset of Socket.IO's connection state recovery: the position in each channel."""
        prefix = self._roster.prefix
        return prefix + ".".join(map(str, self.channels.values())).encode() if prefix else b""

    def tell_closing(
        self, code: codes.Code, retry_after: float | None = None, message: str | None = None
    ) -> None:
        """Sends ``closing``; the caller ends the connection."""
        self.ended_by = code.name
        self.send("closing", closing_fields(code, retry_after, message))

    async def close(
        self, code: codes.Code, retry_after: float | None = None, message: str | None = None
    ) -> None:
        """Sends ``closing`` and ends the connection, so that a stock client comes back by itself
        exactly when the code says that it may. ``message``: in place of the code's own."""
        if self._socket.closed:
            return
        self.tell_closing(code, retry_after, message)
        if not code.reconnect:
            await self.client.disconnect()
        await self._socket.close(reason=code.name, code=code.ws or 1000)

    # -- what administrators see and do -----------------------------------------------------------

    door = "SOCKETIO"

    @property
    def address(self) -> str:
        """Where the client connects from."""
        return str(self.client.environ.get("REMOTE_ADDR", ""))

    @property
    def outbox_bytes(self) -> int:
        """What waits for the client to read it."""
        return self._socket.outbox.bytes

    def written(self, channel: str, told: Told) -> bool | None:
        """As ``Written.written``."""
        if self._socket.closed:
            return False
        if self._held is not None:
            self._asked = [*(self._asked or ()), (channel, told)]
            return None
        if self._lagging is not None and self._lagging.lags(channel):
            return False
        if not self._socket.outbox:
            return True
        self._socket.outbox.tell_of_last(told)
        return None

    @property
    def line(self) -> object:
        """The session."""
        return self._socket

    def tell(self, notice: Notice) -> bool:
        """As ``relay``."""
        return self.relay(notice.socketio)

    def _hold(self, what: Sequence[Message | Reset]) -> None:
        self._held_bytes += sum(len(each) for each in what)
        if self._held is not None and self._held_bytes <= _HELD_AT_MOST:
            self._held.extend(what)
        else:
            self._too_slow()

    # -- when the client reads too slowly ---------------------------------------------------------

    def overflowed(self, entry: Entry) -> None:
        """The outbox is full: the events of jobs give way, to be replaced by one ``reset`` once the
        client reads again. If that is not enough, it is cut off."""
        outbox = self._socket.outbox
        lost = outbox.withdraw(gives_way)
        if isinstance(entry, _Stamped) and entry.channel is not None and gives_way(entry.channel):
            lost.add(entry.channel)
        elif not outbox.offer(entry):
            self._too_slow()
            return
        if lost:
            self._live = False
            self._lagging = self._lagging or Lagging(self, self._summary)
            self._lagging.add(lost)

    def relieved(self) -> None:
        """The client has read everything."""
        if self._lagging is not None:
            self.spawn(self._lagging.catch_up())

    @property
    def reading(self) -> bool:
        """Whether the client has taken everything that was queued."""
        return not (self._socket.outbox or self._socket.closed)

    def lags_no_more(self, channel: str) -> None:
        """Whatever of ``channel`` gave way, the client gets it in another way, or need not."""
        if self._lagging is not None:
            self._lagging.forget(channel)
        self._check_lag()

    def _check_lag(self) -> None:
        """Is live again once no channel lags."""
        if self._lagging is not None and not self._lagging:
            self._lagging, self._live = None, self._held is None

    def _too_slow(self) -> None:
        """It is told, if it still listens, and resumes from its offsets when it returns."""
        self.ended_by = codes.SLOW_CONSUMER.name
        metrics.SLOW_CONSUMERS.add()
        head = _head("closing", closing_fields(codes.SLOW_CONSUMER, None))
        self._socket.abort(last=head + self.stamp(None))

    def refused(self, code: codes.Code) -> None:
        """It is told why the connection ends, and that it is not to come back."""
        self.tell_closing(code)
        self.client.push(packets.DISCONNECT, b"")


async def _speaking_of(subject: Subject, work: Coroutine[Any, Any, None]) -> None:
    speak_of(subject)
    await work


def _tell_topics(connections: "Iterable[Connection]", messages: Sequence[Message]) -> None:
    """Lets a user's connections know of the topics that events of the user's channel speak of."""
    topics = [message.topic for message in messages if message.topic]
    if topics:
        for each in connections:
            if each.on_topics is not None:
                each.on_topics(each, topics)


@lru_cache(maxsize=4096)
def _cut(before: int, after: bytes) -> tuple[int, bytes]:
    """The key of ``Run.cuts``: mostly the very object that other connections have."""
    return before, after


class _Stamped:
    """A packet with a recovery string, which is known only when its turn comes."""

    __slots__ = ("_connection", "_head", "_of")

    def __init__(
        self, connection: Connection, head: bytes, of: Message | Reset | None = None
    ) -> None:
        self._connection = connection
        self._head = head
        self._of = of

    @property
    def channel(self) -> str | None:
        return None if self._of is None else self._of.channel

    def __len__(self) -> int:
        return len(self._head)

    def encode(self) -> bytes:
        return self._head + self._connection.stamp(self._of)


def _head(event: str, payload: dict[str, Any]) -> bytes:
    """A packet up to its recovery string: ``42["event",{…},"``."""
    return b"42" + msgspec.json.encode([event, payload])[:-1] + b',"'


Command = Callable[[Connection, Any, Answer], Awaitable[None]]
"""Handles a command's payload and answers, or raises ``HubError``."""
