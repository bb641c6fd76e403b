"""What docs/following.md shows of the stock client is what works. Its pieces for browsers are run
in one (``web/test/browser/guide.test.ts``)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hub import tokens
from tests.conftest import JWT_SECRET
from tests.support.guides import Reader, blocks, filled, reader
from tests.support.sioline import line
from tests.support.system import System
from tests.support.wait import eventually
from workers import Job, Publisher

CONNECT, SUBSCRIBE, RECOVER, RENEW, _TICKET, _STREAM = blocks("docs/following.md", "js")
JOB = "job:j1"


def shown(pattern: str) -> tuple[set[str], set[str]]:
    """The fields that a comment names: those that there always are, and those that may be."""
    (found,) = re.findall(pattern, CONNECT)
    names = found.split(", ")
    always = {name for name in names if not name.endswith("?")}
    return always, {name.removesuffix("?") for name in names}


def fits(value: dict[str, Any], pattern: str) -> bool:
    always, all_of_them = shown(pattern)
    return always <= set(value) <= all_of_them


async def stored(system: System) -> None:
    """Waits until two events of the job can be had."""
    async with line(system.url, system.token("u9")) as one:

        async def there() -> bool:
            answer = await one.command("subscribe", {"channel": JOB})
            return bool(answer["ok"] and answer["data"]["offset"] == 2)

        await eventually(there)


async def connecting(system: System, hub: Publisher) -> None:
    """All five events come, and have what the guide takes out of them."""
    async with (
        reader(url=system.url, token=system.token("ana")) as page,
        line(system.url, system.token("root", roles=["admin"]), namespace="/admin") as admin,
    ):
        await page.run(filled(CONNECT))
        hello = await page.hears("hello")
        assert hello["unread"]["count"] == 0
        assert {each["channel"] for each in hello["channels"]} == {"user:ana", "all"}
        await hub.notify(users=["ana"], type="t", title="Hello", body="you")
        event = await page.hears("event")
        assert fits(event, r"// \{(v, .*)\}\n")
        assert event["type"] == "NOTIFICATION_CREATED"

        lost = '{ "user:ana": { epoch: "another", offset: 1 } }'
        await page.run(f"socket.auth.channels = {lost}; socket.disconnect().connect()")
        reset = await page.hears("reset")
        assert set(reset) == {"channel", "epoch", "offset", "snapshot"}
        assert [each["title"] for each in reset["snapshot"]["items"]] == ["Hello"]
        await page.hears("hello", 2)

        ban = {"userId": "ana", "banSeconds": 60}
        assert (await admin.command("kick", ban))["data"]["connections"] == 1
        closing = await page.hears("closing")
        assert closing == {"code": "BANNED", "reconnect": False, "retryAfter": 60}
        await page.run("socket.connect()")
        refused = await page.hears("connect_error")
        assert refused["message"] == refused["data"]["code"] == "BANNED"
        assert fits(refused["data"], r"error\.data \{(.*)\}")


async def subscribing(system: System, job: Job) -> None:
    """Each row of the table of modes."""
    async with reader(url=system.url, token=system.token("u2")) as page:
        await page.run(filled(CONNECT) + 'let id = "j1", epoch, offset')
        await page.hears("hello")
        answers = 0

        async def subscribed(state: str) -> Any:
            nonlocal answers
            answers += 1
            await page.run(f"{state}\n{filled(SUBSCRIBE)}")
            return await page.hears("subscribe", answers)

        async def outcome(state: str) -> tuple[str, list[int], int]:
            data = (await subscribed(state))["data"]
            assert data["channel"] == JOB
            return data["mode"], [each["offset"] for each in data["events"]], data["offset"]

        assert await outcome("") == ("FRESH", [1, 2], 2)
        await job.progress(60)
        assert (await page.hears("event"))["offset"] == 3
        assert await outcome("offset = 0") == ("REPLAYED", [1, 2, 3], 3)
        known = f"epoch = '{page.told('event')[0]['epoch']}'"
        assert await outcome(f"{known}, offset = 2") == ("REPLAYED", [3], 3)
        reset = (await subscribed("epoch = 'another'"))["data"]
        assert (reset["mode"], reset["events"], reset["offset"]) == ("RESET", [], 3)
        assert reset["snapshot"]["progress"]["percentage"] == 60
        refused = await subscribed("id = 'missing'")
        assert (refused["ok"], refused["error"]["code"]) == (False, "JOB_NOT_FOUND")
        assert {"code", "message", "retry"} <= set(refused["error"])


async def recovering(system: System, job: Job) -> None:
    """Only who was not recovered subscribes again."""
    async with reader(url=system.url, token=system.token("u3")) as page:
        again = f'const subscribeToEverythingAgain = () => {{ tell("again"); {SUBSCRIBE} }};'
        await page.run('let id = "j1", epoch, offset;' + filled(again))
        await page.run(filled(CONNECT) + RECOVER)
        await page.hears("subscribe")

        async def upgraded() -> bool:
            return bool(await page.value("socket.io.engine.transport.name") == "websocket")

        await eventually(upgraded)
        await page.run("socket.io.engine.transport.ws.terminate()")
        await job.progress(90)
        await page.hears("hello", 2)
        assert await page.value("socket.recovered") is True
        assert [(await page.hears("event"))["offset"], len(page.told("again"))] == [4, 1]
        await page.run("socket.disconnect().connect()")
        await page.hears("again", 2)
        assert await page.value("socket.recovered") is False


async def renewing(system: System, page: Reader) -> None:
    """The hub asks for another token, takes it, and the next connect gets the one after that."""
    short, longer = (tokens.mint(JWT_SECRET, "u4", projects=["p1"], ttl=ttl) for ttl in (55, 600))
    given = f'const all = ["{short}", "{longer}", "{longer}"], token = async () => all.shift();'
    rest = f"const channels = {{'{JOB}': {{}}}}, answer = (given) => tell('answer', given);"
    await page.run(given + rest)
    await page.run(RENEW + 'socket.on("hello", (hello) => tell("hello", hello));')
    hello = await page.hears("hello")
    answer = await page.hears("answer")
    assert answer["ok"]
    assert set(answer["data"]) == {"expiresAt"}
    assert JOB in {each["channel"] for each in hello["channels"]}
    await page.run("socket.disconnect().connect()")
    await page.hears("hello", 2)
    assert await page.value("all.length") == 0


@pytest.mark.timeout(60)
async def test_what_the_guide_shows_is_followed(system: System) -> None:
    async with Publisher(system.settings.redis_url or "") as hub:
        job = hub.job("j1", project_id="p1", owner_id="u1")
        await job.start()
        await job.status("GENERATING")
        await job.progress(30)
        await stored(system)
        await connecting(system, hub)
        await subscribing(system, job)
        await recovering(system, job)
        async with reader(url=system.url) as page:
            await renewing(system, page)
