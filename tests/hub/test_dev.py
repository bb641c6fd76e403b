"""``python -m hub dev`` as a person runs it: one ready line, one owner, nothing left behind."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

pytestmark = pytest.mark.timeout(120)


@dataclass
class Dev:
    """A running ``hub dev`` and what it told."""

    process: subprocess.Popen[str]
    data_dir: Path
    url: str

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.data_dir / "dev.json").read_text())
        return facts

    def status(self, path: str = "/healthz") -> int:
        """The HTTP status of a request to the node."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status

    def child(self, words: str) -> int:
        """The pid of the child whose command line has ``words``."""
        return next(pid for pid, line in _children(self.process.pid).items() if words in line)


def _environment(**env: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return {**clean, **env}


def _command(data_dir: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", "hub", "dev", "--data-dir", str(data_dir), *args]


@contextlib.contextmanager
def running(data_dir: Path, *args: str, **env: str) -> Iterator[Dev]:
    """``hub dev`` on a free port, without the demo."""
    log = data_dir.with_suffix(".log")
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            _command(data_dir, "--port", "0", "--no-demo", *args),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=_environment(**env),
        ) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("ready http://127.0.0.1:"), log.read_text()
            yield Dev(process, data_dir, line.removeprefix("ready ").strip())
        finally:
            process.terminate()
            process.wait(30)


def _children(parent: int) -> dict[int, str]:
    """pid → command line of the processes whose parent is ``parent``."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent and fields[0] != "Z":
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(entry.name)] = line
    return found


def _commands() -> list[str]:
    """The command lines of all processes."""
    lines = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            lines.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return lines


def _alive(pids: set[int]) -> set[int]:
    alive = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z":
                alive.add(pid)
    return alive


def eventually(condition: Callable[[], bool], *, within: float = 15) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_one_ready_line_a_dev_json_and_a_clean_stop(tmp_path: Path) -> None:
    with running(tmp_path / "data") as dev:
        assert dev.status() == 200
        assert set(dev.facts) == {"url", "redisUrl", "mongoUrl", "jwtSecret", "pid"}
        assert (dev.facts["url"], dev.facts["pid"]) == (dev.url, dev.process.pid)
        assert stat.S_IMODE((tmp_path / "data" / "dev.json").stat().st_mode) == 0o600
        children = set(_children(dev.process.pid))
        assert len(children) == 4
        dev.process.send_signal(signal.SIGINT)
        assert dev.process.wait(30) == 0
        assert dev.process.stdout is not None
        assert dev.process.stdout.read() == ""
        assert _alive(children) == set()
        first = dev.facts
    with running(tmp_path / "data") as dev:
        assert dev.facts["jwtSecret"] == first["jwtSecret"]
        assert dev.facts["redisUrl"] == first["redisUrl"]
        dev.process.terminate()
        assert dev.process.wait(30) == 0


def test_a_second_start_says_in_one_line_what_is_taken(tmp_path: Path) -> None:
    with running(tmp_path / "data") as dev:
        port = str(urlsplit(dev.url).port)
        for data_dir, complaint in (
            (tmp_path / "data", f"is in use by process {dev.process.pid}"),
            (tmp_path / "other", f"cannot listen on 127.0.0.1:{port}"),
        ):
            done = subprocess.run(
                _command(data_dir, "--port", port),
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
                env=_environment(),
            )
            assert (done.returncode, done.stdout) == (1, "")
            assert len(done.stderr.splitlines()) == 1, done.stderr
            assert complaint in done.stderr
        assert not (tmp_path / "other" / "redis").exists()
        assert dev.status() == 200


def test_a_killed_parent_leaves_no_process(tmp_path: Path) -> None:
    with running(tmp_path / "data") as dev:
        children = set(_children(dev.process.pid))
        assert len(children) == 4
        dev.process.kill()
        dev.process.wait()
        eventually(lambda: not _alive(children), within=5)
    with running(tmp_path / "data") as again:
        assert again.status() == 200


def test_a_child_that_dies_comes_back_on_the_same_address(tmp_path: Path) -> None:
    with running(tmp_path / "data") as dev:
        for words in ("hub serve", "workers.ingest", "-server 127.0.0.1:", "/mongo/db"):
            before = dev.child(words)
            os.kill(before, signal.SIGKILL)
            eventually(lambda: before not in _children(dev.process.pid))  # noqa: B023 - waited for
            eventually(lambda: len(_children(dev.process.pid)) == 4)
            eventually(lambda: dev.status("/readyz") == 200, within=30)
        assert dev.facts["pid"] == dev.process.pid


def test_what_is_set_is_used_instead(tmp_path: Path, redis_server: Any, mongo_server: Any) -> None:
    secret = "an-operators-own-secret-of-32-bytes!"
    env = {
        "HUB_REDIS_URL": redis_server.url,
        "HUB_MONGO_URL": mongo_server.url,
        "HUB_MONGO_DB": "dev_with_own_servers",
        "HUB_JWT_SECRET": secret,
    }
    with running(tmp_path / "data", **env) as dev:
        assert len(_children(dev.process.pid)) == 2
        assert dev.facts["redisUrl"] == redis_server.url
        assert dev.facts["jwtSecret"] == secret
        dev.process.terminate()
        assert dev.process.wait(30) == 0
    with Redis.from_url(redis_server.url) as redis:
        assert redis.ping()


def test_a_wrong_variable_stops_the_start(tmp_path: Path) -> None:
    done = subprocess.run(
        _command(tmp_path / "data"),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=_environment(HUB_IDLE_TIMEOUT="soon", HUB_JWT_SECRET="short"),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        "HUB_IDLE_TIMEOUT",
        "HUB_JWT_SECRET",
    ]


def test_a_server_that_cannot_start_is_explained_and_the_rest_is_stopped(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "mongo").mkdir(parents=True)
    (data / "mongo" / "db").write_text("not a directory")
    done = subprocess.run(
        _command(data, "--port", "0"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=_environment(),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "mongo" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [line for line in _commands() if str(data) in line]
