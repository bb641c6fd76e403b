"""The figures of nodes in Redis: those of the moment, and the cluster's of the last minutes."""

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from hub.broker import keys as key_names
from hub.broker.connect import command

KEPT: Final = 450
"""Entries of the history: fifteen minutes of one every two seconds."""

_LIVES: Final = 900  # seconds


class FiguresStore:
    """Writing and reading them. Raises ``redis.RedisError``."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, node: str, figures: bytes, seconds: float) -> None:
        """Keeps a node's figures for that long."""
        key = key_names.figures(node)
        await command(self._redis.set(key, figures, px=int(seconds * 1000)))

    async def drop(self, node: str) -> None:
        """Forgets a node that leaves."""
        await command(self._redis.delete(key_names.figures(node)))

    async def get(self, nodes: Sequence[str]) -> list[bytes]:
        """The figures of those of ``nodes`` that have any."""
        return list((await self.by_node(nodes)).values())

    async def by_node(self, nodes: Sequence[str]) -> dict[str, bytes]:
        """As ``get``, by node."""
        if not nodes:
            return {}
        found = await command(self._redis.mget([key_names.figures(node) for node in nodes]))
        return _by_node(nodes, found)

    async def latest(self, nodes: Sequence[str]) -> tuple[dict[str, bytes], bytes | None]:
        """As ``by_node``, and the newest entry of the history if there is one; in one round
        trip."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xrevrange(key_names.HISTORY, count=1)
            if nodes:
                pipe.mget([key_names.figures(node) for node in nodes])
            entries, *found = await pipe.execute()
        newest = entries[0][1].get(b"f") if entries else None
        return _by_node(nodes, found[0]) if found else {}, newest

    async def add_to_history(self, at_ms: int, entry: bytes) -> bool:
        """Adds the entry of that moment; False when another node was faster."""
        fields: dict[Any, Any] = {"f": entry}
        key, moment = key_names.HISTORY, f"{at_ms}-0"
        try:
            await command(self._redis.xadd(key, fields, moment, maxlen=KEPT, approximate=True))
        except ResponseError as error:
            if "equal or smaller" not in str(error):
                raise
            return False
        await command(self._redis.expire(key, _LIVES))
        return True

    async def history(self, count: int = KEPT) -> list[bytes]:
        """The newest entries, oldest first."""
        found = await command(self._redis.xrevrange(key_names.HISTORY, count=count))
        return [fields[b"f"] for _, fields in reversed(found) if b"f" in fields]

    async def ingested(self) -> int:
        """How many events were stored, ever."""
        found = await command(self._redis.get(key_names.INGESTED))
        return int(found) if found and found.isdigit() else 0


def _by_node(nodes: Sequence[str], found: Sequence[bytes | None]) -> dict[str, bytes]:
    pairs = zip(nodes, found, strict=True)
    return {node: raw for node, raw in pairs if raw is not None}
