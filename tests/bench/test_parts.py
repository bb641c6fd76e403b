"""The parts that figures depend on: feeds, meters, medians."""

import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from bench.feeds import Record, write_feed
from bench.measure import tree, usage
from bench.payload import envelope, stamp
from bench.report import Column, View, advantage, medians
from bench.scenarios.admin import (
    Phase,
    control,
    interval,
    relative,
    relative_interval,
    rows,
    served,
)
from bench.servers.base import FeedShape
from bench.servers.hub import live_records
from hub.broker.hotlog import parse_live
from hub.domain.events import Event, Position
from hub.domain.times import parse_instant

VIEW = View("t", [], headline=Column("cost", "cost"))


def test_a_feed_file_is_lengths_and_resp(tmp_path: Path) -> None:
    file = tmp_path / "feed"
    write_feed(file, [Record((b"PUBLISH", b"room", b"\xc3\xa9"), 7)])
    resp = b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nroom\r\n$2\r\n\xc3\xa9\r\n"
    assert file.read_bytes() == struct.pack("<II", len(resp), 7) + resp


def test_the_hub_feed_is_what_a_node_reads() -> None:
    shape = FeedShape(Path("unused"), events=6, members=10, burst=3)
    ends = {"job:a": Position("e1", 4), "user:b": Position("e2", 1)}
    records = list(live_records(ends, ["job:a", "user:b"], shape))
    batches = [parse_live("job:a", record.command[2]) for record in records]
    assert [(batch.epoch, batch.first, batch.last) for batch in batches] == [
        ("e1", 5, 7),
        ("e2", 2, 4),
    ]
    assert [record.deliveries for record in records] == [30, 30]


def test_the_payload_has_the_bytes_of_a_real_envelope() -> None:
    mine = envelope(12)
    at = parse_instant(mine["timestamp"])
    assert at
    event = Event(
        id=mine["id"],
        channel=mine["channel"],
        epoch=mine["epoch"],
        offset=12,
        type=mine["type"],
        data=mine["data"],
        timestamp=at,
        job_id=mine["jobId"],
        progress=mine["progress"],
    )

    compact = json.dumps(mine, ensure_ascii=False, separators=(",", ":")).encode()
    assert event.encode() == compact
    assert len(stamp()) == len("sent=") + 16


def test_usage_counts_a_process_and_its_children() -> None:
    spin = "import time\nwhile time.process_time() < 0.4: pass\nprint('spun', flush=True)\ninput()"
    outer = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spin!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "spun\n"
        assert len(tree(process.pid)) == 2
        assert usage(process.pid).cpu_seconds >= 0.3
        assert usage(process.pid).rss_bytes > 1_000_000
        process.communicate("\n")


def test_medians_and_ratios() -> None:
    def row(variant: str, cost: float, deliveries: int = 5) -> dict[str, object]:
        return {
            "case": "c",
            "variant": variant,
            "cost": cost,
            "deliveries": deliveries,
            "expected": 5,
        }

    merged = medians([row("hub", 1), row("node", 6), row("hub", 2), row("hub", 90, 4)])
    hub, node = merged
    assert (hub["cost"], hub["rounds"], hub["complete"]) == (2, 3, False)
    assert node["complete"]
    assert advantage(hub, merged, VIEW, "node") == 3
    assert advantage(hub, merged, VIEW, "bare") is None


def beats(count: int, *, looks: bool) -> list[list[float]]:
    """A machine that is twice as fast in every other heartbeat; looking costs half a slot of 16,
    and now and then something else happens."""
    found = []
    for number in range(count):
        slots = [1.0] * 16
        slots[3] += 0.5 * looks
        slots[number % 16] += 5 * (number % 4 == 0)
        found.append([slot * (1 + number % 2) for slot in slots])
    return found


def test_what_looking_costs_is_seen_through_what_the_machine_does() -> None:
    kinds = beats(48, looks=False), beats(49, looks=True)
    assert served(kinds) == pytest.approx(100 * 0.5 / 16.5)
    low, high = interval(kinds, served)
    assert 2.9 < low <= served(kinds) <= high < 3.1
    assert control(kinds) == 0
    assert served((kinds[0], kinds[0])) == 0


def test_what_looking_costs_in_all_is_seen_beside_a_twin() -> None:
    dice, phases = random.Random(1), list[Phase]()
    for number in range(40):
        looks, speed = number % 4 in (1, 2), dice.uniform(0.5, 2)
        mine = 1 + 0.02 * looks + dice.gauss(0, 0.005)
        phases.append(Phase(looks, [[speed * mine] * 16], [[speed] * 16], 1, 1, 0))
    low, high = relative_interval(phases)
    assert low < relative(phases) < high
    assert 1.2 < low < high < 2.8


def test_both_kinds_are_told_of() -> None:
    kinds = beats(4, looks=False), beats(4, looks=True)
    phases = [
        Phase(looks, kinds[looks], kinds[0], 1000, 1000, 4 * looks) for looks in (False, True)
    ]
    without, with_one = rows(phases)
    assert "differs" not in without
    assert with_one["differs"] == round(served(kinds), 2)
    assert with_one["all"] == round(relative(phases), 2) > 0
    assert (without["figures"], with_one["figures"]) == (0, 4)
    assert without["cpu_per_delivery"] == round(1e6 * sum(map(sum, kinds[0])) / 1000, 2)
