"""What the README, docs/publishing.md, docs/notifications.md and docs/administration.md show is
what works, on one hub that is set up as the last of them says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio

from config.settings import Settings
from hub.domain import ids
from hub.embedded import MongoServer, RedisServer
from tests.conftest import JWT_SECRET
from tests.support import secrecy
from tests.support.doors import address, bearer
from tests.support.guides import (
    SHOWN_URL,
    blocks,
    command,
    commands,
    filled,
    reader,
    run_python,
    run_with_redis,
    shell,
)
from tests.support.jsclient import JsClient, js_client
from tests.support.system import System, running_system
from tests.support.wait import eventually
from workers import Publisher

PASSWORD = "correct-horse-battery-staple"
CONNECT = "const socket = io(url, { auth: { token } });"
SHOWING = """
const badge = { set textContent(count) { tell("badge", count); } };
const add = (data) => tell("add", data);
const change = (data) => tell("change", data);
"""
ANSWERS = """
let cursor;
const ask = socket.emitWithAck.bind(socket);
socket.emitWithAck = async (...args) => {
  const answer = await ask(...args);
  tell("answer", answer);
  return answer;
};
"""


async def variables(block: str, given: str) -> dict[str, str]:
    """What the commands export."""
    typed = "\n".join(commands(block))
    found = (await shell(f"{typed}\nenv -0", given)).split("\0")
    pairs = dict(each.split("=", 1) for each in found if each)
    return {name: value for name, value in pairs.items() if f"export {name}=" in typed}


@pytest.fixture
async def system(
    settings: Settings, redis_server: RedisServer, mongo_server: MongoServer
) -> AsyncIterator[System]:
    """With the stock admin UI, as the guide switches it on."""
    (exports,) = blocks("docs/administration.md", "console")
    secrecy.remember(PASSWORD)
    env = await variables(exports, f"{PASSWORD}\n")
    async with running_system(settings, redis_server, mongo_server, **env) as one:
        yield one


async def got(system: System, user: str, path: str) -> Any:
    """What a user asks for over HTTP."""
    token = system.token(user, projects=["demo"])
    async with (
        aiohttp.ClientSession(headers=bearer(token)) as http,
        http.get(system.url + path) as answer,
    ):
        return await answer.json(content_type=None)


async def inbox(system: System, user: str) -> Any:
    """The first page."""
    return await got(system, user, "/v1/notifications")


async def notified(system: System, user: str, body: str) -> None:
    """Waits until a notification is in the inbox."""

    async def there() -> bool:
        return body in [each["body"] for each in (await inbox(system, user))["items"]]

    await eventually(there)


async def from_a_python_shell(
    system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The README's, where ``make run`` has left its addresses."""
    (code,) = blocks("README.md", "python")
    (tmp_path / ".hub").mkdir()
    monkeypatch.chdir(tmp_path)
    Path(".hub/dev.json").write_text(json.dumps({"redisUrl": system.settings.redis_url}))
    names = await run_python(code)
    await names["hub"].close()
    job = address("", "mine")

    async def over() -> bool:
        return bool((await got(system, "demo", job)).get("status") == "COMPLETED")

    await eventually(over)
    found = await got(system, "demo", job.replace("progress", "events"))
    types = [each["type"] for each in found["events"]]
    assert types == ["JOB_STATUS_CHANGED", "SCENARIO_COMPLETED", "JOB_COMPLETED"]
    await notified(system, "demo", "from a Python shell")


async def from_a_second_shell(system: System) -> None:
    """The README's token, and its look at the job with curl."""
    _make, token, _follow, look = blocks("README.md", "console")
    typed = commands(token)[-1:] + commands(look)
    environment = {"HUB_JWT_SECRET": JWT_SECRET, "JOB": "mine"}
    said = await shell("\necho\n".join(typed).replace(SHOWN_URL, system.url), **environment)
    _, progress, events = said.split("\n")
    assert json.loads(progress)["status"] == "COMPLETED"
    assert len(json.loads(events)["events"]) == 3


async def over_http(system: System) -> None:
    (block,) = blocks("docs/publishing.md", "console")
    typed, answer = command(block)
    token = system.token("worker", roles=["service"])
    assert await shell(typed.replace(SHOWN_URL, system.url), TOKEN=token) == answer
    await notified(system, "demo", "over HTTP")
    repeated = json.loads(await shell(typed.replace(SHOWN_URL, system.url), TOKEN=token))
    assert (repeated["accepted"], repeated["duplicates"]) == (0, 1)


