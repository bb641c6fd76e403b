"""The embedded servers: their data and port outlive a crash, a bad start says why."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from hub.embedded import EmbeddedError, EmbeddedServer, MongoServer, RedisServer


async def _write(server: EmbeddedServer, value: str) -> None:
    if isinstance(server, RedisServer):
        async with Redis.from_url(server.url) as redis:
            await redis.rpush("kept", value)
    else:
        async with AsyncMongoClient[dict[str, object]](
            server.url, w="majority", serverMonitoringMode="poll"
        ) as mongo:
            await mongo.db.kept.insert_one({"value": value})


async def _read(server: EmbeddedServer) -> list[str]:
    if isinstance(server, RedisServer):
        async with Redis.from_url(server.url, decode_responses=True) as redis:
            return [str(item) for item in await redis.lrange("kept", 0, -1)]
    async with AsyncMongoClient[dict[str, str]](server.url, serverMonitoringMode="poll") as mongo:
        return [item["value"] for item in await mongo.db.kept.find().sort("_id").to_list()]


@pytest.mark.parametrize("kind", [RedisServer, MongoServer])
async def test_data_and_port_outlive_kill_and_stop(
    kind: type[EmbeddedServer], tmp_path: Path
) -> None:
    server = kind(tmp_path)
    await server.start()
    try:
        url, pid = server.url, server.pid
        await _write(server, "before the crash")
        server.kill()
        assert not server.running
        await server.start()
        assert (server.url, server.pid == pid) == (url, False)
        await _write(server, "before the stop")
        await server.stop()
        await server.stop()
        assert not server.running
        await server.start()
        assert await _read(server) == ["before the crash", "before the stop"]
    finally:
        await server.stop()


@pytest.mark.parametrize("kind", [RedisServer, MongoServer])
async def test_a_taken_port_is_an_error_with_the_servers_own_words(
    kind: type[EmbeddedServer], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = kind(tmp_path, port=other.getsockname()[1])
        with pytest.raises(EmbeddedError, match=r"(?is)exited with status.*in use"):
            await server.start()
    assert not server.running


async def test_a_port_taken_between_choice_and_start_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken: int = other.getsockname()[1]
        choices = iter([taken, taken])
        monkeypatch.setattr("hub.embedded.free_port", lambda: next(choices, 0) or _free())
        server = RedisServer(tmp_path)
        await server.start()
    try:
        assert server.port != taken
    finally:
        await server.stop()


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_directory_that_cannot_be_used_is_one_error(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    (tmp_path / "appendonlydir").write_text("not a directory")
    with pytest.raises(EmbeddedError, match=r"redis .* exited with status"):
        await server.start()


async def test_a_killed_parent_leaves_no_server(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, time; from pathlib import Path;"
        "from hub.embedded import RedisServer;"
        f"server = RedisServer(Path({str(tmp_path)!r}));"
        "asyncio.run(server.start()); print(server.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        os.kill(pid, 0)
        parent.kill()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
        assert time.monotonic() < deadline, "the server outlived its parent"
        await asyncio.sleep(0.02)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


async def test_kill_leaves_nothing_of_its_group(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    await server.start()
    assert os.getpgid(server.pid) == server.pid != os.getpgid(0)
    server.kill()
    assert await server.wait() == -signal.SIGKILL
