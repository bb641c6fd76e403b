"""The connections of all nodes, whichever node is asked."""

from typing import Any, Final, TypeVar

import msgspec

from hub.broker.control import Control
from hub.broker.nodes import Nodes
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

Result = TypeVar("Result")


class Cluster:
    """Tells and asks all nodes. Everything raises ``HubError`` UNAVAILABLE without Redis."""

    def __init__(self, control: Control, nodes: Nodes) -> None:
        self._control = control
        self._nodes = nodes

    async def kick(
        self,
        target: Target,
        code: codes.Code,
        message: str | None = None,
        retry_after: float | None = None,
    ) -> Kicked:
        """Ends connections, on every node and door; how many answered to that, and whose."""
        order = Kick(target, code.name, message, retry_after)
        answers = await self._ask(KICK, order, Kicked)
        users = sorted({user for each in answers for user in each.users})
        return Kicked(sum(each.connections for each in answers), users)

    async def find(self, target: Target, after: str, limit: int) -> list[Found]:
        """Up to ``limit`` connections in the order of their sids, after the one given."""
        answers = await self._ask(FIND, Find(target, after, limit), list[Found])
        found = [connection for each in answers for connection in each]
        return sorted(found, key=lambda one: one.sid)[:limit]

    async def say(self, what: Say) -> int:
        """Gives connections an event that no log has; how many that were."""
        return sum(await self._ask(SAY, what, int))

    async def viewers(self, channel: str) -> list[str]:
        """The users who follow a channel now."""
        answers = await self._ask(VIEWERS, Viewers(channel), list[str])
        return sorted({user for each in answers for user in each})

    async def steer(self, what: Steer) -> Steered:
        """Makes connections join or leave a channel, or ends them."""
        answers = await self._ask(STEER, what, Steered)
        return Steered(sum(each.done for each in answers), sum(each.refused for each in answers))

    async def look(self, seen: dict[str, int]) -> tuple[list[str], dict[str, Glance]]:
        """The nodes that live, and what those that answered have to tell since ``seen``."""
        nodes, answers = await self._answers(LOOK, Look(self._nodes.me.id, seen))
        found = {node: msgspec.json.decode(raw, type=Glance) for node, raw in answers.items()}
        return nodes, found

    async def _ask(self, kind: str, body: Any, shape: type[Result]) -> list[Result]:
        _, answers = await self._answers(kind, body)
        return [msgspec.json.decode(raw, type=shape) for raw in answers.values()]

    async def _answers(self, kind: str, body: Any) -> tuple[list[str], dict[str, bytes]]:
        async with patiently():
            nodes = [node.id for node in await self._nodes.alive()]
            return nodes, await self._control.ask(kind, body, nodes, within=WITHIN)
