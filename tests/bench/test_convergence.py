"""The convergence of two devices: every change reaches both, and rows say how soon."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from bench.clients.pair import Pair
from bench.load.client import LoadError

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(240)  # the first run installs an npm package


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "convergence", *arguments],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


def test_both_devices_know_every_change(tmp_path: Path) -> None:
    rows_file, plot = tmp_path / "rows.jsonl", tmp_path / "plot.svg"
    where = ["--rounds", "1", "--json", str(rows_file), "--plot", str(plot)]
    done = bench("--changes", "8", *where)
    assert done.returncode == 0, done.stderr
    rows: dict[str, dict[str, Any]] = {}
    for line in rows_file.read_text().splitlines():
        row = json.loads(line)
        rows[row["case"]] = row
    assert list(rows) == ["4 marks", "4 notifications", "8 changes"]
    for case, row in rows.items():
        assert (row["command"], row["variant"]) == ("convergence", "hub")
        assert row["deliveries"] == row["expected"] == int(case.split()[0])
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] <= row["max_ms"]
        assert 0 <= row["on_time"] <= 1
        assert case in done.stdout
        assert case in done.stderr  # progress
    assert rows["4 marks"]["answered_p50_ms"] > 0
    assert rows["4 marks"]["other_p50_ms"] > 0
    assert "answered_p50_ms" not in rows["4 notifications"]
    assert rows["8 changes"]["node_mongo_ms"] > 0
    assert rows["8 changes"]["ingest_mongo_ms"] > 0
    assert ET.parse(plot).getroot().tag.endswith("svg")


def test_it_says_what_it_does() -> None:
    done = bench("--help")
    assert done.returncode == 0
    assert "same unread count" in " ".join(done.stdout.split())


async def test_devices_that_do_not_get_in_are_an_error() -> None:
    async with Pair(["http://127.0.0.1:9"] * 2, "none") as pair:
        with pytest.raises(LoadError, match="start: "):
            await pair.start()
