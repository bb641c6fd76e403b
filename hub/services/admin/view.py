"""The connections of the whole cluster, as the stock Socket.IO admin UI is told of them."""

from typing import Any, Final

import msgspec

from hub.domain import times
from hub.services.admin.cluster import Cluster
from hub.services.admin.orders import Changed, Glance, Server, Socket

GONE: Final = "transport close"
"""Why a connection ended, as far as the UI is told; the log of its node says why."""

SOCKETS_AT_MOST: Final = 5000
"""That a UI is told of at once."""

Told = tuple[Any, ...]
"""An event's name and arguments."""


class _Node:
    def __init__(self, server: Server) -> None:
        self.number = 0
        self.server = server
        self.sockets: dict[str, Socket] = {}


class View:
    """What the nodes said last. Empty until ``refresh``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._nodes: dict[str, _Node] = {}

    def forget(self) -> None:
        """Nobody looks."""
        self._nodes = {}

    def sockets(self) -> list[Socket]:
        """Those that are known."""
        found = [each for node in self._nodes.values() for each in node.sockets.values()]
        return found[:SOCKETS_AT_MOST]

    def servers(self) -> list[Told]:
        """The nodes' figures."""
        return [("server_stats", node.server) for node in self._nodes.values()]

    async def refresh(self) -> list[Told]:
        """Asks all nodes; what has changed since. A node that does not answer in time keeps what it
        has, as long as it lives. Raises ``HubError`` UNAVAILABLE."""
        alive, glances = await self._cluster.look(
            {name: node.number for name, node in self._nodes.items()}
        )
        told: list[Told] = []
        at = times.wire(times.now())
        for name in self._nodes.keys() - set(alive):
            told += [_went(each, at) for each in self._nodes.pop(name).sockets.values()]
        for name, glance in glances.items():
            node = self._nodes.setdefault(name, _Node(glance.server))
            node.number, node.server = glance.number, glance.server
            told += news(node.sockets, glance, at)
        return told


def news(known: dict[str, Socket], glance: Glance, at: str) -> list[Told]:
    """What ``glance`` says that is not ``known``, which it is from then on."""
    came = {each.id: each for each in glance.came}
    went = [sid for sid in known if sid not in came] if glance.whole else glance.went
    told = [_went(known.pop(sid), at) for sid in went if sid in known]
    for each in glance.changed:
        if each.id in known:
            told += _change(known, each, at)
    for sid, socket in came.items():
        if sid in known:
            told += _change(known, Changed(sid, socket.transport, socket.rooms), at)
        else:
            known[sid] = socket
            told.append(("socket_connected", socket, at))
    return told


def _change(known: dict[str, Socket], now: Changed, at: str) -> list[Told]:
    before, told = known[now.id], list[Told]()
    if before.transport != now.transport:
        update = {"id": now.id, "nsp": before.nsp, "transport": now.transport}
        told.append(("socket_updated", update))
    for room in now.rooms:
        if room not in before.rooms:
            told.append(("room_joined", before.nsp, room, now.id, at))
    for room in before.rooms:
        if room not in now.rooms:
            told.append(("room_left", before.nsp, room, now.id, at))
    known[now.id] = msgspec.structs.replace(before, transport=now.transport, rooms=now.rooms)
    return told


def _went(socket: Socket, at: str) -> Told:
    return "socket_disconnected", socket.nsp, socket.id, GONE, at
