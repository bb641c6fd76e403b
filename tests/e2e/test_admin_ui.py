"""The namespace ``/socketio-admin``, spoken to as the stock Socket.IO admin UI does: by the stock
client, on another node than most of what it sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from config import scrypt
from hub.broker.keys import CONTROL
from tests.support import secrecy
from tests.support.doors import address, source
from tests.support.duo import Duo, duo
from tests.support.jsclient import JsClient, js_client
from tests.support.sioline import line
from tests.support.system import System
from tests.support.wait import eventually
from workers import Publisher

PASSWORD = "correct-horse-battery-staple"
JOB = "550e8400-e29b-41d4-a716-446655440000"
UI = "/socketio-admin"
EVENTS = [
    *("session", "config", "server_stats", "all_sockets", "socket_connected", "socket_updated"),
    *("socket_disconnected", "room_joined", "room_left", "event_received", "event_sent"),
]


@pytest.fixture
async def pair(system: System) -> AsyncIterator[Duo]:
    secrecy.remember(PASSWORD)
    settings = {
        "HUB_SOCKETIO_ADMIN": "1",
        "HUB_SOCKETIO_ADMIN_USER": "root",
        "HUB_SOCKETIO_ADMIN_PASSWORD_HASH": scrypt.hashed(PASSWORD),
    }
    async with duo(system, **settings) as running:
        yield running


@asynccontextmanager
async def admin_ui(url: str, **auth: Any) -> AsyncIterator[JsClient]:
    """Connects as the UI does: by polling first, with what its form has."""
    place = f"{url}/socketio-admin"
    async with js_client(place, None, auth=auth, listen=EVENTS) as ui:
        await ui.until(lambda c: c.named("connect") or c.named("connect_error"))
        yield ui


def login() -> dict[str, str]:
    return {"username": "root", "password": PASSWORD}


class Seen:
    """What the UI would show, by the events that it got."""

    def __init__(self, ui: JsClient) -> None:
        self.sockets: dict[str, dict[str, Any]] = {}
        for name, *args in ui.log:
            if name == "all_sockets":
                self.sockets = {each["id"]: dict(each) for each in args[0]}
            elif name == "socket_connected":
                self.sockets[args[0]["id"]] = dict(args[0])
            elif name == "socket_disconnected":
                self.sockets.pop(args[1], None)
            elif name == "room_joined":
                self._rooms(args[2], lambda rooms, room=args[1]: [*rooms, room])
            elif name == "room_left":
                self._rooms(args[2], lambda rooms, room=args[1]: [x for x in rooms if x != room])

    def _rooms(self, sid: str, change: Any) -> None:
        if sid in self.sockets:
            self.sockets[sid]["rooms"] = change(self.sockets[sid]["rooms"])

    def rooms(self, sid: str) -> list[str]:
        found: list[str] = self.sockets[sid]["rooms"] if sid in self.sockets else []
        return found


async def test_the_ui_sees_the_sockets_rooms_and_nodes_of_the_whole_cluster(pair: Duo) -> None:
    async with (
        Publisher(pair.system.settings.redis_url or "") as hub,
        aiohttp.ClientSession() as http,
        line(pair.url, pair.token(), headers={"Origin": pair.url, "Cookie": "s=1"}) as here,
        line(pair.other_url, pair.token("u2")) as there,
    ):
        job = hub.job(JOB, project_id="p1", owner_id="u1")
        await job.start(total_scenarios=2)
        await eventually(lambda: _can_follow(here))
        bearer = {"Authorization": f"Bearer {pair.token('u4')}"}
        async with (
            line(pair.url, None, headers=bearer) as shy,
            source(http, address(pair.url, JOB), pair.token("u3")),
            admin_ui(pair.other_url, **login()) as ui,
        ):
            await ui.until(lambda c: c.named("all_sockets"))
            assert [entry[0] for entry in ui.log[:3]] == ["connect", "session", "config"]
            assert "ALL_EVENTS" in ui.named("config")[0][0]["supportedFeatures"]
            seen = Seen(ui).sockets
            assert {here.sid, there.sid, shy.sid, pair.admin.sid} < set(seen)
            one = seen[here.sid]
            assert set(one) == {
                *("id", "clientId", "transport", "nsp", "data", "handshake", "rooms")
            }
            assert (one["nsp"], one["transport"]) == ("/", "websocket")
            assert one["rooms"] == [here.sid, "user:u1", "all", f"job:{JOB}"]
            assert one["data"]["userId"] == "u1"
            assert one["handshake"]["address"] == "127.0.0.1"
            assert one["handshake"]["headers"]["origin"] == pair.url
            assert seen[shy.sid]["handshake"]["headers"]["authorization"] == "[redacted]"
            assert seen[pair.admin.sid]["nsp"] == "/admin"
            assert [each["transport"] for each in seen.values() if each["nsp"] == "sse"] == ["sse"]
            said = str(ui.log)
            assert "Bearer" not in said
            assert "s=1" not in said
            await ui.until(
                lambda c: len({each[0]["serverId"] for each in c.named("server_stats")}) == 2
            )
            stats = {each[0]["serverId"]: each[0] for each in ui.named("server_stats")}
            assert sum(each["clientsCount"] for each in stats.values()) == 6
            assert {each["pid"] for each in stats.values()} == {
                pair.system.node.pid,
                pair.other.pid,
            }
            sockets = [
                n["socketsCount"]
                for s in stats.values()
                for n in s["namespaces"]
                if n["name"] == "/"
            ]
            assert sum(sockets) == 3

            async with line(pair.url, pair.token("u5")) as late:
                await ui.until(lambda c: late.sid in Seen(c).sockets)
                assert (await late.command("subscribe", {"channel": "topic:ops"}))["ok"]
                await ui.until(lambda c: "topic:ops" in Seen(c).rooms(late.sid))
                assert (await late.command("unsubscribe", {"channel": "topic:ops"}))["ok"]
                await ui.until(lambda c: "topic:ops" not in Seen(c).rooms(late.sid))
            await ui.until(lambda c: late.sid not in Seen(c).sockets)
            assert ui.named("socket_disconnected")[-1][:2] == ["/", late.sid]


async def _can_follow(client: Any) -> bool:
    return bool((await client.command("subscribe", {"channel": f"job:{JOB}"}))["ok"])


async def test_the_ui_disconnects_and_joins_on_the_other_node(pair: Duo) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        hub = await enter(Publisher(pair.system.settings.redis_url or ""))
        job = hub.job(JOB, project_id="p1", owner_id="u1")
        await job.start(total_scenarios=2)
        await job.status("GENERATING")
        probe = await enter(line(pair.other_url, pair.token()))
        await eventually(lambda: _can_follow(probe))
        reader = await enter(js_client(pair.url, pair.token()))
        await reader.until(lambda c: c.named("hello"))
        stranger = await enter(line(pair.url, pair.token("u9", projects=["p9"])))
        spared = await enter(line(pair.url, pair.token("u8")))
        ui = await enter(admin_ui(pair.other_url, **login()))
        await ui.until(lambda c: c.named("all_sockets"))
        sid = reader.named("hello")[0][0]["sid"]

        await ui.do("emit", "join", "/", f"job:{JOB}", sid)
        await ui.until(lambda c: f"job:{JOB}" in Seen(c).rooms(sid))
        await reader.until(lambda c: c.offsets(f"job:{JOB}") == [1])
        answer = await ui.do("raw", "join", "/", f"job:{JOB}", stranger.sid)
        assert answer == {"ok": True, "data": {"done": 0, "refused": 1}}
        assert not stranger.offsets(f"job:{JOB}")
        await job.scenario_completed(
            scenario_id="s1", feature_id="f1", feature_name="F", title="t", steps_count=1
        )
        await reader.until(lambda c: c.offsets(f"job:{JOB}") == [1, 2])
        assert (await ui.do("raw", "leave", "/", f"job:{JOB}", sid))["data"]["done"] == 1
        await ui.until(lambda c: f"job:{JOB}" not in Seen(c).rooms(sid))
        answer = await ui.do("raw", "join", "/", "topic:ops")
        assert answer["data"] == {"done": 4, "refused": 0}
        await ui.until(lambda c: "topic:ops" in Seen(c).rooms(spared.sid))
        for room in ("user:u9", "all", "anything", 7):
            refused = await ui.do("raw", "join", "/", room, sid)
            assert refused["error"]["code"] == "INVALID_REQUEST"
        refused = await ui.do("raw", "emit", "/", None, "event", {})
        assert refused["error"]["code"] == "UNKNOWN_COMMAND"

        await ui.do("emit", "_disconnect", "/", False, sid)
        await reader.until(lambda c: c.named("disconnect"))
        assert reader.named("disconnect")[0][0] == "io server disconnect"
        assert reader.named("closing")[0][0]["code"] == "KICKED"
        await ui.until(lambda c: sid not in Seen(c).sockets)
        assert not spared.closed
        assert (await ui.do("raw", "_disconnect", "/", True, "topic:ops"))["data"]["done"] == 3
        await spared.until(lambda: spared.closed)
        assert not ui.named("disconnect")

    actions = [
        (each["actor"], each["action"], each["target"], each["outcome"])
        for each in (await pair.do("audit"))["items"]
        if each["action"].startswith("socketio-admin:")
    ][::-1]
    who = "socketio-admin:root"
    assert actions[0][:2] == (who, "socketio-admin:connect")
    assert actions[1] == (who, "socketio-admin:join", f"/ {sid} job:{JOB}", "OK")
    assert (who, "socketio-admin:_disconnect", f"/ {sid}", "OK") in actions
    assert (who, "socketio-admin:join", "", "INVALID_REQUEST") in actions


async def test_who_may_use_the_ui(pair: Duo) -> None:
    def refusal(ui: JsClient) -> Any:
        return ui.named("connect_error")[0][0] if ui.named("connect_error") else None

    admin = pair.token("root", roles=["admin"])
    wrong = [
        {},
        {"username": "root", "password": "wrong"},
        {"username": "admin", "password": PASSWORD},
        {"username": "u1", "password": pair.token()},
        {"token": pair.token(roles=["service"])},
        {"sessionId": "x"},
    ]
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        uis = await asyncio.gather(*(enter(admin_ui(pair.other_url, **auth)) for auth in wrong))
        assert [refusal(ui) for ui in uis] == ["invalid credentials"] * len(wrong)
        for auth in ({"token": admin}, {"username": "", "password": admin}, login()):
            ui = await enter(admin_ui(pair.other_url, **auth))
            assert refusal(ui) is None
            await ui.until(lambda c: c.named("session"))
            back = await enter(admin_ui(pair.other_url, sessionId=ui.named("session")[0][0]))
            assert refusal(back) is None
            await back.until(lambda c: c.named("all_sockets"))
            assert not back.named("session")
        boss = await enter(admin_ui(pair.other_url, token=pair.token("boss", roles=["admin"])))
        await boss.until(lambda c: c.named("session"))
        await pair.do("revoke", {"userId": "boss"})
        await boss.until(lambda c: c.named("disconnect"))
        again = await enter(admin_ui(pair.other_url, sessionId=boss.named("session")[0][0]))
        assert refusal(again) == "invalid credentials"
    half = "\ud800"
    async with line(pair.other_url, None, namespace=UI, described=False, sessionId=half) as odd:
        assert odd.refusal is not None
        assert odd.refusal["code"] == "INVALID_REQUEST"
    # the first node was started without the setting
    async with admin_ui(pair.url, **login()) as off:
        assert refusal(off) == "Invalid namespace"
    items = (await pair.do("audit"))["items"]
    failed = [each["outcome"] for each in items if each["actor"] == "?"]
    assert failed.count("UNAUTHENTICATED") == 5
    assert failed.count("INSUFFICIENT_PERMISSIONS") == 2
    assert {each["target"] for each in items if each["actor"] == "?"} == {"address:127.0.0.1"}


async def test_what_is_no_text_is_refused_and_recorded(pair: Duo) -> None:
    half = "\ud800"
    admin = pair.token("root", roles=["admin"])
    async with line(pair.other_url, admin, namespace=UI, described=False) as ui:
        for name, payload in ((half, "/"), ("join", half), ("_disconnect", {"/": [half]})):
            answer = await ui.command(name, payload)
            assert answer["error"]["code"] == "INVALID_REQUEST"
    items = (await pair.do("audit"))["items"][:3]
    names = ["socketio-admin:_disconnect", "socketio-admin:join", "socketio-admin:?"]
    assert [(each["action"], each["outcome"]) for each in items] == [
        (name, "INVALID_REQUEST") for name in names
    ]


async def test_nothing_is_asked_while_nobody_looks(pair: Duo) -> None:
    async def beats(count: int) -> None:
        """So many times two seconds, less one at most."""
        seen = len(pair.admin.named("stats"))
        await pair.admin.until(lambda: len(pair.admin.named("stats")) >= seen + count)

    async with Redis.from_url(pair.system.settings.redis_url or "") as redis:
        before = await redis.xlen(CONTROL)
        async with admin_ui(pair.other_url, **login()) as ui:
            await ui.until(lambda c: len(c.named("server_stats")) > 2)
        assert await redis.xlen(CONTROL) >= before + 2
        await beats(1)  # a look may have been under way
        before = await redis.xlen(CONTROL)
        await beats(2)
        assert await redis.xlen(CONTROL) == before
