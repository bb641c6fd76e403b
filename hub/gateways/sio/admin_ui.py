"""The namespace ``/socketio-admin``: what the stock Socket.IO admin UI speaks, of the cluster.

It is the UI's protocol, not the contract's: a refusal is ``invalid credentials``, commands have
positional arguments and need no acknowledgement. While nobody is here, nothing runs and no node is
asked.
"""

import asyncio
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from config.logs import get_logger
from config.values import Rate
from hub import metrics
from hub.broker.connect import honour_cancellation
from hub.domain import channels, codes
from hub.domain.principal import Principal
from hub.domain.shapes import parse, require_text
from hub.gateways.endings import note_end
from hub.gateways.sio.admin import AdminClient, bearer_of, readable, stay_for, turn_away
from hub.gateways.sio.answers import ok
from hub.gateways.sio.server import Client, RefusedAs
from hub.services.admin.cluster import Cluster
from hub.services.admin.logins import Given, Logins
from hub.services.admin.orders import Steer
from hub.services.admin.stats import EVERY
from hub.services.admin.trail import Trail
from hub.services.admin.view import Told, View
from hub.services.guests import Guests, Stay

NAMESPACE: Final = "/socketio-admin"

FEATURES: Final = (
    *("JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"),
    "ALL_EVENTS",  # without which the UI shows no sockets and no rooms
)
"""What the UI offers. Not ``EMIT``: nothing but delivery emits."""

_REFUSAL: Final = "invalid credentials"  # upon which the UI asks for them again
_PAUSE: Final = 0.2  # seconds between two questions to the nodes, at least
_Name = Annotated[str, Meta(min_length=1, max_length=200)]
_log = get_logger(__name__)


class UiClient(AdminClient):
    """A connected UI. ``login``: what it may come back by, until it is told; ``told``: whether it
    knows of all connections."""

    def __init__(
        self, client: Client, principal: Principal, stay: Stay, rate: Rate, login: str | None
    ) -> None:
        super().__init__(client, principal, stay, rate)
        self.login = login
        self.told = False

    def show(self, sockets: list[Any], servers: list[Told], news: list[Told]) -> None:
        """Tells it of everything, or of what is new. Who reads too slowly begins anew later."""
        outbox = self.client.socket.outbox
        self.acts += 1
        if outbox.bytes > outbox.limit // 2:
            self.told = False
            return
        with outbox.backlog():
            for each in servers:
                self.client.emit(*each)
            if self.told:
                for each in news:
                    self.client.emit(*each)
            else:
                self.client.emit("all_sockets", sockets)
                self.told = True


class AdminUiNamespace:
    """Serves ``/socketio-admin``."""

    def __init__(
        self, logins: Logins, guests: Guests, cluster: Cluster, trail: Trail, rate: Rate
    ) -> None:
        self._logins = logins
        self._guests = guests
        self._cluster = cluster
        self._view = View(cluster)
        self._trail = trail
        self._rate = rate
        self._due = asyncio.Event()
        self.clients: dict[UiClient, None] = {}

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        """Lets in whoever has the role, or the password."""
        try:
            require_text(auth)
            given = parse(Given, auth or {})
            principal, login = await self._logins.enter(given, bearer_of(client))
        except codes.HubError as error:
            await turn_away(self._trail, client, "socketio-admin:connect", error)
            if error.code.http in (401, 403):
                raise RefusedAs(error, _REFUSAL) from error
            raise
        client.user_id = principal.user_id
        stay = await stay_for(self._guests, client, principal)
        client.state = UiClient(client, principal, stay, self._rate, login)
        return {}

    async def connected(self, client: Client) -> None:
        """Says what can be done here; the rest is told once the nodes have been asked."""
        ui: UiClient = client.state
        self.clients[ui] = None
        self._guests.enter(ui.stay, ui)
        if ui.login is not None:
            client.emit("session", ui.login)
            ui.login = None
        client.emit("config", {"supportedFeatures": FEATURES})
        self._due.set()
        await self._trail.add(ui.principal.user_id, "socketio-admin:connect", f"sid:{ui.sid}", "OK")

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        """Carries out one command, and records it."""
        ui: UiClient = client.state
        ui.acts += 1
        if not ui.allowance.take(asyncio.get_running_loop().time()):
            metrics.LIMITED.add(1, "admin_commands")
            raise codes.HubError(codes.RATE_LIMITED, retry_after=ui.allowance.retry_after)
        order, outcome, details = None, codes.INTERNAL.name, dict[str, Any]()
        try:
            require_text([name, *args])
            order = _order(name, args)
            done = msgspec.to_builtins(await self._cluster.steer(order))
            outcome, details = "OK", done
        except codes.HubError as error:
            outcome = error.code.name
            raise
        finally:
            actor, target = ui.principal.user_id, "" if order is None else _target(order)
            action = f"socketio-admin:{readable(name)}"
            await self._trail.add(actor, action, target, outcome, details)
        self._due.set()
        if ack_id is not None:
            client.acknowledge(ack_id, ok(details))

    def closing(self, client: Client, code: codes.Code, retry_after: float) -> None:
        """Tells the client why its connection ends."""
        ui: UiClient = client.state
        ui.tell_closing(code, retry_after)

    async def disconnected(self, client: Client, reason: str) -> None:
        """Forgets it."""
        ui: UiClient | None = client.state
        if ui is not None:
            note_end(ui, reason)
            self._guests.leave(ui.stay)
            self.clients.pop(ui, None)

    async def run(self) -> None:
        """Asks the nodes every two seconds while somebody looks, until cancelled."""
        while True:
            honour_cancellation()
            if not self.clients:
                self._view.forget()
                self._due.clear()
                await self._due.wait()
            self._due.clear()
            await self._look()
            await asyncio.sleep(_PAUSE)
            try:
                async with asyncio.timeout(EVERY - _PAUSE):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        try:
            news = await self._view.refresh()
        except codes.HubError as error:
            _log.warning("admin_ui.blind", error=error.code.name)
            return
        servers = self._view.servers()
        sockets: list[Any] = []
        if not all(ui.told for ui in self.clients):
            sockets = self._view.sockets()
        for ui in list(self.clients):
            ui.show(sockets, servers, news)


def _order(name: Any, args: list[Any]) -> Steer:
    """What the UI wants: ``join nsp room filter?``, ``leave nsp room filter?``, ``_disconnect nsp
    close filter?``. Raises ``HubError`` for anything else."""
    if name == "_disconnect":
        nsp, _, only = _three(args)
        return Steer(nsp, "end", only)
    if name in ("join", "leave"):
        nsp, room, only = _three(args)
        found = channels.parse_channel(room) if isinstance(room, str) else None
        if found is None or found.kind not in (channels.Kind.JOB, channels.Kind.TOPIC):
            raise codes.invalid("room", "must be job:<id> or topic:<name>")
        return Steer(nsp, str(name), only, str(found))
    raise codes.HubError(codes.UNKNOWN_COMMAND)


def _three(args: list[Any]) -> tuple[str, Any, str | None]:
    if not 2 <= len(args) <= 3:
        raise codes.invalid("payload", "needs a namespace, an argument and perhaps a filter")
    nsp, second, only = (*args, None)[:3]
    try:
        return msgspec.convert(nsp, _Name), second, msgspec.convert(only, _Name | None)
    except msgspec.ValidationError as error:
        raise codes.invalid("payload", str(error)) from None


def _target(order: Steer) -> str:
    where = f"{order.nsp} {order.only or 'all'}"
    return where if order.channel is None else f"{where} {order.channel}"
