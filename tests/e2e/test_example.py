"""The script of the README's walk does what the README says of it."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.support import overheard
from tests.support.guides import SHOWN_URL, blocks, commands
from tests.support.jsclient import js_client
from tests.support.play import EVENTS, steps
from tests.support.process import ROOT
from tests.support.system import System
from workers import Publisher

_MAKE, _TOKEN, FOLLOW, _LOOK = blocks("README.md", "console")


async def test_the_example_follows_a_job_through_a_killed_node(
    system: System, tmp_path: Path
) -> None:
    """A notification between the job's events must not confuse where it resumes."""
    async with (
        Publisher(system.settings.redis_url or "") as hub,
        js_client(system.url, system.token()) as probe,
    ):
        await probe.until(lambda c: c.named("hello"))
        job = hub.job("mine", project_id="p1", owner_id="u1")
        await job.start(total_scenarios=12, total_features=3)
        plan = steps(job)
        await plan[0]()
        typed = commands(FOLLOW)[-1].replace(SHOWN_URL, system.url)
        packets = tmp_path / "packets"
        follower = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"exec {typed}"),
            cwd=ROOT,
            env=os.environ
            | {"TOKEN": system.token(), "JOB": "mine", "OVERHEARD": str(packets)}
            | {"NODE_OPTIONS": f"--import {overheard.TO_FILE.as_uri()}"},
            stdout=PIPE,
        )
        try:
            assert follower.stdout is not None
            seen = [int((await follower.stdout.readline()).split()[0])]
            for step in plan[1:6]:
                await step()
                seen.append(int((await follower.stdout.readline()).split()[0]))
            await hub.notify(users=["u1"], type="a.b", title="t", body="b")
            await probe.until(lambda c: c.events("user:u1"))
            await system.node.kill()
            for step in plan[6:]:
                await step()
            await system.node.start()
            while len(seen) < EVENTS:
                seen.append(int((await follower.stdout.readline()).split()[0]))
        finally:
            follower.kill()
            await follower.wait()
    assert seen == list(range(1, EVENTS + 1))
    with packets.open() as lines:
        overheard.read(lines)
