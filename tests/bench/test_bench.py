"""Each command runs against every contender, delivers everything and says what it measured."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

ALL = {"hub", "node", "node-redis", "bare", "bare-redis"}
THROUGH_REDIS = {"hub", "node-redis", "bare-redis"}
ROOT = Path(__file__).resolve().parents[2]
HUB_AND_NODE = ["--only", "hub", "--only", "node"]
IN_PROCESS = [*HUB_AND_NODE, "--only", "hub-in-process", "--only", "bare"]
COMMANDS = {
    "latency": (["--clients", "4", "--rate", "20", "--seconds", "0.5"], THROUGH_REDIS),
    "latency-live": (
        ["--path", "live", "--clients", "4", "--seconds", "0.5", *HUB_AND_NODE],
        {"hub", "node"},
    ),
    "fanout": (
        ["--clients", "6", "--seconds", "0.3", *IN_PROCESS],
        {"hub", "hub-in-process", "node", "bare"},
    ),
    "targeted": (["--clients", "6", "--seconds", "0.3", *HUB_AND_NODE], {"hub", "node"}),
    "connect": (["--clients", "8", "--drop", "5", "--settle", "0.3"], ALL),
    "publish": (
        ["--events", "20", "--polls", "20", "--told", "4", "--rate", "4"],
        THROUGH_REDIS,
    ),
    "scale": (
        ["--nodes", "1", "--nodes", "2", "--clients", "4", "--jobs", "2", "--seconds", "0.5"],
        THROUGH_REDIS,
    ),
    "admin": (["--clients", "4", "--rate", "20", "--beats", "1", "--pairs", "1"], {"hub"}),
}

pytestmark = pytest.mark.timeout(240)  # the first run compiles, and installs npm packages


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of its own: the load client is compiled from the present sources."""
    return tmp_path_factory.mktemp("bench-cache")


def bench(cache: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_command(name: str, cache: Path, tmp_path: Path) -> None:
    arguments, contenders = COMMANDS[name]
    command = name.partition("-")[0]
    rows_file, plot = tmp_path / "rows.jsonl", tmp_path / "plot.svg"
    where = ["--rounds", "1", "--json", str(rows_file), "--plot", str(plot)]
    done = bench(cache, command, *arguments, *where)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in rows_file.read_text().splitlines()]
    assert {row["variant"] for row in rows} == contenders
    for row in rows:
        check(command, row)
        assert row["variant"] in done.stdout
        assert row["includes"] in " ".join(done.stdout.split())
    assert ET.parse(plot).getroot().tag.endswith("svg")


def test_a_profile_is_taken_of_the_python_contenders(cache: Path, tmp_path: Path) -> None:
    arguments = ["--clients", "2", "--burst", "1", "--seconds", "1.5", "--rounds", "1"]
    chosen = ["--only", "bare", "--only", "node", "--profile", str(tmp_path)]
    done = bench(cache, "fanout", *arguments, *chosen)
    assert done.returncode == 0, done.stderr
    (flames,) = tmp_path.iterdir()
    assert flames.name == "bare-1.svg"
    assert "emit" in flames.read_text()


def goes_all_the_way(row: dict[str, Any]) -> bool:
    return row["command"] == "publish" or row.get("path") == "full"


def check(command: str, row: dict[str, Any]) -> None:
    """What must be true however slow the machine is."""
    assert row["command"] == command
    if row.get("phase") == "doors":
        assert row["deliveries"] == row["expected"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"] <= row["max_ms"]
        assert row.get("reads", 0) <= 1  # a poll of an unchanged job
        return
    assert row.get("stored", False) is (row["variant"] == "hub" and goes_all_the_way(row))
    if row.get("phase") == "connect":
        assert row["ready"] == 8
        assert row["lost"] == row["refused"] == 0
        assert row["connects_per_second"] > 0
    elif row.get("phase") == "drop":
        assert row["dropped"] == 5
        assert row["clients"] == 3
        assert row["probes"] > 0
    elif command == "scale":
        assert row["deliveries"] == row["expected"] > 0
        deaf_to_others = row["variant"] == "hub"
        heard = row["heard_per_second"] * row["seconds"]
        own = row["events"] / row["nodes"]
        assert heard == pytest.approx(own if deaf_to_others else row["events"], rel=0.02)
    elif command == "admin":
        assert row["deliveries"] == row["expected"] == 2 * 20 * row["members"]
        assert row["cpu_per_delivery"] > 0
        assert row["figures"] == (row["case"] == "an administrator looks")
    else:
        assert row["deliveries"] == row["expected"] > 0
        assert row["lost"] == 0
        assert 0 < row["p50_ms"] <= row["p99_ms"] * 1.01 <= row["max_ms"] * 1.03
        if command != "targeted":  # everybody heard every event
            assert row["fewest"] == row["most"]


def test_without_a_compiler_one_message_says_what_to_install(tmp_path: Path) -> None:
    done = bench(tmp_path, "fanout", "--only", "bare", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "install gcc" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_contender_is_refused_by_name(tmp_path: Path) -> None:
    done = bench(tmp_path, "fanout", "--only", "apache")
    assert done.returncode == 2
    assert "apache" in done.stderr
