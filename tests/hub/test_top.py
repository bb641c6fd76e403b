"""What ``hub top`` prints fits on a terminal, and leaves nothing out of a name."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from rich.console import Console

from hub import metrics, top
from hub.broker.backlog import Partition
from hub.domain import times
from hub.services.admin.stats import Doors, Figures, together

NAMES = ("vm-30215-7d2343", "hub-6d4f5b7c9-x2x1z-1-a0b1c2", f"{'h' * 60}-7-a0b1c2")
HEADINGS = ["node", "up", "sockets", "deliv/s", "p50/p99", "outbox", "memory", "cpu"]


def figures(name: str, *, draining: bool = False) -> Figures:
    began = times.now() - timedelta(hours=3, minutes=12, seconds=9)
    return Figures(
        id=name,
        connections=Doors(12_345, 1234, 123),
        users=9999,
        channels=88_888,
        publications_per_second=1234.5,
        deliveries_per_second=123_456.7,
        latency=[0, 5, *[1] * (len(metrics.BOUNDS) - 1)],
        outbox_bytes=123_456_789,
        slow_consumers=77,
        dropped=5,
        memory_bytes=876_543_210,
        cpu_percent=99.6,
        started_at=times.wire(began),
        draining=draining,
    )


def printed(width: int) -> str:
    nodes = [figures(NAMES[0]), figures(NAMES[1], draining=True), figures(NAMES[2])]
    moment = {"cluster": together(nodes, 1234.5), "jobs_live": 321}
    partitions = [Partition(n, 5 * (n == 7), 40.0 * (n == 7), 1, None) for n in range(16)]
    console = Console(file=io.StringIO(), width=width)
    console.print(top.drawn(top.View(nodes, partitions, 2, [moment] * 60), console.width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 140])
def test_nothing_is_cut(width: int) -> None:
    text = printed(width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    folded = "".join(line[: line.find("  ")] if "  " in line else line for line in lines)
    assert any(line.startswith(NAMES[0]) for line in lines), "it is not even folded"
    for name in NAMES:
        assert name in folded.replace(" ", "")
    (headings,) = [line for line in lines if line.startswith("node")]
    assert [each for each in HEADINGS if each not in headings] == []
    assert ("channels" in headings) is (width == 140)
    assert "3h12m" in text
    assert "draining" in text
    assert "16 of 16 partitions are not read" in text
    assert "partition 07: 5 publications wait" in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (42.9, "42s"), (303, "5m03s"), (11_529, "3h12m"), (187_200, "2d04h"), (-1, "0s")],
)
def test_how_long_it_is_up(seconds: float, said: str) -> None:
    assert top._duration(seconds) == said
