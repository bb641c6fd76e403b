"""The connections of all nodes, whichever node is asked."""

import asyncio
from typing import Any, Final, Generic, NamedTuple, TypeVar

from msgspec import UNSET

from config.logs import get_logger
from hub.broker.control import Control
from hub.broker.nodes import Nodes
from hub.broker.records import Records
from hub.domain import codes
from hub.services.admin.orders import (
    FIND,
    KICK,
    LOOK,
    SAY,
    STEER,
    VIEWERS,
    Find,
    Found,
    Glance,
    Kick,
    Kicked,
    Look,
    Say,
    Steer,
    Steered,
    Target,
    Viewers,
)
from hub.services.patience import patiently

WITHIN: Final = 1.0
"""Seconds that nodes have to answer; who does not is dead, or will do it when it is back."""

_ABOUT: Final = 0.05  # seconds; so well it is known when a heart beat
_log = get_logger(__name__)

Result = TypeVar("Result")


class Gathered(NamedTuple, Generic[Result]):
    """What the nodes answered, taken together. ``missing``: the nodes that have a lease and did not
    answer, or not so that it can be read; what they were told they do when they are back."""

    found: Result
    missing: list[str]


class Cluster:
    """Tells and asks all nodes. Everything raises ``HubError`` UNAVAILABLE without Redis.

    Who did not answer once is waited for no longer than a moment until its heart has beaten again:
    while a node is dead, and its lease not over, only the first question takes ``WITHIN``.
    """

    def __init__(self, control: Control, nodes: Nodes) -> None:
        self._control = control
        self._nodes = nodes
        self._silent: dict[str, float] = {}  # node → when it was asked in vain, by the loop's clock
        self._kicked = Records("answer", Kicked)
        self._found = Records("answer", list[Found])
        self._counts = Records("answer", int)
        self._names = Records("answer", list[str])
        self._steered = Records("answer", Steered)
        self._glances = Records("answer", Glance)

    async def kick(
        self,
        target: Target,
        code: codes.Code,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        until: float | None = None,
    ) -> Gathered[Kicked]:
        """Ends connections, on every node and door; how many answered to that, and whose.
        ``until``: each node bans their users until then (Unix seconds), however late it hears of
        this; up to a thousand of a node are named."""
        order = Kick(target, code.name, message, retry_after, until)
        answers, missing = await self._ask(KICK, order, self._kicked)
        users = sorted({user for each in answers for user in each.users})
        return Gathered(Kicked(sum(each.connections for each in answers), users), missing)

    async def find(self, target: Target, after: str, limit: int) -> Gathered[list[Found]]:
        """Up to ``limit`` connections in the order of their sids, after the one given."""
        answers, missing = await self._ask(FIND, Find(target, after, limit), self._found)
        found = [connection for each in answers for connection in each]
        return Gathered(sorted(found, key=lambda one: one.sid)[:limit], missing)

    async def say(self, what: Say) -> Gathered[int]:
        """Gives connections an event that no log has; how many that were."""
        counts, missing = await self._ask(SAY, what, self._counts)
        return Gathered(sum(counts), missing)

    async def viewers(self, channel: str) -> Gathered[list[str]]:
        """The users who follow a channel now."""
        answers, missing = await self._ask(VIEWERS, Viewers(channel), self._names)
        return Gathered(sorted({user for each in answers for user in each}), missing)

    async def steer(self, what: Steer) -> Steered:
        """Makes connections join or leave a channel, or ends them."""
        answers, missing = await self._ask(STEER, what, self._steered)
        done, refused = sum(each.done for each in answers), sum(each.refused for each in answers)
        return Steered(done, refused, missing or UNSET)

    async def look(self, seen: dict[str, int]) -> tuple[list[str], dict[str, Glance]]:
        """The nodes that live, and what those that answered have to tell since ``seen``."""
        nodes, answers = await self.ask(LOOK, Look(self._nodes.me.id, seen))
        return nodes, _read(self._glances, answers)

    async def ask(self, kind: str, body: Any) -> tuple[list[str], dict[str, bytes]]:
        """The nodes that have a lease, and what those that answered said, by node."""
        async with patiently():
            nodes = [node.id for node in await self._nodes.alive()]
            doubted, began = await self._doubted(nodes), asyncio.get_running_loop().time()
            found = await self._control.ask(kind, body, nodes, within=WITHIN, doubted=doubted)
        for node in found:
            self._silent.pop(node, None)
        if fresh := [node for node in nodes if node not in found and node not in self._silent]:
            _log.warning("cluster.not_answered", nodes=fresh, kind=kind)
            self._silent.update(dict.fromkeys(fresh, began))
        return nodes, found

    async def _ask(
        self, kind: str, body: Any, records: Records[Result]
    ) -> tuple[list[Result], list[str]]:
        nodes, answers = await self.ask(kind, body)
        found = _read(records, answers)
        return list(found.values()), [node for node in nodes if node not in found]

    async def _doubted(self, nodes: list[str]) -> frozenset[str]:
        """Of those that live, who has not beaten since it was asked in vain."""
        self._silent = {node: at for node, at in self._silent.items() if node in nodes}
        if self._silent:
            now, beaten = asyncio.get_running_loop().time(), await self._nodes.beaten(nodes)
            for node, at in list(self._silent.items()):
                if node in beaten and beaten[node] < now - at - _ABOUT:
                    del self._silent[node]
        return frozenset(self._silent)


def _read(records: Records[Result], answers: dict[str, bytes]) -> dict[str, Result]:
    found = {node: records.read(raw, node) for node, raw in answers.items()}
    return {node: each for node, each in found.items() if each is not None}
