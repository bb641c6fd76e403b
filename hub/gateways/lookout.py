"""What this node tells the stock Socket.IO admin UI of its connections, on whichever node that is,
and what it does to them for it. Between two questions nothing is done and, once nobody has asked
for a while, nothing is kept."""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from hub.broker.control import Control, Later
from hub.broker.nodes import Nodes
from hub.domain import codes, times
from hub.gateways.presence import Presence
from hub.gateways.present import Present
from hub.gateways.sio.connection import Connection
from hub.gateways.sio.server import Client
from hub.gateways.sio.topics import Topics
from hub.services.admin.orders import (
    LOOK,
    STEER,
    Changed,
    Glance,
    Handshake,
    Look,
    Server,
    Socket,
    Steer,
    Steered,
)

SHOWN: Final = 1000
"""Connections of a node that are shown, those that have been there longest; all are counted."""

FORGOTTEN_AFTER: Final = 15.0
"""Seconds after the last question of a node that looks."""

REDACTED: Final = "[redacted]"
_OPEN: Final = frozenset({"HTTP_HOST", "HTTP_ORIGIN", "HTTP_X_FORWARDED_PROTO"})
_SLICE: Final = 0.005  # seconds at a time, of thousands of connections
_STEERED_WITHIN: Final = 0.7
_ID_SHOWN: Final = 12


class _Viewer:
    """What a node that looks was told."""

    def __init__(self) -> None:
        self.number = 0
        self.told: dict[str, tuple[str, list[str]]] = {}  # sid → transport, rooms
        self.timer: asyncio.TimerHandle | None = None


class Lookout:
    """The connections of ``presence``, in the terms of the admin UI."""

    def __init__(self, presence: Presence, nodes: Nodes, topics: Topics) -> None:
        self._presence = presence
        self._nodes = nodes
        self._topics = topics
        self._viewers: dict[str, _Viewer] = {}

    def register(self, control: Control) -> None:
        """Has ``control`` bring questions and orders here."""
        control.on(LOOK, self.look)
        control.on(STEER, self.steer)

    @property
    def viewers(self) -> int:
        """How many nodes look."""
        return len(self._viewers)

    # -- looking ----------------------------------------------------------------------------------

    async def look(self, body: bytes) -> Glance:
        """What has changed since the same viewer was told last, or everything."""
        order = msgspec.json.decode(body, type=Look)
        viewer = self._viewer(order.viewer)
        whole = viewer.number == 0 or order.seen.get(self._nodes.me.id) != viewer.number
        before = {} if whole else viewer.told
        now: dict[str, tuple[str, list[str]]] = {}
        came, changed = list[Socket](), list[Changed]()
        count = _Count()
        async for each in self._slices():
            count.add(each)
            if len(now) >= SHOWN:
                continue
            sid, state = each.sid, (_transport(each), [each.sid, *each.follows_now])
            now[sid] = state
            if sid not in before:
                came.append(_socket(each, *state))
            elif before[sid] != state:
                changed.append(Changed(sid, *state))
        viewer.number += 1
        viewer.told = now
        went = [sid for sid in before if sid not in now]
        return Glance(viewer.number, whole, self._server(count), came, changed, went)

    def _viewer(self, node: str) -> _Viewer:
        viewer = self._viewers.setdefault(node, _Viewer())
        if viewer.timer is not None:
            viewer.timer.cancel()
        loop = asyncio.get_running_loop()
        viewer.timer = loop.call_later(FORGOTTEN_AFTER, self._viewers.pop, node, None)
        return viewer

    def _server(self, count: "_Count") -> Server:
        me = self._nodes.me
        return Server(
            server_id=me.id,
            hostname=me.host,
            pid=me.pid,
            uptime=round((times.now() - me.started_at).total_seconds(), 1),
            clients_count=len(count.clients),
            polling_clients_count=count.polling,
            namespaces=[{"name": name, "socketsCount": n} for name, n in count.namespaces.items()],
        )

    async def _slices(self) -> AsyncIterator[Present]:
        """All connections, between which others get their turn."""
        clock = asyncio.get_running_loop().time
        pause = clock() + _SLICE
        for each in self._presence:
            yield each
            if clock() > pause:
                await asyncio.sleep(0)
                pause = clock() + _SLICE

    # -- acting -----------------------------------------------------------------------------------

    async def steer(self, body: bytes) -> Steered | Later:
        """Makes connections join or leave a channel, or ends them. A connection joins what its user
        may read, and nothing else. What several orders do to a connection it does in their order:
        once this returns all are in its line, and what others may be asked first is waited for
        later."""
        order = msgspec.json.decode(body, type=Steer)
        meant = [each async for each in self._slices() if _is_meant(order, each)]
        if order.channel is None:
            for each in meant:
                each.send_away(codes.KICKED, None, None)
            return Steered(done=len(meant))
        steered = [each for each in meant if isinstance(each, Connection)][:SHOWN]
        group = _Group(self._topics, order.channel, follow=order.act == "join")
        group.begin(steered, others=len(meant) - len(steered))
        return Later(group.over)


