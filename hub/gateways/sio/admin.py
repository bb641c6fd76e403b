"""The namespace ``/admin`` (contract section 9): who may connect, how commands are answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from config.logs import get_logger
from config.values import Rate
from hub import metrics
from hub.broker.connect import honour_cancellation
from hub.delivery.message import Notice
from hub.domain import codes, times
from hub.domain.allowance import Allowance
from hub.domain.principal import Principal, Role
from hub.domain.shapes import parse, require_text
from hub.domain.versions import SPOKEN, Version, Versions
from hub.gateways.endings import closing_fields, note_end
from hub.gateways.sio.answers import ok
from hub.gateways.sio.commands import RESERVED
from hub.gateways.sio.hub import Spoken, spoken_by
from hub.gateways.sio.identity import Refresh
from hub.gateways.sio.server import Client
from hub.services.admin.stats import EVERY, Stats
from hub.services.admin.trail import Trail
from hub.services.guests import Guests, Stay
from hub.services.identity import Identity

_NAME_SHOWN: Final = 64
_VALUE_SHOWN: Final = 200
_ASKED_SHOWN: Final = 500
_log = get_logger(__name__)


class AdminAuth(Struct, frozen=True):
    """What an administrator sends with CONNECT. ``v``: the version that it speaks."""

    v: Spoken | None = None
    token: str | None = None


class Act:
    """A command that is being carried out: ``who`` gave it. The handler says whom or what it is
    done to, and what of it is worth recording."""

    def __init__(self, who: "AdminClient") -> None:
        self.who = who
        self.target = ""
        self.details: dict[str, Any] = {}


AdminCommand = Callable[[Act, Any], Awaitable[dict[str, Any]]]
"""Carries out a command's payload; gives what it is answered with, or raises ``HubError``."""


class AdminClient:
    """A connected administrator."""

    door = "SOCKETIO"
    follows_now: tuple[str, ...] = ()
    version: Version  # of the contract; set before it is accepted

    def __init__(self, client: Client, principal: Principal, stay: Stay, rate: Rate) -> None:
        self.client = client
        self.principal = principal
        self.began = time.time()
        self.ended_by = ""
        self.allowance = Allowance(rate)
        self.stay = stay
        self.acts = 0  # commands, and events

    @property
    def sid(self) -> str:
        """What the client knows itself by."""
        return self.client.sid

    @property
    def address(self) -> str:
        """Where it connects from."""
        return str(self.client.environ.get("REMOTE_ADDR", ""))

    @property
    def outbox_bytes(self) -> int:
        """What waits for the client to read it."""
        return self.client.socket.outbox.bytes

    @property
    def line(self) -> object:
        """The session."""
        return self.client.socket

    def tell(self, notice: Notice) -> bool:
        """Administrators are no audience."""
        del notice
        return False

    def emit(self, name: str, payload: Any) -> None:
        """Sends an event, if there is room for it: the next one says more."""
        outbox = self.client.socket.outbox
        self.acts += 1
        if outbox.bytes <= outbox.limit // 2:
            self.client.emit(name, payload)

    def tell_closing(
        self, code: codes.Code, retry_after: float | None = None, message: str | None = None
    ) -> None:
        """Sends ``closing``; the caller ends the connection."""
        self.ended_by = code.name
        self.client.emit("closing", closing_fields(code, retry_after, message))

    def send_away(self, code: codes.Code, message: str | None, retry_after: float | None) -> None:
        """Tells the client why, and ends the connection, soon."""
        self.client.socket.host.spawn(self._end(code, retry_after, message))

    async def _end(self, code: codes.Code, retry_after: float | None, message: str | None) -> None:
        if self.client.socket.closed:
            return
        self.tell_closing(code, retry_after, message)
        if not code.reconnect:
            await self.client.disconnect()
        await self.client.socket.close(reason=code.name, code=code.ws or 1000)

    # -- what the node's guests are asked ---------------------------------------------------------

    @property
    def activity(self) -> object:
        """Changes with every event that is sent, and every command."""
        return self.acts

    def warn(self) -> None:
        """Sends ``token-expiring``."""
        self.emit("token-expiring", {"expiresAt": times.wire(self.principal.expires_at)})


