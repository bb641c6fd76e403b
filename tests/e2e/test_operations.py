"""The steps of docs/operations.md, as they stand there, find what is broken."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from config.settings import Settings
from hub.broker.keys import Keys
from hub.domain import ids
from hub.embedded import MongoServer, RedisServer
from tests.support.guides import SHOWN_URL, blocks, commands, every_block
from tests.support.process import ROOT, environment
from tests.support.sioline import line
from tests.support.system import System, running_system
from tests.support.wait import eventually
from workers import Publisher

GUIDE = "docs/operations.md"
SECTIONS = {"", "A broken publication", "A broken notification", "A stuck partition", "Acting"}


def steps(heading: str) -> list[str]:
    """The commands of a section, or those before all sections."""
    found = [each for block in blocks(GUIDE, "console", heading) for each in commands(block)]
    assert found, heading
    return found


class Shell:
    """Whoever operates the hub."""

    def __init__(self, system: System) -> None:
        self.env = environment(system.settings) | {
            "HUB_URL": system.url,
            "HUB_TOKEN": system.token("root", roles=["admin"]),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "200",
        }

    async def text(self, step: str, **env: str) -> str:
        """What a step prints; it must succeed."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", step), cwd=ROOT, env=self.env | env, stdout=PIPE, stderr=PIPE
        )
        async with asyncio.timeout(30):
            out, errors = await process.communicate()
        assert process.returncode == 0, (step, errors.decode()[-2000:])
        return out.decode()

    async def json(self, step: str, **env: str) -> Any:
        return json.loads(await self.text(step, **env))


@pytest.fixture
async def system(
    settings: Settings, redis_server: RedisServer, mongo_server: MongoServer
) -> AsyncIterator[System]:
    """Every event is traced."""
    async with running_system(settings, redis_server, mongo_server, HUB_TRACE_SAMPLE="1") as one:
        yield one


def test_every_section_with_steps_is_taken() -> None:
    console = [each for each in every_block(ROOT / GUIDE) if each.language == "console"]
    assert {each.heading for each in console} == SECTIONS


@pytest.mark.timeout(90)
async def test_a_broken_publication_is_found_mended_and_thrown_away(system: System) -> None:
    shell, keys = Shell(system), Keys(system.settings.partitions)
    dead, replay, drop, trace = steps("A broken publication")
    async with (
        Publisher(system.settings.redis_url or "") as hub,
        Redis.from_url(system.settings.redis_url or "") as redis,
    ):
        job = hub.job("j1", project_id="p1", owner_id="u1")
        await job.status("GENERATING")  # it was not started
        await redis.xadd(keys.journal(5), {"p": b"not json"})

        async def buried() -> bool:
            return sum([await redis.xlen(keys.dead(n)) for n in range(keys.partitions)]) == 2

        await eventually(buried)
        items = {each["partition"]: each for each in (await shell.json(dead))["items"]}
        hopeless, early = items[5], items[keys.partition("job:j1")]
        assert "JSON" in hopeless["reason"]
        assert "JOB_NOT_FOUND" in early["reason"]
        event = early["publication"]["id"]
        assert (await shell.json(trace, EVENT=event))["state"] == "DEAD"
        await job.start(total_scenarios=1)
        assert (await shell.json(replay, LETTER=early["id"]))["replayed"] == 1
        assert (await shell.json(drop, OTHER_LETTER=hopeless["id"]))["dropped"] == 1

        async def mended() -> bool:
            return bool((await shell.json(trace, EVENT=event))["state"] == "STORED")

        await eventually(mended)
        assert (await shell.json(dead))["items"] == []