class _Group:
    """Connections that are made to follow or leave a channel."""

    def __init__(self, topics: Topics, channel: str, *, follow: bool) -> None:
        self._topics = topics
        self._channel = channel
        self._follow = follow
        self._done = self._refused = self._left = 0
        self._over = asyncio.Event()

    def begin(self, connections: list[Connection], *, others: int) -> None:
        """Has them do it; ``others`` may not."""
        self._left, self._refused = len(connections), others
        if not connections:
            self._over.set()
        for each in connections:
            each.spawn(self._one(each))

    async def over(self) -> Steered:
        """How many did. What takes long goes on."""
        try:
            async with asyncio.timeout(_STEERED_WITHIN):
                await self._over.wait()
        except TimeoutError:
            pass
        return Steered(self._done, self._refused)

    async def _one(self, connection: Connection) -> None:
        try:
            await self._topics.steer(connection, self._channel, follow=self._follow)
        except codes.HubError:
            self._refused += 1
        else:
            self._done += 1
        finally:
            self._left -= 1
            if not self._left:
                self._over.set()


class _Count:
    """What there is of the connections that were looked at."""

    def __init__(self) -> None:
        self.namespaces: Counter[str] = Counter()
        self.clients: set[object] = set()
        self.polling = 0

    def add(self, each: Present) -> None:
        """One more."""
        client = _client(each)
        self.namespaces[_namespace(each)] += 1
        self.clients.add(each.sid if client is None else client.socket)
        self.polling += _transport(each) == "polling"


def _is_meant(order: Steer, each: Present) -> bool:
    if _namespace(each) != order.nsp:
        return False
    return order.only is None or order.only == each.sid or order.only in each.follows_now


def _client(each: Present) -> Client | None:
    found = getattr(each, "client", None)
    return found if isinstance(found, Client) else None


def _namespace(each: Present) -> str:
    client = _client(each)
    return each.door.lower() if client is None else client.namespace


def _transport(each: Present) -> str:
    client = _client(each)
    if client is None:
        return each.door.lower()
    return "polling" if client.socket.websocket is None else "websocket"


def _socket(each: Present, transport: str, rooms: list[str]) -> Socket:
    client = _client(each)
    environ = {} if client is None else client.environ
    secret = each.sid if client is None else client.socket.sid
    issued = int(each.began * 1000)
    return Socket(
        id=each.sid,
        client_id=hashlib.sha256(secret.encode()).hexdigest()[:_ID_SHOWN],
        transport=transport,
        nsp=_namespace(each),
        data={"userId": each.principal.user_id, "outboxBytes": each.outbox_bytes},
        handshake=Handshake(
            address=each.address,
            headers=headers(environ),
            query={} if client is None else {"EIO": "4", "transport": transport},
            issued=issued,
            time=time.strftime("%a %b %d %Y %H:%M:%S GMT+0000", time.gmtime(each.began)),
            url="" if client is None else "/socket.io/",
            secure=environ.get("wsgi.url_scheme") == "https",
            xdomain="HTTP_ORIGIN" in environ,
        ),
        rooms=rooms,
    )


def headers(environ: dict[str, Any]) -> dict[str, str]:
    """The headers of a handshake. What is not known to be harmless is not shown."""
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        if name in _OPEN
        else REDACTED
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