class AdminNamespace:
    """Serves ``/admin``. Every command is recorded with its outcome before it is answered; of those
    above the rate, which are not carried out, the first of each series."""

    def __init__(
        self,
        identity: Identity,
        guests: Guests,
        stats: Stats,
        trail: Trail,
        commands: Mapping[str, AdminCommand],
        rate: Rate,
        versions: Versions = SPOKEN,
    ) -> None:
        self._versions = versions
        self._identity = identity
        self._guests = guests
        self._stats = stats
        self._trail = trail
        self._commands = {**commands, "auth:refresh": self._refresh}
        self._rate = rate
        self.clients: dict[AdminClient, None] = {}
        self.on_gone: Callable[[AdminClient], None] = _nothing

    async def connect(self, client: Client, auth: Any) -> dict[str, Any]:
        """Lets in whoever has the role."""
        version = self._versions.choose(spoken_by(auth))
        given = parse(AdminAuth, auth or {})
        try:
            principal = await self._identity.verify(given.token or bearer_of(client))
            client.user_id = principal.user_id
            _require_role(principal)
        except codes.HubError as error:
            await turn_away(self._trail, client, "connect", error)
            raise
        stay = await stay_for(self._guests, client, principal)
        admin = client.state = AdminClient(client, principal, stay, self._rate)
        admin.version = version
        return {}

    async def connected(self, client: Client) -> None:
        """Notes that it is there; ``hello`` says that its version ends, if it does."""
        admin: AdminClient = client.state
        if notices := admin.version.notices():
            admin.emit("hello", {"v": admin.version.number, "notices": notices})
        self.clients[admin] = None
        self._guests.enter(admin.stay, admin)
        await self._trail.add(admin.principal.user_id, "connect", f"sid:{admin.sid}", "OK")

    async def event(self, client: Client, ack_id: int | None, name: Any, args: list[Any]) -> None:
        """Carries one command out, records and answers it."""
        admin: AdminClient = client.state
        admin.acts += 1
        actor, said = admin.principal.user_id, readable(name)
        if not admin.allowance.take(asyncio.get_running_loop().time()):
            metrics.LIMITED.add(1, "admin_commands")
            if admin.allowance.refused == 1:
                await self._trail.add(actor, said, "", codes.RATE_LIMITED.name)
            raise codes.HubError(codes.RATE_LIMITED, retry_after=admin.allowance.retry_after)
        act, outcome = Act(admin), codes.INTERNAL.name
        try:
            command = self._find(name)
            if len(args) > 1:
                raise codes.invalid("payload", "a command has one payload")
            require_text(args)
            answer = await command(act, args[0] if args else {})
            outcome = "OK"
        except codes.HubError as error:
            outcome = error.code.name
            if error.code is codes.INVALID_REQUEST:
                act.details["asked"] = _asked(args)
            raise
        finally:
            if client.state is None:  # it went while the command ran, which may have begun a tail
                self.on_gone(admin)
            await self._trail.add(actor, said, act.target, outcome, act.details)
        if ack_id is not None:
            client.acknowledge(ack_id, ok(answer))

    def closing(self, client: Client, code: codes.Code, retry_after: float) -> None:
        """Tells the client why its connection ends."""
        admin: AdminClient = client.state
        admin.tell_closing(code, retry_after)

    async def disconnected(self, client: Client, reason: str) -> None:
        """Forgets it."""
        admin: AdminClient | None = client.state
        if admin is not None:
            note_end(admin, reason)
            self._guests.leave(admin.stay)
            self.clients.pop(admin, None)
            self.on_gone(admin)

    async def run(self) -> None:
        """Sends everyone the figures every two seconds, until cancelled."""
        while True:
            honour_cancellation()
            # Half-way between two beats of the nodes: what they said last is young.
            await asyncio.sleep(EVERY - (time.time() + EVERY / 2) % EVERY)
            if not self.clients:
                continue
            try:
                figures = await self._stats.now()
            except codes.HubError as error:
                _log.warning("admin.no_stats", error=error.code.name)
                continue
            for admin in list(self.clients):
                admin.emit("stats", figures)

    async def _refresh(self, act: Act, raw: Any) -> dict[str, Any]:
        """The same administrator goes on with another token. When this raises, all is as it was."""
        admin = act.who
        who = await self._identity.verify(parse(Refresh, raw).token)
        if who.user_id != admin.principal.user_id:
            message = "the token is another user's"
            raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS, message)
        _require_role(who)
        admin.principal = who
        self._guests.renew(admin.stay, who)
        return {"expiresAt": times.wire(who.expires_at)}

    def _find(self, name: Any) -> AdminCommand:
        if not isinstance(name, str) or name in RESERVED:
            raise codes.invalid("event", "is reserved by Socket.IO")
        command = self._commands.get(name)
        if command is None:
            raise codes.HubError(codes.UNKNOWN_COMMAND, f"there is no command {name[:64]!r}")
        return command


def _require_role(principal: Principal) -> None:
    if not principal.has(Role.ADMIN):
        raise codes.HubError(codes.INSUFFICIENT_PERMISSIONS, "the role admin is required")


async def turn_away(trail: Trail, client: Client, action: str, error: codes.HubError) -> None:
    """Records that ``client`` was not let in, if it is for who it is or says it is."""
    if error.code.http in (401, 403):
        address = str(client.environ.get("REMOTE_ADDR", ""))
        await trail.turned_away(client.user_id, action, address, error.code.name)


def readable(name: Any) -> str:
    """The name of a command as it may be recorded: any client can send any."""
    return str(name)[:_NAME_SHOWN].encode(errors="replace").decode()


def _asked(args: list[Any]) -> str:
    """The plain values of a payload that was refused, shortened: whom it was meant for."""
    given = args[0] if args and isinstance(args[0], dict) else {}
    plain = [
        f"{key}={value}"[:_VALUE_SHOWN]
        for key, value in given.items()
        if isinstance(value, str | int | float) and key != "token"
    ]
    return " ".join(plain)[:_ASKED_SHOWN].encode(errors="replace").decode()


def bearer_of(client: Client) -> str | None:
    """The token of the handshake's header."""
    scheme, _, token = str(client.environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def stay_for(guests: Guests, client: Client, principal: Principal) -> Stay:
    """Begins the stay of an administrator. Raises ``HubError``, and then there is none."""
    stay = await guests.arrive(principal)
    try:
        await guests.settle(stay)
        if not client.socket.attended:
            raise codes.HubError(codes.UNAVAILABLE)
    except BaseException:
        guests.leave(stay)
        raise
    return stay


def _nothing(admin: AdminClient) -> None:
    """The default for ``on_gone``."""
