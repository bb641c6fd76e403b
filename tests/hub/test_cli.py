"""The commands of contract section 1: what is printed where, with which status."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest

from config import scrypt
from config.settings import Settings, variable
from hub import devfile
from hub.devfile import DevFile

SECRET = "s3cret-of-the-command-line-" * 2


def hub(
    *args: str,
    cwd: Path | None = None,
    stdin: str | None = None,
    module: str = "hub",
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m hub`` with only these ``HUB_*`` variables."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return subprocess.run(
        [sys.executable, "-m", module, *args],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**clean, "PYTHONPATH": str(Path.cwd()), **env},
        cwd=cwd,
    )


def test_a_password_is_printed_as_a_hash() -> None:
    done = hub("hash-password", stdin="correct horse battery\n")
    assert done.returncode == 0, done.stderr
    assert "horse" not in done.stdout
    assert scrypt.matches("correct horse battery", done.stdout.strip())
    short = hub("hash-password", stdin="short\n")
    assert (short.returncode, short.stdout) == (1, "")
    assert "at least 12" in short.stderr


def test_help_names_the_commands() -> None:
    done = hub("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("dev", "serve", "token", "doctor"))


def test_the_ingest_worker_helps_without_any_variable() -> None:
    done = hub("--help", module="workers.ingest")
    assert (done.returncode, done.stderr) == (0, "")
    assert "python -m workers.ingest" in done.stdout
    assert hub("what", module="workers.ingest").returncode == 2
    assert "HUB_REDIS_URL" in hub(module="workers.ingest").stderr


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_missing_variables_are_all_named(command: str) -> None:
    done = hub(command)
    assert done.returncode == {"serve": 2, "doctor": 1}[command]
    assert done.stdout == ""
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        "HUB_JWT_SECRET",
        "HUB_MONGO_URL",
        "HUB_REDIS_URL",
    ]


def test_a_token_has_the_contracts_claims() -> None:
    done = hub(
        *("token", "--sub", "u1", "--role", "user", "--role", "admin"),
        *("--project", "p1", "--project", "p2", "--ttl", "15m"),
        HUB_JWT_SECRET=SECRET,
        HUB_JWT_ISSUER="me",
        HUB_JWT_AUDIENCE="hub",
    )
    assert done.returncode == 0, done.stderr
    claims = jwt.decode(
        done.stdout.strip(), SECRET, algorithms=["HS256"], audience="hub", issuer="me"
    )
    assert claims["sub"] == "u1"
    assert claims["roles"] == ["user", "admin"]
    assert claims["projects"] == ["p1", "p2"]
    assert claims["exp"] - claims["iat"] == 900
    assert abs(claims["iat"] - time.time()) < 60
    assert claims["jti"]


def test_a_token_for_all_projects_with_the_dev_secret(tmp_path: Path) -> None:
    facts = DevFile(url="http://h", redis_url="", mongo_url="", jwt_secret=SECRET, pid=1)
    devfile.write(tmp_path, facts)
    done = hub("token", "--sub", "u1", "--project", "*", "--data-dir", str(tmp_path))
    claims = jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"])
    assert (claims["projects"], claims["roles"]) == ("*", ["user"])


@pytest.mark.parametrize(
    ("args", "status", "complaint"),
    [
        (["--ttl", "5x"], 2, "--ttl"),
        (["--ttl", "0s"], 2, "--ttl"),
        (["--role", "root"], 2, "--role root"),
        (["--sub", "white space"], 2, "--sub"),
        (["--project", "a/b"], 2, "--project"),
        ([], 1, "HUB_JWT_SECRET"),
    ],
)
def test_what_token_cannot_do_is_one_line(
    args: list[str], status: int, complaint: str, tmp_path: Path
) -> None:
    done = hub("token", "--sub", "u1", "--data-dir", str(tmp_path), *args)
    assert (done.returncode, done.stdout) == (status, "")
    assert len(done.stderr.splitlines()) == 1
    assert complaint in done.stderr


def test_doctor_is_content_with_what_works(settings: Settings) -> None:
    assert settings.redis_url
    assert settings.mongo_url
    done = hub(
        "doctor",
        HUB_REDIS_URL=settings.redis_url,
        HUB_MONGO_URL=settings.mongo_url,
        HUB_JWT_SECRET=SECRET,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Redis" in done.stdout
    assert "MongoDB" in done.stdout
    assert SECRET not in done.stdout
    assert "16 of 16 partitions are not read" in " ".join(done.stdout.split())
    assert "0 nodes, 0 ingest workers" in done.stdout, "so nobody expects that they are"


def test_doctor_shows_every_limit_and_what_sets_it(settings: Settings) -> None:
    done = hub(
        "doctor",
        HUB_REDIS_URL=settings.redis_url or "",
        HUB_RATE_CONNECTS="7/5minute",
        HUB_MAX_CONNECTIONS="many",
    )
    assert "HUB_MAX_CONNECTIONS: " in done.stderr
    rows = dict(line.split()[:2] for line in done.stdout.splitlines() if "HUB_" in line)
    assert rows["HUB_RATE_CONNECTS"] == "7/5minute"
    assert rows["HUB_RATE_COMMANDS"] == "20/second"
    limited = {
        variable(name)
        for name, field in Settings.model_fields.items()
        if name.startswith(("rate_", "max_")) or name.endswith("_timeout") or "outbox" in name
    }
    assert set(rows) == limited - {"HUB_AUTHORIZE_TIMEOUT"}


def test_doctor_names_the_variable_of_each_server_that_is_away(free_port: int) -> None:
    began = time.monotonic()
    done = hub(
        "doctor",
        HUB_REDIS_URL=f"redis://user:hunter2@127.0.0.1:{free_port}/0",
        HUB_MONGO_URL=f"mongodb://127.0.0.1:{free_port}/",
    )
    assert done.returncode == 1
    lines = sorted(done.stderr.splitlines())
    assert [line.partition(":")[0] for line in lines] == [
        "HUB_JWT_SECRET",
        "HUB_MONGO_URL",
        "HUB_REDIS_URL",
    ]
    assert "hunter2" not in done.stderr
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("processes", ["0", "257", "many"])
def test_serve_refuses_a_senseless_number_of_processes(processes: str) -> None:
    done = hub("serve", "--processes", processes)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--processes" in done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_serve_says_in_one_line_that_it_cannot_listen(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = hub(
            *("serve", "--host", host, "--port", str(port)),
            HUB_REDIS_URL="redis://127.0.0.1:1/0",
            HUB_MONGO_URL="mongodb://127.0.0.1:1/",
            HUB_JWT_SECRET=SECRET,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"cannot listen on {host}:{port}" in done.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://no.such.host.invalid", "h"])
def test_admin_says_which_address_it_cannot_reach(url: str, free_port: int) -> None:
    done = hub("admin", "stats", "--token", "x", HUB_URL=url.format(port=free_port))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"{url.format(port=free_port)} cannot be reached" in done.stderr
