"""One hub node: puts the parts together, serves until it is told to stop."""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from typing import Any, Final

import uvloop
from aiohttp import web

from config.logs import get_logger, say_always, setup_logging
from config.settings import Settings
from hub import __version__, telemetry
from hub.administration import Administration
from hub.broker.attendance import Attendance
from hub.broker.connect import open_redis
from hub.broker.emitters import Emitters
from hub.broker.hotlog import Batch, HotLog
from hub.broker.journal import Journal
from hub.broker.keys import ORDERS, Keys
from hub.broker.live import LiveChannels
from hub.broker.nodes import Nodes, this_node
from hub.broker.orders import OrderBook
from hub.broker.receipts import Receipts
from hub.broker.sessions import Sessions
from hub.broker.slots import Slots
from hub.broker.tickets import TicketStore
from hub.broker.windows import Windows
from hub.delivery.cork import Cork
from hub.delivery.witness import Witness
from hub.domain import times
from hub.domain.versions import SPOKEN, Versions
from hub.gateways.addresses import addresses
from hub.gateways.contract.asyncapi import AsyncApiResource
from hub.gateways.doors import Doors
from hub.gateways.gate import Gate
from hub.gateways.http.demo import DemoPage
from hub.gateways.http.edge import EdgeRunner
from hub.gateways.http.headers import protected
from hub.gateways.http.health import HealthResources
from hub.gateways.http.inbox import InboxResources
from hub.gateways.http.jobs import JobResources
from hub.gateways.http.openapi import OpenApiResource
from hub.gateways.http.operation import Operation, routes
from hub.gateways.http.origins import grant, origins
from hub.gateways.http.pages import console_operations, docs_operations
from hub.gateways.http.problems import problems
from hub.gateways.http.publish import PublishResource
from hub.gateways.http.request import BODY_AT_MOST
from hub.gateways.http.tickets import TicketResource
from hub.gateways.http.versions import versions as spoken_versions
from hub.gateways.sio.commands import ChannelCommands
from hub.gateways.sio.drain import drain
from hub.gateways.sio.emissions import Emissions
from hub.gateways.sio.hub import HubNamespace
from hub.gateways.sio.identity import IdentityCommands
from hub.gateways.sio.inbox import InboxCommands
from hub.gateways.sio.server import SocketServer
from hub.gateways.streams import Streams
from hub.handover import Handover
from hub.readiness import checks, needed_to_connect, prepare
from hub.services.authenticate import Authenticator
from hub.services.authorize import open_authorizer
from hub.services.bans import Bans
from hub.services.catchup import CatchUp
from hub.services.channels import Channels
from hub.services.following import Following
from hub.services.guests import Guests
from hub.services.health import Health, Watch
from hub.services.identity import Identity
from hub.services.inbox.inbox import Inbox
from hub.services.inbox.stores import inbox_stores
from hub.services.jobs import Jobs
from hub.services.limits import Limits
from hub.services.publish import Publishing
from hub.services.rechecks import Rechecks
from hub.services.recovery import Recovery
from hub.services.tickets import Tickets
from hub.stores.events import Events
from hub.stores.heads import Heads
from hub.stores.mongo import close_mongo, open_mongo
from hub.telemetry import Spans

DRAIN: Final = web.AppKey[Callable[[float], Coroutine[Any, Any, None]]]("drain")
"""Takes the node out of service and sends its clients away, within that many seconds."""

SOCKETS: Final = web.AppKey("sockets", SocketServer)
NODES: Final = web.AppKey("nodes", Nodes)
OPERATIONS: Final = web.AppKey[list[Operation]]("operations")
GUESTS: Final = web.AppKey("guests", Guests)
BANS: Final = web.AppKey("bans", Bans)
FOLLOWING: Final = web.AppKey("following", Following)

BACKLOG: Final = 4096
_STOP_TIMEOUT: Final = 2.0
_PATIENCE: Final = 2.0  # seconds that the start waits for Redis before it serves without
_log = get_logger(__name__)


def run_node(
    settings: Settings,
    sock: socket.socket,
    *,
    on_ready: Callable[[], None],
    handover: Handover | None = None,
    demo_page: bool = False,
) -> None:
    """Serves one node on the bound socket ``sock``; returns after SIGTERM or SIGINT.

    ``on_ready`` is called once the node answers. A store that is out of reach does not stop the
    start: ``/readyz`` says so until it is back. ``handover``: this node is one of several processes
    on an address. ``demo_page``: it serves the page, and the tokens for it, to whoever comes.
    """
    setup_logging(settings.log_level, settings.log_format)
    with (
        telemetry.started("hub-node", wanted=settings.otel),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(settings, sock, on_ready, handover, demo_page=demo_page))


