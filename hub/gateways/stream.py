"""A client that follows one job on a connection of its own: what raw WebSocket and SSE share."""

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol

from hub import metrics
from hub.delivery.message import Message, Notice, Reset
from hub.delivery.outbox import Outbox, Told
from hub.domain import codes
from hub.domain.principal import Principal
from hub.gateways.heartbeats import Heartbeats
from hub.gateways.lagging import Lagging
from hub.gateways.streams import Streams
from hub.gateways.websocket import HIGH_WATER
from hub.services.following import Joined, Mode

_ENDED: Final = "ENDED"  # it has everything of a job that has ended


class Line(Protocol):
    """The connection below a stream."""

    def send(self, data: bytes) -> None:
        """Sends ``data``; never waits, never raises."""

    def abort(self) -> None:
        """Closes at once and drops what was not sent."""


class JobStream(ABC):
    """A follower of one job. ``begin`` it once its connection has become a ``Line``; what is
    delivered before that waits in the outbox.

    When the outbox is full, its events give way to one reset with the job's snapshot, as for
    Socket.IO. A client that reads nothing at all is found by the heartbeat. After the job's last
    event, or a reset that covers it, the stream ends by itself.
    """

    def __init__(self, host: Streams, heartbeats: Heartbeats, who: Principal, channel: str) -> None:
        self.slot = secrets.token_urlsafe(12)
        self.began = time.time()
        self.ended_by = ""
        self.address = ""
        self.principal = who
        self.channel = channel
        self.joined: Joined | None = None
        self._host = host
        self._heartbeats = heartbeats
        self._outbox = Outbox(host.outbox_bytes)
        self._line: Line | None = None
        self._blocked = True
        self._lagging: Lagging | None = None
        self._lacks = False  # events gave way, and the reset was not sent yet
        self._ended = False  # the job, as far as was heard
        self._over = False
        self._acts = 0
        self.on_leave: Callable[[], None] = lambda: None
        """Called when it follows no more; perhaps more than once."""

    # -- what differs -----------------------------------------------------------------------------

    @abstractmethod
    def form(self, what: Message | Notice | Reset) -> bytes:
        """As it is sent."""

    @abstractmethod
    def say_end(self) -> None:
        """The job has ended and the client has everything: closes the connection."""

    @abstractmethod
    def say_closing(self, code: codes.Code, retry_after: float | None, message: str | None) -> None:
        """Tells why, as far as that can still be told, and closes the connection. ``message``: in
        place of the code's own."""

    @abstractmethod
    def ping(self) -> None:
        """Sends a heartbeat."""

    # -- joining ----------------------------------------------------------------------------------

    def hand_over(self, joined: Joined) -> None:
        """Takes what was missed. It may be more than the outbox holds: it is bounded."""
        self.joined = joined
        epoch, end = joined.position.epoch, joined.position.offset
        too_many = joined.mode is Mode.FRESH and end > 0 and not joined.events
        with self._outbox.backlog():
            if joined.mode is Mode.RESET or too_many:
                self.send_reset(Reset(joined.channel, epoch, end, joined.snapshot))
            for event in joined.events:
                self._push(Message(joined.channel, epoch, event))
        self._ended = joined.job is not None and joined.job.ended

    @property
    def over(self) -> bool:
        """Whether it follows no more."""
        return self._over

    @property
    def has_all(self) -> bool:
        """Whether the job has ended and its client, who said what it has, lacks nothing of it."""
        return (
            self._ended
            and self.joined is not None
            and self.joined.mode is Mode.REPLAYED
            and not self.joined.events
        )

    def begin(self, line: Line) -> None:
        """The connection is there."""
        self._line = line
        if self._over:  # its slot was lost while it was being let in
            self.lost()
            return
        self._host.add(self)
        self._heartbeats.start(self)
        self.writable()

    # -- what the node's guests are asked ---------------------------------------------------------

    @property
    def sid(self) -> str:
        """Its name."""
        return self.slot

    @property
    def follows_now(self) -> Collection[str]:
        """The one channel."""
        return (self.channel,)

    @property
    def activity(self) -> object:
        """Changes with every event that is sent. Such a client sends nothing that counts."""
        return self._acts

    def warn(self) -> None:  # noqa: B027 - the same for all
        """There is no way to send another token, so it is not told: it comes back with one."""

    def send_away(self, code: codes.Code, message: str | None, retry_after: float | None) -> None:
        """Ends the connection."""
        self.close(code, retry_after, message)

    # -- what a feed calls ------------------------------------------------------------------------

    def deliver(self, messages: Sequence[Message]) -> None:
        """Sends the next events of the job."""
        if self._over:
            return
        self._acts += 1
        if self._line is not None and not (self._blocked or self._outbox or self._lagging):
            self._line.send(b"".join(map(self.form, messages)))
        else:
            for message in messages:
                if self._lagging is None or self._lagging.pass_on(message):
                    self._push(message)
        if messages[-1].ends_job:
            self._ended = True
            self._finish()

    def reset(self, notice: Reset) -> None:
        """Tells that the job's log goes on from another place."""
        if self._lagging is not None:
            self._lagging.forget(notice.channel)
        self.send_reset(notice)

    def shows_life(self) -> bool:
        """Its own heartbeat, or the system's, finds out in time when it does not."""
        return True

    def evicted(self, channel: str) -> None:
        """Another one has the slot."""
        del channel
        self.close(codes.TOO_MANY_CONNECTIONS, 10)

    def revoked(self, channel: str, code: codes.Code) -> None:
        """The client may not follow the job any more."""
        del channel
        self.close(code)

    # -- a slow client ----------------------------------------------------------------------------

    def send_reset(self, notice: Reset) -> None:
        """Sends the notice behind what was sent before."""
        if self._over:
            return
        self._lacks = False
        self._ended |= notice.ends_job
        self._push(notice)
        self._finish()

    @property
    def reading(self) -> bool:
        """Whether the client has taken everything that was queued."""
        return not (self._over or self._blocked or self._outbox)

    def _push(self, what: Message | Reset) -> None:
        data = self.form(what)
        if self._line is not None and self.reading:
            self._line.send(data)
        elif not self._outbox.offer(data):
            metrics.DROPPED.add(len(self._outbox) + 1)
            self._outbox.clear()  # all of it is the job's
            self._lacks = True
            self._lagging = self._lagging or Lagging(self, self._host.channels.summary)
            self._lagging.add([self.channel])

    def blocked(self) -> None:
        """The peer does not take what is written."""
        self._blocked = True

    def writable(self) -> None:
        """The peer has taken nearly everything: that counts as a sign of life."""
        if self._over or self._line is None:
            return
        self._blocked = False
        self._heartbeats.start(self)
        while self._outbox and not self._blocked:
            self._line.send(b"".join(self._outbox.take(HIGH_WATER)))
        if self._lagging is not None and self._lacks and self.reading:
            self._host.spawn(self._lagging.catch_up())
        self._finish()

    # -- what administrators see and do -----------------------------------------------------------

    door = ""

    @property
    def line(self) -> object:
        """The connection below."""
        return self._line

    def log_fields(self) -> Mapping[str, Any]:
        """What names it in the log."""
        return {"sid": self.slot, "user_id": self.principal.user_id, "door": self.door}

    @property
    def outbox_bytes(self) -> int:
        """What waits for the client to read it."""
        return self._outbox.bytes

    def written(self, channel: str, told: Told) -> bool | None:
        """As ``Written.written``. A stream that ends with its job has written everything."""
        if self._over:
            return self.ended_by == _ENDED
        if self._lagging is not None and self._lagging.lags(channel):
            return False
        if not self._outbox:
            return True
        self._outbox.tell_of_last(told)
        return None

    def tell(self, notice: Notice) -> bool:
        """Sends something that no log has, if there is room for it now; whether it did."""
        data = self.form(notice)
        if self._line is not None and self.reading:
            self._line.send(data)
            return True
        room = not self._over and self._outbox.bytes + len(data) <= self._outbox.limit
        return room and self._outbox.offer(data)

    def timed_out(self) -> None:
        """There was no sign of life in time."""
        if self._blocked:
            self.close(codes.SLOW_CONSUMER)
        else:
            self.lost()

    # -- the end ----------------------------------------------------------------------------------

    def _finish(self) -> None:
        if self._ended and self.reading and not self._lacks and self._line is not None:
            self.ended_by = _ENDED
            self.leave()
            self._host.leaves(self)
            self.say_end()

    def close(
        self, code: codes.Code, retry_after: float | None = None, message: str | None = None
    ) -> None:
        """Ends the connection, and tells why. ``message``: in place of the code's own."""
        if not self._over:
            self.ended_by = code.name
            if code is codes.SLOW_CONSUMER:
                metrics.SLOW_CONSUMERS.add()
            self.leave()
            if self._line is not None:
                self._host.leaves(self)
                self.say_closing(code, retry_after, message)

    def lost(self) -> None:
        """The peer is gone."""
        self.leave()
        self._host.gone(self)
        if self._line is not None:
            self._line.abort()

    def leave(self) -> None:
        """Follows no more."""
        self._over = True
        self._host.channels.unsubscribe(self, self.channel)
        self._heartbeats.stop(self)
        self._outbox.clear()
        self.on_leave()
