"""The Procfile under honcho: both kinds of process start, serve together, and stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path

import pytest

from config.settings import Settings
from hub import tokens
from tests.conftest import JWT_SECRET
from tests.support.jsclient import js_client
from tests.support.process import ROOT, environment
from workers import Publisher


async def lines_until(process: Process, wanted: set[str]) -> list[str]:
    """Reads what it prints until each of ``wanted`` was in some line."""
    assert process.stdout is not None
    seen: list[str] = []
    while missing := {each for each in wanted if not any(each in line for line in seen)}:
        line = (await process.stdout.readline()).decode()
        assert line, f"it ended without {missing}: {''.join(seen)}"
        seen.append(line)
    return seen


def processes(marker: str) -> list[str]:
    """The command lines of the running processes that have ``marker`` in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if marker.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if line]


@pytest.mark.parametrize("web_processes", [1, 2])
async def test_honcho_runs_the_procfile(
    settings: Settings, free_port: int, tmp_path: Path, web_processes: int
) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = environment(settings, PATH=path, HUB_DRAIN_SECONDS="1", HOST="127.0.0.1")
    env |= {"WEB_CONCURRENCY": str(web_processes), "MARKER": str(tmp_path)}
    honcho = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "honcho", "-f", str(ROOT / "Procfile"), "start"),
        *("-p", str(free_port)),
        cwd=ROOT,
        env=env,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        async with asyncio.timeout(30):
            url = f"http://127.0.0.1:{free_port}"
            await lines_until(honcho, {f"ready {url}", "ready ingest"})
        async with (
            Publisher(settings.redis_url or "") as hub,
            js_client(url, tokens.mint(JWT_SECRET, "u1")) as client,
        ):
            await client.until(lambda c: c.named("hello"))
            sent = await hub.notify(users=["u1"], type="a.b", title="t", body="b")
            await client.until(lambda c: c.events("user:u1"))
            assert client.events("user:u1")[0]["id"] == sent
        honcho.terminate()
        async with asyncio.timeout(15):
            out, _ = await honcho.communicate()
        assert honcho.returncode == 128 + signal.SIGTERM, "which is how honcho says it was told to"
        assert out.decode().count("stopped (rc=0)") == 2, out.decode()
        assert processes(str(tmp_path)) == []
    finally:
        if honcho.returncode is None:
            honcho.kill()
            await honcho.wait()
