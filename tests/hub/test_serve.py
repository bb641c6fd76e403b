"""``python -m hub serve --processes N``: one address, N nodes, whichever of them dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from config.settings import Settings
from hub import tokens
from tests.conftest import JWT_SECRET
from tests.support.jsclient import js_client
from tests.support.play import EVENTS, steps
from tests.support.process import ROOT, Program, environment
from tests.support.serving import alive, children, gone, serving
from tests.support.wait import eventually
from workers import Publisher

pytestmark = pytest.mark.timeout(90)

JOB = "550e8400-e29b-41d4-a716-446655440000"
CHANNEL = f"job:{JOB}"


def token(user: str = "u1") -> str:
    return tokens.mint(JWT_SECRET, user, projects=["p1"])


async def test_one_ready_line_per_process_all_at_one_address(
    settings: Settings, tmp_path: Path
) -> None:
    async with serving(settings, tmp_path / "log", 3) as hub:
        assert hub.ready == [hub.ready[0]] * 3
        assert sorted(hub.nodes) == ["0", "1", "2"]
        assert sorted(hub.sessions_everywhere()) == ["0", "1", "2"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_every_process(
    settings: Settings, tmp_path: Path, number: signal.Signals
) -> None:
    async with serving(settings, tmp_path / "log") as hub:
        started = children(hub.process.pid)
        assert len(started) == 2
        async with js_client(hub.url, token()) as client:
            await client.until(lambda c: c.named("hello"))
            hub.process.send_signal(number)
            async with asyncio.timeout(10):
                assert await hub.process.wait() == 0
            assert not any(map(alive, started))
            await client.until(lambda c: c.named("disconnect"))
        assert hub.process.stdout is not None
        assert await hub.process.stdout.read() == b""
        assert "Traceback" not in hub.log.read_text()


async def test_processes_that_do_not_end_are_killed(settings: Settings, tmp_path: Path) -> None:
    async with serving(settings, tmp_path / "log", HUB_DRAIN_SECONDS="0.1") as hub:
        started = children(hub.process.pid)
        for pid in hub.nodes.values():
            os.kill(pid, signal.SIGSTOP)
        hub.process.terminate()
        async with asyncio.timeout(20):
            assert await hub.process.wait() == 0
        assert not any(map(alive, started))


async def test_a_second_signal_does_not_wait(settings: Settings, tmp_path: Path) -> None:
    async with serving(settings, tmp_path / "log", HUB_DRAIN_SECONDS="60") as hub:
        started = children(hub.process.pid)
        os.kill(hub.nodes["0"], signal.SIGSTOP)
        other = hub.nodes["1"]
        hub.process.terminate()
        await gone({other})
        hub.process.terminate()
        async with asyncio.timeout(10):
            assert await hub.process.wait() == 0
        assert not any(map(alive, started))


async def test_a_killed_supervisor_leaves_no_process(
    settings: Settings, tmp_path: Path, free_port: int
) -> None:
    async with serving(settings, tmp_path / "log", port=free_port) as hub:
        started = children(hub.process.pid)
        hub.process.kill()
        await hub.process.wait()
        await gone(started)
    async with serving(settings, tmp_path / "log", port=free_port) as again:
        assert again.url == hub.url


async def test_a_dead_process_comes_back_and_the_others_serve_meanwhile(
    settings: Settings, tmp_path: Path
) -> None:
    async with serving(settings, tmp_path / "log") as hub:
        before = hub.nodes
        sessions = hub.sessions_everywhere()
        os.kill(before["0"], signal.SIGKILL)
        await gone({before["0"]})
        assert hub.open_session()[:2] == "01"
        assert hub.request("POST", sessions["1"], "1") == (200, "ok")
        status, text = hub.request("GET", sessions["0"])  # waits for the successor, which says:
        assert (status, json.loads(text)["message"]) == (400, "Session ID unknown")
        await hub.announced(1)
        assert hub.ready == [hub.ready[0]] * 3
        assert hub.nodes["1"] == before["1"]
        assert hub.nodes["0"] != before["0"]
        assert sorted(hub.sessions_everywhere()) == ["0", "1"]
    log = hub.log.read_text()
    assert "died" in log
    assert "service=node-0 status=-9" in log
    assert "restarted" in log


async def test_a_process_told_to_stop_drains_and_is_replaced(
    settings: Settings, tmp_path: Path
) -> None:
    async with serving(settings, tmp_path / "log", HUB_DRAIN_SECONDS="6") as hub:
        sid = hub.sessions_everywhere()["0"]
        assert hub.request("POST", sid, "40" + json.dumps({"token": token()}))[0] == 200
        assert hub.request("GET", sid)[1].startswith('40{"sid"')
        before = hub.nodes["0"]
        os.kill(before, signal.SIGTERM)

        async def refused_here() -> bool:
            return "drain.begins" in hub.log.read_text()

        await eventually(refused_here)
        assert {hub.open_session()[:2] for _ in range(12)} == {"01"}
        assert before in children(hub.process.pid), "it ended before its client had heard so"
        assert '"DRAINING"' in hub.request("GET", sid)[1]
        await hub.announced(1)
        assert hub.nodes["0"] != before


async def test_a_process_that_keeps_dying_is_restarted_ever_more_slowly(
    settings: Settings, tmp_path: Path
) -> None:
    async with serving(settings, tmp_path / "log", HUB_LOG_FORMAT="json") as hub:
        for _ in range(3):
            os.kill(hub.nodes["0"], signal.SIGKILL)
            await hub.announced(1)
    entries = [json.loads(line) for line in hub.log.read_text().splitlines()]
    waits = [entry["restart_in"] for entry in entries if entry["event"] == "died"]
    assert waits == [0.2, 0.4, 0.8]


async def test_a_session_is_served_whatever_connection_its_requests_come_on(
    settings: Settings, tmp_path: Path
) -> None:
    async with serving(settings, tmp_path / "log", 3) as hub:
        for sid in hub.sessions_everywhere().values():
            connect = "40" + json.dumps({"token": token()})
            assert hub.request("POST", sid, connect) == (200, "ok")
            status, text = hub.request("GET", sid)
            assert status == 200
            assert text.startswith('40{"sid"')
            for number in range(6):
                command = [f'42{number}["unsubscribe",'.encode(), b'{"channel": "all"}]']
                assert hub.request("POST", sid, command) == (200, "ok")
                status, text = hub.request("GET", sid)
                assert (status, f'43{number}[{{"ok":' in text) == (200, True), text
        too_long = "4" + "x" * settings.max_message
        outcomes = {hub.request("POST", hub.open_session(), too_long)[0] for _ in range(12)}
        assert outcomes == {413}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("transports", [None, ["polling"], ["websocket"]])
async def test_stock_clients_follow_a_job_while_processes_die(
    settings: Settings, tmp_path: Path, transports: list[str] | None
) -> None:
    options = {} if transports is None else {"transports": transports}
    async with contextlib.AsyncExitStack() as stack:
        hub = await stack.enter_async_context(serving(settings, tmp_path / "log"))
        ingest = Program(["workers.ingest"], environment(settings))
        stack.push_async_callback(ingest.stop)
        await ingest.start()
        publisher = await stack.enter_async_context(Publisher(settings.redis_url or ""))
        job = publisher.job(JOB, project_id="p1", owner_id="u1")
        await job.start(total_scenarios=12, total_features=3)
        clients = [
            await stack.enter_async_context(
                js_client(hub.url, token(user), follow=[CHANNEL], **options)
            )
            for user in ("u1", "u2", "u3", "u4")
        ]
        for client in clients:
            await client.until(lambda c: c.named("subscribed") or c.named("refused"))
            assert client.named("connect_error") == []
        for number, step in enumerate(steps(job), start=1):
            if number in (6, 12):
                os.kill(hub.nodes[str(number // 6 - 1)], signal.SIGKILL)
            if number == 12:
                await hub.announced(1)
            await step()
        for client in clients:
            # One whose WebSocket dies in the middle of its upgrade learns it by the heartbeat.
            await client.until(lambda c: len(c.events(CHANNEL)) >= EVENTS, limit=60)
            assert client.offsets(CHANNEL) == list(range(1, EVENTS + 1))
            assert client.events(CHANNEL) == clients[0].events(CHANNEL)
            assert len(client.named("connect")) > 1, "the death of both nodes went unnoticed"
        hub.process.terminate()
        assert await hub.process.wait() == 0


async def test_a_taken_address_is_refused_in_one_line(settings: Settings, tmp_path: Path) -> None:
    async def complain(port: int) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub", "serve", "--port", str(port), "--processes", "2"),
            cwd=ROOT,
            env=environment(settings),
            stdout=PIPE,
            stderr=PIPE,
        )
        async with asyncio.timeout(20):
            out, err = await process.communicate()
        assert (process.returncode, out) == (1, b"")
        assert err.decode() == f"cannot listen on 127.0.0.1:{port}: Address already in use\n"

    async with serving(settings, tmp_path / "log") as hub:
        await complain(urlsplit(hub.url).port or 0)
        assert hub.request("GET")[0] == 200
    with socket.create_server(("127.0.0.1", 0)) as other:
        await complain(other.getsockname()[1])
