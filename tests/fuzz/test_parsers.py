"""Whatever comes, a parser gives a value or says no in the way that its caller knows: by a code of
the catalogue, by None, or by the one exception that ends a connection. By no other exception."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from engineio.exceptions import EngineIOError
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.broker.tickets import TicketStore
from hub.delivery.frames import unframe
from hub.domain import times
from hub.domain.channels import parse_channel
from hub.domain.codes import CATALOGUE, HubError
from hub.domain.emissions import NotTaken, parse_emission
from hub.domain.events import Position, position_told
from hub.domain.parsing import parse_item, parse_publication
from hub.domain.recovery import parse_itinerary, parse_mark
from hub.domain.shapes import parse
from hub.gateways import doors
from hub.gateways.http import jobs
from hub.gateways.http.request import NoQuery, query
from hub.gateways.inbox import ListNotifications, MarkNotifications, parse_preferences
from hub.gateways.sio import admin_commands, admin_payloads, binary, packets
from hub.gateways.sio.admin import AdminAuth
from hub.gateways.sio.commands import Since, Subscribe, Unsubscribe, position_of
from hub.gateways.sio.hub import Auth
from hub.gateways.sio.identity import Refresh
from hub.gateways.websocket import WebSocket
from hub.services.inbox.lists import from_cursor
from hub.services.tickets import Tickets
from tests.fuzz.malice import Malice

relaxed = settings(deadline=None)  # how long a parser takes is the machine's business
seeds = st.integers(0, 1 << 64)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=40)  # half surrogates too, as JSON may have them
    | st.sampled_from(["all", "SEEN", "job:j1", "user:u1", "e1", "\ud800", "$gt", 2**53, 10**400])
)
names = st.sampled_from(
    [
        "channel",
        "epoch",
        "offset",
        "ids",
        "as",
        "upTo",
        "filter",
        "type",
        "limit",
        "cursor",
        "token",
        "id",
        "kind",
        "jobId",
        "data",
        "to",
        "title",
        "body",
        "mutedTypes",
        "room",
        "method",
        "event",
        "channels",
        "userId",
        "sid",
        "history",
        "banSeconds",
        "projectId",
        "ownerId",
        "totals",
    ]
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=12,
)
texts = st.text(st.characters(codec=None), max_size=80) | st.from_regex(
    r"[0-9a-zA-Z_\-]{0,6}[.:][0-9]{0,25}([.:][0-9a-z\-]{0,40})?", fullmatch=True
)
DEEP = "[" * 100_000


def refused_or(make: Callable[[], object]) -> object:
    """What was made, or None if it was refused by a code that says that the client is wrong."""
    try:
        return make()
    except HubError as error:
        refusal = error
    assert refusal.code.name in CATALOGUE
    assert refusal.code.http < 500
    assert json.dumps(refusal.as_error())  # which can be sent
    return None


SHAPES: list[type] = [
    *(Subscribe, Unsubscribe, Since, Refresh, Auth, AdminAuth, ListNotifications),
    *(MarkNotifications, admin_payloads.StatsPayload, admin_payloads.Connections),
    *(admin_payloads.KickPayload, admin_payloads.Unban, admin_payloads.Revoke),
    *(admin_payloads.Broadcast, admin_payloads.Jobs, admin_payloads.Paged),
    *(admin_payloads.TracePayload, admin_payloads.TailPayload, admin_payloads.Letters),
]


@pytest.mark.parametrize("shape", SHAPES)
@relaxed
@given(values)
def test_payloads_of_commands(shape: type, value: Any) -> None:
    made = refused_or(lambda: parse(shape, value))
    if isinstance(made, Subscribe | Since):
        refused_or(lambda: position_of(made))


@relaxed
@given(values)
def test_preferences(value: Any) -> None:
    refused_or(lambda: parse_preferences(value))


@relaxed
@given(values)
def test_publications(value: Any) -> None:
    refused_or(lambda: parse_item(value))
    refused_or(lambda: parse_publication(json.dumps(value)))


@relaxed
@given(st.binary(max_size=200) | st.just(DEEP.encode()) | st.just(b'{"kind":' + DEEP.encode()))
def test_publications_as_they_lie_on_the_journal(raw: bytes) -> None:
    refused_or(lambda: parse_publication(raw))


@relaxed
@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_what_other_code_emits(raw: bytes) -> None:
    with suppress(NotTaken):
        parse_emission(raw, at_most=65_536)


@relaxed
@given(texts)
def test_cursors(text: str) -> None:
    refused_or(lambda: from_cursor(text))
    refused_or(lambda: admin_commands._job_place(text))
    for shape, take in ((jobs.HistoryQuery, jobs._place), (jobs.JobsQuery, jobs._job_key)):
        made: Any = refused_or(lambda shape=shape: parse(shape, {"cursor": text}))  # type: ignore[misc]
        if made is not None:
            take(made.cursor)


@relaxed
@given(texts | values, st.binary(max_size=100))
def test_recovery_strings(text: Any, saved: bytes) -> None:
    mark, itinerary = parse_mark(text), parse_itinerary(saved)
    if mark is not None and itinerary is not None:
        itinerary.positions(mark)


@relaxed
@given(texts)
def test_names_times_and_headers(text: str) -> None:
    parse_channel(text)
    times.parse_instant(text)
    doors.wants_events(text)
    jobs.has_current(text, "e1.17")
    found = refused_or(lambda: doors.last_event_id(text))
    assert found is None or isinstance(found, Position)


@relaxed
@given(texts | st.sampled_from(["42" + DEEP, '42["a",' + '{"a":' * 50_000, "42" + "9" * 60_000]))
def test_socketio_packets(text: str) -> None:
    with suppress(packets.BadPacket):
        packets.decode(text)
    with suppress(EngineIOError):
        binary.decode(text)


@relaxed
@given(seeds)
def test_socketio_packets_that_are_nearly_right(seed: int) -> None:
    malice = Malice(str(seed))
    for raw in (malice.text(), malice.command()):
        with suppress(packets.BadPacket, UnicodeDecodeError):
            packets.decode(raw[1:].decode())


parameters = st.text(max_size=20) | st.sampled_from(
    [
        "limit=",
        "cursor=",
        "offset=",
        "epoch=",
        "ticket=",
        "type=",
        "since=",
        "status=",
        "&",
        "=",
        "%",
        "%ff",
        "+",
        ";",
        "%00",
        "1",
        "-1",
        "a.1",
        "1.job:j1",
        "2026-01-01",
        "99999999999999999999999999999999",
    ]
)
QUERIES: list[Any] = [
    *(jobs.PollQuery, jobs.HistoryQuery, jobs.JobsQuery, doors.LiveQuery, NoQuery),
    ListNotifications,
]


@pytest.mark.parametrize("shape", QUERIES)
@relaxed
@given(st.lists(parameters, max_size=6).map("".join))
def test_query_strings(shape: Any, text: str) -> None:
    request = make_mocked_request("GET", "/x?" + text.replace("#", ""))
    made: Any = refused_or(lambda: query(request, shape, repeatable=frozenset({"type", "status"})))
    if isinstance(made, doors.LiveQuery | jobs.PollQuery):
        refused_or(lambda: position_told(made.epoch, made.offset))


class _NoRedis(TicketStore):
    """No ticket is stored here."""

    def __init__(self) -> None:
        """Without a connection."""

    async def take(self, ticket: str) -> bytes | None:
        return None


@relaxed
@given(texts)
def test_tickets(text: str) -> None:
    refused = []

    async def redeem() -> None:
        try:
            await Tickets(_NoRedis()).redeem(text)
        except HubError as error:
            refused.append(error.code.name)

    asyncio.run(redeem())
    assert refused == ["UNAUTHENTICATED"]


class _Transport:
    """As much of one as a WebSocket wants."""

    def __init__(self) -> None:
        self.written = b""

    def get_extra_info(self, name: str) -> Any:
        return object() if name == "sslcontext" else None

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class _Owner:
    """Takes what there is."""

    def __init__(self) -> None:
        self.failures: list[int] = []

    def received(self, message: str | bytes) -> None:
        assert isinstance(message, str | bytes)

    def failed(self, code: int) -> None:
        self.failures.append(code)

    def blocked(self) -> None: ...

    writable = lost = blocked

    def log_fields(self) -> dict[str, Any]:
        return {}


@relaxed
@given(st.binary(max_size=300) | seeds.map(lambda seed: Malice(str(seed)).frames()))
def test_frames(data: bytes) -> None:
    async def feed() -> None:
        transport, owner = _Transport(), _Owner()
        websocket = WebSocket(transport, 65_536)
        websocket.begin(owner)
        for at in range(0, len(data), 1000):
            websocket.data_received(data[at : at + 1000])
        assert len(owner.failures) <= 1
        websocket.connection_lost(None)
        for opcode, payload in unframe(transport.written):
            assert opcode in (0x8, 0xA), payload

    asyncio.run(feed())
