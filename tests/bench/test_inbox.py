"""The costs of a small inbox, as the command tells them."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from bench.subject import CALLS

ROOT = Path(__file__).resolve().parents[2]


def test_every_call_is_told(tmp_path: Path) -> None:
    rows_file, plot = tmp_path / "rows.jsonl", tmp_path / "plot.svg"
    sizes = ["--notifications", "40", "--announcements", "10", "--times", "1"]
    where = ["--json", str(rows_file), "--plot", str(plot)]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "inbox", *sizes, *where],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["case"]: row for row in map(json.loads, rows_file.read_text().splitlines())}
    touched_rows = ["list, first page, all touched", "unread count, counted, all touched"]
    assert list(rows) == [*CALLS, *touched_rows, "mark all", "mark all again"]
    for case, row in rows.items():
        assert (row["command"], row["variant"]) == ("inbox", "hub")
        assert 0 < row["trips"] <= row["commands"]
        assert row["documents"] > 0
        assert row["kilobytes"] > 0
        assert row["ranges"] is True, row["indexes"]
        assert row["p50_ms"] > 0
        assert case in done.stdout
        assert case in done.stderr
    untouched, touched = rows["unread count"], rows["unread count, counted, all touched"]
    assert touched["documents"] > untouched["documents"]
    assert ET.parse(plot).getroot().tag.endswith("svg")
