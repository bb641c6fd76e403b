"""Where things are in a Redis Cluster."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ClusterDownError
from redis.exceptions import ConnectionError as RedisConnectionError

from hub.broker.urls import Address, ServersUrl

SLOTS: Final = 16384
_ASKED_AT_ONCE: Final = 5


class Shards:
    """The primaries of a cluster: which slots each has, as far as known, and a client for each."""

    def __init__(self, servers: ServersUrl, options: Mapping[str, Any]) -> None:
        self._servers = servers
        self._options = options
        self._clients: dict[Address, Redis] = {}
        self._owners: list[Address | None] = []  # by slot
        self._primaries: list[Address] = []
        self._lookup = asyncio.Lock()
        self.version = 0
        """Rises with every look-up."""

    def client(self, address: Address) -> Redis:
        """The client of one server."""
        if address not in self._clients:
            self._clients[address] = Redis.from_url(self._servers.of(*address), **self._options)
        return self._clients[address]

    async def primaries(self) -> list[Address]:
        """Every server that has slots. Raises ``redis.RedisError`` when no server answers."""
        if not self.version:
            await self.look_up(0)
        return self._primaries

    async def owner(self, slot: int | None) -> Address | None:
        """The server that has the slot, None if nobody has; any server when ``slot`` is None.
        Raises ``redis.RedisError`` when no server answers."""
        primaries = await self.primaries()
        return random.choice(primaries) if slot is None else self._owners[slot]  # noqa: S311

    def moved(self, slot: int, owner: Address) -> None:
        """Notes what a server said of a slot."""
        self._owners[slot] = owner
        if owner not in self._primaries:
            self._primaries.append(owner)

    async def look_up(self, seen: int) -> None:
        """Asks who has which slots, unless somebody did since ``version`` was ``seen``. Raises
        ``redis.RedisError`` when nobody knows."""
        async with self._lookup:
            if self.version != seen:
                return
            asked, ranges = await self._ask_anyone()
            owners: list[Address | None] = [None] * SLOTS
            for first, last, primary, *_ in ranges:
                host = primary[0].decode() if primary[0] else asked[0]
                owners[first : last + 1] = [(host, int(primary[1]))] * (last + 1 - first)
            primaries = sorted({owner for owner in owners if owner is not None})
            if not primaries:
                raise ClusterDownError("no slot is served")
            self._owners, self._primaries = owners, primaries
            self.version += 1
            gone = self._clients.keys() - {*primaries, *self._servers.addresses}
            closing = [self._clients.pop(address).aclose() for address in gone]
        # A server that is gone may fail to say good-bye: nobody minds.
        await asyncio.gather(*closing, return_exceptions=True)

    async def _ask_anyone(self) -> tuple[Address, list[Any]]:
        """The first answer out of a few servers, chosen anew each time: one of them may hang, or
        be cut off from the others and know nothing of it."""
        known = sorted({*self._primaries, *self._servers.addresses})
        some = random.sample(known, min(len(known), _ASKED_AT_ONCE))
        asks = {asyncio.create_task(self._ranges(one)): one for one in some}
        failure: BaseException = RedisConnectionError("no server to ask")
        waiting = set(asks)
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for ask in done:
                    error = ask.exception()
                    if error is None:
                        return asks[ask], ask.result()
                    failure = error
        finally:
            for ask in waiting:
                ask.cancel()
            await asyncio.gather(*asks, return_exceptions=True)
        raise failure

    async def _ranges(self, server: Address) -> Any:
        return await self.client(server).execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]

    async def aclose(self) -> None:
        """Closes all connections."""
        for client in self._clients.values():
            await client.aclose()