async def through_redis(system: System, tmp_path: Path) -> None:
    code, _ = blocks("docs/publishing.md", "js")
    start = {"id": ids.uuid7(), "kind": "JOB", "type": "JOB_STARTED", "jobId": "any"}
    publication = json.dumps(start | {"projectId": "demo", "ownerId": "demo"})
    given = f'const jobId = "any", publication = {publication};'
    await run_with_redis(tmp_path, system.settings.redis_url or "", given + code)

    async def there() -> bool:
        return "status" in await got(system, "demo", address("", "any"))

    await eventually(there)


async def from_a_manager(system: System) -> None:
    """Who follows the room's channel hears it, under its own name."""
    (code,) = blocks("docs/publishing.md", "python")
    code = code.replace("redis://…", system.settings.redis_url or "").replace("550e…", "any")
    _, listen = blocks("docs/publishing.md", "js")
    async with reader(url=system.url, token=system.token("demo", projects=["demo"])) as page:
        await page.run(CONNECT + filled(listen))
        await page.run('socket.emit("subscribe", { channel: "job:any" }, (a) => tell("joined", a))')
        assert (await page.hears("joined"))["ok"]

        async def heard() -> bool:
            names = await run_python(code, socketio=socketio)
            await names["manager"].redis.aclose()
            return bool(page.told("build-moved"))

        await eventually(heard)  # best effort
        assert page.told("build-moved")[0] == {"to": "stage"}


async def notifying(system: System) -> None:
    """Two devices of a user who subscribed to the topic: one shows, the other asks and marks."""
    (notify,) = blocks("docs/notifications.md", "python")
    show, ask = blocks("docs/notifications.md", "js")
    token = system.token()
    async with (
        aiohttp.ClientSession(headers=bearer(token)) as http,
        http.put(f"{system.url}/v1/topics/team-7/subscribers/u1") as answer,
    ):
        assert answer.status == 204
    async with reader(url=system.url, token=token) as page:
        await page.run(CONNECT + SHOWING + show)
        await page.until(lambda _: page.told("badge"))
        assert page.told("badge")[0] == 0
        async with Publisher(system.settings.redis_url or "") as hub:
            next_week = datetime.now(UTC) + timedelta(days=7)
            await run_python(notify, hub=hub, next_week=next_week)
        await page.hears("add", 3)
        added = {each["type"]: each for each in page.told("add")}
        assert set(added) == {"team.created", "team.updated", "system.updated"}
        assert added["system.updated"]["severity"] == "SUCCESS"
        assert added["team.created"]["actor"] == "ana"
        await asking(system, token, ask)
        await page.until(
            lambda _: len([e for e in page.told("change") if e["state"] == "READ"]) == 2
        )
        await page.until(lambda _: page.told("badge")[-1] == 0)
        assert max(page.told("badge")) > 0


async def asking(system: System, token: str, code: str) -> None:
    """Lists, marks the newest of three, and the rest."""

    async def counted() -> bool:
        return bool((await inbox(system, "u1"))["unread"]["count"] == 3)

    await eventually(counted)
    newest = (await inbox(system, "u1"))["items"][0]["id"]
    async with reader(url=system.url, token=token, id=newest) as page:
        await page.run(CONNECT + ANSWERS)
        await page.run_waiting(code)
        await page.hears("answer", 3)
        listed, one, rest = (each["data"] for each in page.told("answer"))
    assert [each["type"] for each in listed["items"]] == ["team.updated"]
    assert (one["changed"], one["unread"]["count"]) == (1, 2)
    assert (rest["changed"], rest["unread"]["count"]) == (2, 0)


async def the_admin_ui(system: System) -> None:
    """Let in with the password, from the page that the guide names."""
    place = f"{system.url}/socketio-admin"
    for password, outcome in ((PASSWORD, "session"), ("wrong", "connect_error")):
        auth = {"username": "admin", "password": password}
        async with js_client(place, None, auth=auth, listen=["session"]) as ui:
            await ui.until(partial(JsClient.named, name=outcome))
    async with aiohttp.ClientSession() as http:
        for origin, allowed in (("https://admin.socket.io", True), ("https://a.example", False)):
            headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            async with http.options(f"{system.url}/socket.io/", headers=headers) as answer:
                assert (answer.headers.get("Access-Control-Allow-Origin") == origin) is allowed


@pytest.mark.timeout(60)
async def test_what_the_guides_show_is_published(
    system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await notifying(system)
    await from_a_python_shell(system, monkeypatch, tmp_path)
    await from_a_second_shell(system)
    await over_http(system)
    await through_redis(system, tmp_path)
    await from_a_manager(system)
    await the_admin_ui(system)
