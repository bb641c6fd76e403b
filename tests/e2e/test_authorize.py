"""Every door asks the user's own backend who may read a project."""

from __future__ import annotations

from aiohttp import ClientSession, web

from config.settings import Settings
from hub.embedded import MongoServer, RedisServer
from tests.support.backend import backend
from tests.support.doors import Refused, address, bearer, raw, source
from tests.support.sioline import line
from tests.support.system import System, running_system
from tests.support.wait import eventually
from workers import Publisher

JOB = "j1"
CHANNEL = f"job:{JOB}"


async def answers(system: System, http: ClientSession, token: str) -> dict[str, object]:
    """What each door says to the holder of the token: a code, or ok."""
    found: dict[str, object] = {}
    url = address(system.url, JOB)
    for name in ("progress", "events"):
        async with http.get(url.replace("progress", name), headers=bearer(token)) as answer:
            body = await answer.json(content_type=None)
            found[name] = "ok" if answer.status == 200 else body["errorCode"]
    for name, door in (("raw", raw), ("sse", source)):
        try:
            async with door(http, url, token):
                found[name] = "ok"
        except Refused as refused:
            found[name] = refused.problem["errorCode"]
    async with line(system.url, token) as client:
        answer = await client.command("subscribe", {"channel": CHANNEL})
        found["subscribe"] = "ok" if answer["ok"] else answer["error"]["code"]
    return found


async def test_every_door_asks_the_backend(
    settings: Settings, redis_server: RedisServer, mongo_server: MongoServer
) -> None:
    async with backend() as asked, ClientSession() as http:
        options = {"HUB_AUTHORIZE_URL": asked.url, "HUB_AUTHORIZE_TTL": "0"}
        async with (
            running_system(settings, redis_server, mongo_server, **options) as system,
            Publisher(settings.redis_url or "") as hub,
        ):
            stranger = system.token("u1", projects=())
            claimant = system.token("u2", projects=("p1",))  # the token's word does not count
            asked.allowed = {("u1", "p1")}
            await hub.job(JOB, project_id="p1", owner_id="u1").start(total_scenarios=1)

            async def known() -> bool:
                url = address(system.url, JOB)
                async with http.get(url, headers=bearer(stranger)) as answer:
                    return answer.status == 200

            await eventually(known)
            doors = ("progress", "events", "raw", "sse", "subscribe")
            assert await answers(system, http, stranger) == dict.fromkeys(doors, "ok")
            refused = dict.fromkeys(doors, "INSUFFICIENT_PERMISSIONS")
            assert await answers(system, http, claimant) == refused
            asked.answer = lambda: web.Response(status=500)
            assert await answers(system, http, stranger) == dict.fromkeys(doors, "UNAVAILABLE")
            async with line(system.url, stranger, channels={CHANNEL: {"offset": 0}}) as client:
                assert client.refusal is not None
                assert "UNAVAILABLE" in str(client.refusal)
            asked.answer = None
            async with line(system.url, stranger, channels={CHANNEL: {"offset": 0}}) as client:
                assert CHANNEL in [each["channel"] for each in client.hello["channels"]]
