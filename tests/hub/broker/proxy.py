"""A TCP proxy that fails in the ways a test asks for, of single connections or of all."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator


class Proxy:
    """Forwards to 127.0.0.1:``target``. What is done to today's connections spares later ones."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._pipes: list[_Pipe] = []
        self.port = 0
        self.accepted = 0

    @property
    def url(self) -> str:
        """For clients without TLS."""
        return f"redis://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
        """Listens on ``port``, with TLS if given a context."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for pipe in self._pipes:
                await pipe.close()
            await server.wait_closed()

    def freeze(self) -> None:
        """Nothing goes through the present connections any more; they stay open."""
        for pipe in self._pipes:
            pipe.open.clear()

    async def deafen(self) -> None:
        """The server forgets all subscriptions of the present connections, and does not say so."""
        for pipe in self._pipes:
            await pipe.forget_subscriptions()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        upstream = await asyncio.open_connection("127.0.0.1", self._target)
        pipe = _Pipe((reader, writer), upstream)
        self._pipes.append(pipe)
        await pipe.run()


class _Pipe:
    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._client, self._server = client, server
        self._swallow = False
        self._done, self._finished = asyncio.Event(), asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def run(self) -> None:
        """Copies both ways until one side ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                up = tasks.create_task(self._copy(self._client[0], self._server[1]))
                down = tasks.create_task(self._copy(self._server[0], self._client[1]))
                closed = tasks.create_task(self._done.wait())
                await asyncio.wait([up, down, closed], return_when=asyncio.FIRST_COMPLETED)
                for task in (up, down, closed):
                    task.cancel()
        except* OSError:
            pass  # a connection that breaks has ended, too
        for writer in (self._client[1], self._server[1]):
            writer.transport.abort()
        self._finished.set()

    async def close(self) -> None:
        """Ends both connections."""
        self._done.set()
        await self._finished.wait()

    async def forget_subscriptions(self) -> None:
        """UNSUBSCRIBE without names is from all; what the server says to it is kept back."""
        self._swallow = True
        self._server[1].write(b"UNSUBSCRIBE\r\nSUNSUBSCRIBE\r\n")
        await self._server[1].drain()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self.open.wait()
            if self._swallow and b"unsubscribe" in data:
                continue
            target.write(data)
            await target.drain()