@pytest.mark.timeout(90)
async def test_a_broken_notification_is_followed_to_where_it_is(system: System) -> None:
    shell = Shell(system)
    trace, connections, tail = steps("A broken notification")
    async with Publisher(system.settings.redis_url or "") as hub:
        async with line(system.url, system.token()) as client:
            await hub.notify(users=["u1"], type="t", title="Hello", body="you")
            await client.until(lambda: client.named("event"))
            note = client.named("event")[0]["data"]["id"]

            async def written() -> bool:
                found = await shell.json(trace, NOTE=note)
                return [each["sid"] for each in found["writes"]] == [client.sid]

            await eventually(written)
            (one,) = (await shell.json(connections))["items"]
            assert one["sid"] == client.sid
            watching = asyncio.create_task(shell.text(tail))
            while not watching.done():
                await hub.notify(users=["u1"], type="t", title="Again", body="you")
                await asyncio.wait([watching], timeout=0.3)
            shown = [json.loads(each) for each in (await watching).splitlines() if "event" in each]
            kinds = {each["data"]["step"] for each in shown if each["event"] == "tail"}
            assert kinds >= {"ROUTED", "WRITTEN"}
        assert (await shell.json(connections))["items"] == []


@pytest.mark.timeout(90)
async def test_a_stuck_partition_is_named(system: System) -> None:
    shell, keys = Shell(system), Keys(system.settings.partitions)
    doctor, metrics = steps("A stuck partition")
    await system.ingest.kill()
    async with Redis.from_url(system.settings.redis_url or "") as redis:

        async def unread() -> bool:
            return await redis.get(keys.lease(7)) is None

        await eventually(unread)
        said = await shell.text("! python -m hub doctor 2>&1")
        assert "16 of 16 partitions are not read, so what is published there waits" in said
        assert "HUB_REDIS_URL: " in said
        assert "1 nodes, 0 ingest workers" in said, "the one that was killed is none"
        await redis.xadd(keys.journal(7), {"p": b"{}"}, id="1-1")  # in 1970
        said = " ".join((await shell.text(doctor)).split())
        assert "partition 07: 1 publications wait" in said
        assert "no worker reads it" in said
        shown = await shell.text(metrics)
        assert 'hub_partition_leased{partition="07"} 0.0' in shown
        oldest = 'hub_journal_oldest_seconds{partition="07"} '
        (age,) = [each for each in shown.splitlines() if each.startswith(oldest)]
        assert float(age.removeprefix(oldest)) > 1e9
        top = await shell.text("python -m hub top --once")
        assert "partition 07" in top
        assert "16 of 16 partitions are not read" in top
        await system.ingest.start()

        async def mended() -> bool:
            return await redis.xlen(keys.journal(7)) == 0

        await eventually(mended)
        said = await shell.text(doctor.removesuffix("|| true"))
        assert "partition 07: " not in said
        assert "0 of 16 partitions are not read" in " ".join(said.split())


@pytest.mark.timeout(60)
async def test_acting_from_a_shell_is_recorded(system: System) -> None:
    shell = Shell(system)
    setup = [each.replace(SHOWN_URL, system.url) for each in steps("")]
    kick, broadcast = steps("Acting")
    async with line(system.url, system.token("u2")) as other:
        async with line(system.url, system.token()) as client:
            assert (await shell.json("\n".join([*setup, kick]), HUB_URL="", HUB_TOKEN=""))[
                "users"
            ] == ["u1"]
            await client.until(lambda: client.closed)
        await shell.json(broadcast)
        await other.until(lambda: other.named("event"))
        assert other.named("event")[0]["type"] == "BROADCAST"
    items = (await shell.json("python -m hub admin audit"))["items"]
    done = [(each["action"], each["outcome"]) for each in items if each["action"] != "connect"]
    assert done == [("broadcast", "OK"), ("kick", "OK")]
    for step, why in (
        ("python -m hub admin nonsense", "UNKNOWN_COMMAND"),
        ("python -m hub admin stats --token x", "UNAUTHENTICATED"),
        (f'python -m hub admin trace \'{{"eventId": "{ids.uuid7()}"}}\'', "NOT_FOUND"),
    ):
        assert why in await shell.text(f"! {step} 2>&1")
    follow = "python -m hub admin stats --follow"
    shown = await shell.text(f"{follow} | head -n 1; {follow} | true; exit ${{PIPESTATUS[0]}}")
    assert shown == "{\n", "and it ends quietly when nobody reads any more"
