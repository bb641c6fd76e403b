"""The two live doors of a job's progress beside Socket.IO: who comes in, and by which one."""

from collections.abc import Callable
from typing import Annotated, Final, TypeVar

from aiohttp import web
from msgspec import Meta, Struct

from config.logs import about
from hub.delivery.cork import Cork
from hub.domain import channels, codes
from hub.domain.events import Position, position_told
from hub.domain.principal import Principal
from hub.domain.versions import SPOKEN
from hub.gateways import upgrade
from hub.gateways.addresses import address_of
from hub.gateways.gate import Gate
from hub.gateways.heartbeats import Heartbeats
from hub.gateways.http.request import principal, query
from hub.gateways.sse import HEARTBEAT, EventStream
from hub.gateways.stream import JobStream
from hub.gateways.streams import Streams
from hub.gateways.ws import PING_EVERY, PONG_WITHIN, RawSocket
from hub.services.channels import required_channel
from hub.services.guests import Guests, Stay
from hub.services.identity import Identity
from hub.services.tickets import Tickets

_OFFSET_AT_MOST: Final = (1 << 53) - 1
Epoch = Annotated[str, Meta(max_length=32)]
Offset = Annotated[int, Meta(ge=0, le=_OFFSET_AT_MOST)]
Spoken = Annotated[
    int,
    Meta(
        description="As the header `Hub-Version`, which goes before.",
        extra_json_schema={"enum": SPOKEN.numbers},
    ),
]
AnyStream = TypeVar("AnyStream", bound=JobStream)
Open = Callable[[], None]


class LiveQuery(Struct, forbid_unknown_fields=True):
    """Parameters of both."""

    epoch: Epoch | None = None
    offset: Offset | None = None
    ticket: str | None = None
    v: Spoken | None = None


class Doors:
    """Lets clients in: authenticated, authorized, with a slot, and from where they stand."""

    def __init__(
        self,
        identity: Identity,
        guests: Guests,
        tickets: Tickets,
        streams: Streams,
        gate: Gate,
        *,
        max_message: int,
        cork: Cork | None = None,
    ) -> None:
        self._identity = identity
        self._guests = guests
        self._tickets = tickets
        self._streams = streams
        self._gate = gate
        self._max_message = max_message
        self._cork = cork
        self._pings = Heartbeats(PING_EVERY, PONG_WITHIN)
        self._comments = Heartbeats(HEARTBEAT, HEARTBEAT)

    async def serve(self, request: web.Request, kind: str | None) -> web.StreamResponse | None:
        """Answers the request if it asks for one of the doors; ``kind``: what the job has to be.
        Raises ``HubError``."""
        if "websocket" in request.headers.get("Upgrade", "").lower():
            return await self._websocket(request, kind)
        if wants_events(request.headers.get("Accept", "")):
            return await self._events(request, kind)
        return None

    async def _websocket(self, request: web.Request, kind: str | None) -> web.StreamResponse:
        who, channel, since = await self._arrival(request)
        client = RawSocket(self._streams, self._pings, who, channel)
        client.address = address_of(request)

        def start() -> None:
            websocket = upgrade.accept(request, max_message=self._max_message, cork=self._cork)
            client.open(websocket)

        return await self._let_in(client, since, kind, start)

    async def _events(self, request: web.Request, kind: str | None) -> web.StreamResponse:
        who, channel, since = await self._arrival(request)
        last = last_event_id(request.headers.get("Last-Event-ID", ""))
        client = EventStream(self._streams, self._comments, who, channel)
        client.address = address_of(request)
        return await self._let_in(client, last or since, kind, lambda: client.open(request))

    async def _arrival(self, request: web.Request) -> tuple[Principal, str, Position | None]:
        if not self._streams.accepting:
            raise codes.HubError(codes.DRAINING, retry_after=1)
        await self._gate.take(address_of(request))
        if "ticket" in request.query and "Authorization" not in request.headers:
            wanted = query(request, LiveQuery, repeatable=frozenset())
            who = await self._tickets.redeem(wanted.ticket or "")
        else:
            who = await principal(request, self._identity)
            wanted = query(request, LiveQuery, repeatable=frozenset())
            if wanted.ticket is not None:
                raise codes.invalid("ticket", "is not to be given beside a token")
        channel = channels.job_channel(request.match_info["jobId"])
        return who, channel, position_told(wanted.epoch, wanted.offset)

    async def _let_in(
        self, client: JobStream, since: Position | None, kind: str | None, start: Open
    ) -> web.StreamResponse:
        with about(client):
            return await self._let_it_in(client, since, kind, start)

    async def _let_it_in(
        self, client: JobStream, since: Position | None, kind: str | None, start: Open
    ) -> web.StreamResponse:
        subscribe, channel = self._streams.channels.subscribe, job(client.channel)
        stay = await self._guests.arrive(client.principal)  # Redis is asked while MongoDB is
        client.on_leave = lambda: self._guests.leave(stay)
        try:
            await subscribe(client.principal, client, channel, since, client.hand_over, kind=kind)
            await self._guests.settle(stay)
        except BaseException:
            client.leave()
            raise
        return self._open(client, stay, start)

    def _open(self, client: JobStream, stay: Stay, start: Open) -> web.StreamResponse:
        if client.has_all and isinstance(client, EventStream):
            client.leave()
            return web.Response(status=204)  # so that an EventSource does not come back
        try:
            start()
        except upgrade.HandshakeError as error:
            client.leave()
            raise codes.invalid("Upgrade", str(error)) from error
        except BaseException:
            client.leave()
            raise
        if not client.over:
            self._guests.enter(stay, client)
        return upgrade.Switched()


def job(channel: str) -> channels.Channel:
    """The channel of a job that a path names; raises INVALID_REQUEST for what is no id."""
    try:
        return required_channel(channel)
    except codes.HubError:
        raise codes.invalid("jobId", "is no job id") from None


def last_event_id(text: str) -> Position | None:
    """The position that an EventSource had got to; None when it has none."""
    if not text:
        return None
    epoch, _, offset = text.rpartition(":")
    if not (epoch and offset.isascii() and offset.isdigit() and len(offset) < 17):
        raise codes.invalid("Last-Event-ID", "is no id that this stream gave")
    return Position(epoch, int(offset))


def wants_events(accept: str) -> bool:
    """Whether an Accept header prefers an event stream to JSON; the first one named, of equals."""
    best = {"text/event-stream": 0.0, "application/json": 0.0}
    first = ""
    for each in accept.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        if name in best:
            first = first or name
            best[name] = max(best[name], _quality(parameters))
    stream, json = best["text/event-stream"], best["application/json"]
    return stream > json or (stream == json > 0 and first == "text/event-stream")


def _quality(parameters: list[str]) -> float:
    for each in parameters:
        if each.startswith("q="):
            try:
                return float(each[2:])
            except ValueError:
                return 0.0
    return 1.0