async def _serve(
    settings: Settings,
    sock: socket.socket,
    on_ready: Callable[[], None],
    handover: Handover | None,
    *,
    demo_page: bool,
) -> None:
    stopping, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: (hurry if stopping.is_set() else stopping).set())
    pages = DemoPage(settings).operations() if demo_page else []
    async with node(settings, handover, _address(sock), more=pages) as app:
        patience = settings.request_timeout
        runner = EdgeRunner(app, patience=patience, shutdown_timeout=_STOP_TIMEOUT)
        await runner.setup()
        try:
            sock.setblocking(False)
            site = web.SockSite(runner, sock, backlog=BACKLOG)
            await site.start()
            relax_garbage_collection()
            async with handover.serving(runner) if handover else nullcontext():
                on_ready()
                await stopping.wait()
                if handover is not None:  # new connections go to the other processes
                    await site.stop()
                await _drain(app[DRAIN](settings.drain_seconds), hurry)
        finally:
            await runner.cleanup()


async def _drain(draining: Coroutine[Any, Any, None], hurry: asyncio.Event) -> None:
    """Drains; a second signal cuts that short."""
    tasks = [asyncio.ensure_future(each) for each in (draining, hurry.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def relax_garbage_collection() -> None:
    """What exists at start lives as long as the process: the collector need not look at it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@asynccontextmanager
async def node(
    settings: Settings,
    handover: Handover | None = None,
    address: str = "",
    *,
    clock: Callable[[], datetime] = times.now,
    versions: Versions = SPOKEN,
    more: Sequence[Operation] = (),
) -> AsyncIterator[web.Application]:
    """The node's application, with everything that it needs running. ``address``: where it is
    served, for the list of nodes. ``clock``: by which jobs are not kept any more.
    ``versions``: of the contract. ``more``: what else is served."""
    if settings.redis_url is None or settings.mongo_url is None:
        raise ValueError("a node needs redis_url and mongo_url")
    keys = Keys(settings.partitions)
    me = this_node(address)
    say_always(node=me.id)
    redis = open_redis(settings.redis_url)
    mongo = open_mongo(settings.mongo_url)
    db = mongo[settings.mongo_db]
    events, heads = Events(db), Heads(db, clock)
    following = Following(heads, CatchUp(events, HotLog(redis, keys)), witness := Witness())
    sessions = Sessions(redis, keys, settings.recovery_seconds)
    cork = Cork()
    attendance = Attendance(redis, keys, settings.max_connections_per_user)
    book = OrderBook(redis, keys)
    guests = Guests(
        attendance,
        book,
        limit=settings.max_connections,
        idle_after=settings.idle_timeout,
    )

    def on_batch(batch: Batch) -> None:
        if batch.channel == ORDERS:
            guests.hear(batch.envelopes)
        elif batch.traces:
            _traced(following, batch)
        else:
            following.on_batch(batch)

    def on_restored() -> None:
        following.on_restored()
        sessions.save_all()
        attendance.say_all()

    live = LiveChannels(
        settings.redis_url,
        keys,
        on_batch,
        on_restored,
        lambda: cork,
        always=(ORDERS,),
        on_up=guests.look_up,
    )
    emissions = Emissions(following.followers, settings.max_message)
    emitters = Emitters(settings.redis_url, keys, emissions.hear)
    authorizer = open_authorizer(settings)
    jobs = Jobs(heads, events, authorizer)
    authenticator = Authenticator(settings)
    limits = Limits(settings, Windows(redis))
    gate = Gate(limits, settings.rate_connects)
    identity = Identity(authenticator, guests, limits)
    slots = Slots(redis, keys, settings.max_connections_per_job)
    channels = Channels(jobs, following, slots)
    rechecks = Rechecks(jobs, channels, following)
    sio = socket_server(settings, cork)
    recovery = Recovery(sessions, channels)
    journal = Journal(redis, keys)
    inbox = Inbox(inbox_stores(db), heads, journal)
    commands = ChannelCommands(channels).table() | InboxCommands(inbox).table()
    commands |= IdentityCommands(identity, guests, channels).table()
    rate = settings.rate_commands
    namespace = HubNamespace(
        *(identity, guests, channels, recovery, inbox, commands, rate, limits, versions)
    )
    sio.register("/", namespace)

    guards = [problems, addresses(settings.trusted_proxies), origins(settings.cors_origins)]
    guards.append(spoken_versions(versions))
    app = web.Application(middlewares=guards, client_max_size=BODY_AT_MOST)
    app.on_response_prepare.extend((grant, protected))
    watch = Watch(needed_to_connect(db, live))
    health = Health(checks(redis, db, live), watch)

    def admit(namespace: str) -> None:
        """Administrators get in, and act, while MongoDB is away."""
        watch.require(*(() if namespace == "/" else ("redis",)))

    sio.admit, sio.gate, sio.eio.let_in = admit, gate, gate.let_in
    streams = Streams(channels, settings.outbox_bytes, settings.rate_commands)
    tickets = Tickets(TicketStore(redis, keys))
    most = settings.max_message
    doors = Doors(identity, guests, tickets, streams, gate, max_message=most, cork=cork)
    publishing = Publishing(journal, Receipts(redis, keys))
    sio.attach(app)
    if handover is not None:
        handover.attach(app, sio.eio)
    nodes = Nodes(redis, me)
    app[GUESTS], app[BANS] = guests, Bans(book, settings.revocation_seconds)
    admin = Administration(
        settings,
        redis,
        db,
        heads,
        nodes=nodes,
        sio=sio,
        streams=streams,
        following=following,
        witness=witness,
        guests=guests,
        identity=identity,
        bans=app[BANS],
        topics=namespace.topics,
        versions=versions,
    )
    operations = [
        *HealthResources(health).operations(),
        *JobResources(identity, jobs, doors).operations(),
        *TicketResource(identity, tickets).operations(),
        *InboxResources(identity, inbox).operations(),
        *PublishResource(identity, publishing, limits).operations(),
        *admin.operations(),
        *console_operations(),
    ]
    operations += [*AsyncApiResource(__version__).operations(), *docs_operations(), *more]
    operations += OpenApiResource(operations, __version__).operations()
    app.add_routes(routes(operations))
    app[OPERATIONS] = operations
    app[SOCKETS], app[FOLLOWING], app[NODES] = sio, following, nodes

    async def leave(seconds: float) -> None:
        health.draining = True
        nodes.drain()
        await asyncio.gather(drain(sio, seconds), streams.drain(seconds))

    app[DRAIN] = leave
    app.on_shutdown.append(lambda _: streams.stop())
    app.on_shutdown.append(lambda _: sio.eio.stop())  # else aiohttp waits for them, in vain

    async with asyncio.TaskGroup() as tasks:
        works: tuple[Coroutine[Any, Any, None], ...]
        works = (following.run(live), prepare(db), sessions.run(), watch.run(), emitters.run())
        works += (nodes.run(), slots.run(), rechecks.run(), limits.run())
        works += (attendance.run(), guests.run(), *admin.works())
        running = [tasks.create_task(work) for work in works]
        await live.wait_connected(_PATIENCE)
        try:
            yield app
        finally:
            for task in running:
                task.cancel()
    await limits.close()
    await sessions.close()
    await slots.close()
    await admin.close()
    await attendance.close()
    await authenticator.close()
    await nodes.leave()
    await live.close()
    await emitters.close()
    await authorizer.close()
    await redis.aclose()
    await close_mongo(mongo)


def _traced(following: Following, batch: Batch) -> None:
    """As ``on_batch``, with a span from here to the writes, which are over in the next turn."""
    clients = len(following.followers(batch.channel))
    about: dict[str, str | int] = {"hub.channel": batch.channel, "hub.clients": clients}
    spans = Spans("hub.deliver", batch.traces, "hub.offset", about)
    following.on_batch(batch)
    asyncio.get_running_loop().call_soon(spans.end)


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"{host}:{port}"


def socket_server(settings: Settings, cork: Cork | None = None) -> SocketServer:
    """The Socket.IO server with the settings' limits and origins; writes go through ``cork``."""
    origins = settings.cors_origins
    return SocketServer(
        outbox_bytes=settings.outbox_bytes,
        cork=cork,
        max_http_buffer_size=settings.max_message,
        cors_allowed_origins="*" if "*" in origins else list(origins) or None,
        http_compression=settings.compression,
    )
