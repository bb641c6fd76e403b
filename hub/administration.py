"""What a node needs for its administrators and operators, put together."""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from config.settings import Settings
from hub.broker.backlog import Backlog
from hub.broker.connect import open_redis
from hub.broker.control import BLOCK, Control
from hub.broker.figures import FiguresStore
from hub.broker.journal import Journal
from hub.broker.keys import Keys
from hub.broker.logins import LoginStore
from hub.broker.nodes import Nodes
from hub.broker.traces import TraceStore
from hub.delivery.witness import Witness
from hub.domain.versions import Versions
from hub.gateways.http.metrics import MetricsResource
from hub.gateways.http.operation import Operation
from hub.gateways.lookout import Lookout
from hub.gateways.orders import Orders
from hub.gateways.presence import Presence
from hub.gateways.sampler import Sampler
from hub.gateways.sio.admin import AdminNamespace
from hub.gateways.sio.admin_commands import AdminCommands
from hub.gateways.sio.admin_ui import NAMESPACE as UI
from hub.gateways.sio.admin_ui import AdminUiNamespace
from hub.gateways.sio.server import SocketServer
from hub.gateways.sio.topics import Topics
from hub.gateways.streams import Streams
from hub.gateways.wire import Wire
from hub.services.admin.broadcast import Broadcasts
from hub.services.admin.cluster import Cluster
from hub.services.admin.logins import Logins
from hub.services.admin.passwords import Passwords
from hub.services.admin.stats import Stats
from hub.services.admin.tails import Tails
from hub.services.admin.trace import Traces
from hub.services.admin.trail import Trail
from hub.services.bans import Bans
from hub.services.following import Following
from hub.services.guests import Guests
from hub.services.identity import Identity
from hub.services.tracing import Tracer
from hub.stores.audit import Audit
from hub.stores.events import Events
from hub.stores.heads import Heads
from hub.stores.mongo import Database
from hub.stores.notifications import Notifications


class Administration:
    """The namespace ``/admin``, ``/metrics``, and this node's part in what administrators ask."""

    def __init__(
        self,
        settings: Settings,
        redis: Redis,
        db: Database,
        heads: Heads,
        *,
        nodes: Nodes,
        sio: SocketServer,
        streams: Streams,
        following: Following,
        witness: Witness,
        guests: Guests,
        identity: Identity,
        bans: Bans,
        topics: Topics,
        versions: Versions,
    ) -> None:
        keys = Keys(settings.partitions)
        self._reading = open_redis(settings.redis_url or "", timeout=3 * BLOCK, max_connections=4)
        self.control = Control(redis, self._reading, nodes.me.id)
        presence, backlog = Presence(sio, streams), Backlog(redis, keys)
        Orders(presence, guests, bans, nodes.me.id).register(self.control)
        sampler = Sampler(presence, following, nodes)
        self._stats = Stats(FiguresStore(redis), nodes, backlog, heads, sampler.sample)
        self._trail = Trail(Audit(db, timedelta(seconds=settings.audit_retention)))
        self._metrics = MetricsResource(sampler, backlog)
        cluster = Cluster(self.control, nodes)
        broadcasts = Broadcasts(cluster, Journal(redis, keys))
        wire = Wire(settings.log_wire, presence)
        sio.arrives = streams.arrives = wire.arrives
        store = TraceStore(redis)
        self._tracer = Tracer(store, nodes.me.id, settings.trace_sample, witness)
        self._tracer.on_watched = wire.follow
        self._tails = Tails(store, self.control, cluster, self._tracer)
        traces = Traces(store, Events(db), Notifications(db), backlog)
        commands = AdminCommands(
            *(cluster, broadcasts, self._stats, backlog, heads, self._trail, traces, self._tails)
        )
        table = commands.table() | commands.ban_table(bans)
        self._namespace = AdminNamespace(
            identity, guests, self._stats, self._trail, table, settings.rate_commands, versions
        )
        self._namespace.on_gone = self._tails.end
        sio.register("/admin", self._namespace)
        Lookout(presence, nodes, topics).register(self.control)
        self._ui: AdminUiNamespace | None = None
        if settings.socketio_admin:
            logins = _logins(settings, LoginStore(redis), identity, guests)
            rate = settings.rate_commands
            self._ui = AdminUiNamespace(logins, guests, cluster, self._trail, rate)
            sio.register(UI, self._ui)

    def operations(self) -> list[Operation]:
        """The HTTP resources."""
        return self._metrics.operations()

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run as long as the node does."""
        return [
            *(self.control.run(), self._stats.run(), self._trail.run(), self._namespace.run()),
            *(self._tracer.run(), self._tails.run()),
            *(() if self._ui is None else (self._ui.run(),)),
        ]

    async def close(self) -> None:
        """Takes this node off the figures, records what is not yet, and frees connections. To be
        called when what has to run has ended."""
        await self._trail.close()
        await self._stats.leave()
        await self._reading.aclose()


def _logins(settings: Settings, store: LoginStore, identity: Identity, guests: Guests) -> Logins:
    """Who may use the stock Socket.IO admin UI."""
    secret = settings.socketio_admin_password_hash
    hashed = "" if secret is None else secret.get_secret_value()
    passwords = Passwords(settings.socketio_admin_user, hashed) if hashed else None
    return Logins(store, identity, guests, passwords, hashed)
