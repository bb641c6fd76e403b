"""A Redis connection that is read as its bytes come: no task and no await for each reply.

redis-py opens the connection (TLS, AUTH, SELECT) and hands it over. Its own way of reading awaits a
chain of coroutines for each reply, which costs several times what the reply itself does.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import hiredis
from redis.asyncio.connection import AbstractConnection

_INCOMPLETE: Final = object()


class ReplyStream(asyncio.Protocol):
    """Reads and writes what was ``connection``, from ``take_over`` on.

    ``on_replies`` gets all replies that one read completed, in order. ``on_writable`` is called
    when the peer took what was written and ``writable`` is true again.
    """

    def __init__(
        self, on_replies: Callable[[list[Any]], None], on_writable: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(notEnoughData=_INCOMPLETE)
        self._on_replies = on_replies
        self._on_writable = on_writable
        self._transport: asyncio.Transport | None = None
        self._former: asyncio.BaseProtocol | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        """Fails with the reason once nothing more will be read."""
        self.heard_at = self._loop.time()
        """When something was read last, by the loop's clock."""
        self.writable = False

    async def take_over(self, connection: AbstractConnection) -> None:
        """Takes the socket away from redis-py, which is connected and owes no reply.

        Raises ``ConnectionError`` when the server said something unasked. Whoever opened
        ``connection`` still disconnects it, without waiting for what will not come any more.
        """
        if await connection.can_read() or connection._writer is None:
            raise ConnectionError("the connection is not in order")
        self._transport = transport = cast("asyncio.Transport", connection._writer.transport)
        self._former = transport.get_protocol()
        transport.set_protocol(self)
        self.heard_at = self._loop.time()
        self.writable = True

    def send(self, *command: str | bytes | int) -> None:
        """Writes a command without waiting. Stop when ``writable`` is false."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(hiredis.pack_command(cast("Any", command)))

    def pause(self) -> None:
        """Reads no more until ``resume``: the server waits."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads on."""
        self.heard_at = self._loop.time()  # the time of the pause was not the peer's silence
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def fail(self, reason: BaseException) -> None:
        """Gives the connection up for ``reason``, unless it was lost before."""
        if not self.lost.done():
            self.lost.set_exception(reason)
            self.lost.exception()  # whoever waits gets it; that nobody waits is fine, too
        self.abort()

    def abort(self) -> None:
        """Cuts the connection off; nothing is read after it."""
        self.writable = False
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Passes on what this read completed. What fails in there ends the connection, and whoever
        waits for ``lost`` gets it."""
        if self.lost.done():
            return
        self.heard_at = self._loop.time()
        gets = self._reader.gets
        replies: list[Any] = []
        try:
            self._reader.feed(data)
            while (reply := gets()) is not _INCOMPLETE:
                replies.append(reply)
            if replies:
                self._on_replies(replies)
        except hiredis.HiredisError as error:
            self.fail(ConnectionError(f"not a Redis reply: {error}"))
        except Exception as error:  # noqa: BLE001 - asyncio would only log it
            self.fail(error)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = not self.lost.done()
        if self.writable:
            self._on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(exc or ConnectionError("closed by the server"))
        if self._former is not None:  # redis-py's end of it learns that there is nothing to close
            cast("asyncio.Protocol", self._former).connection_lost(exc)
