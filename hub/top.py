"""``python -m hub top``: the cluster at a glance, from what Redis knows. It needs no node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from hub.broker.backlog import Backlog, Partition
from hub.broker.connect import open_redis
from hub.broker.figures import FiguresStore
from hub.broker.keys import Keys
from hub.broker.nodes import Nodes, this_node
from hub.broker.records import Records, Shape
from hub.domain import times
from hub.services.admin.stats import Figures, together
from hub.services.ingest.worker import LEASE
from hub.services.patience import FAILURES

WAITS_TOO_LONG: Final = 30.0
"""Seconds after which a partition whose oldest publication waits is stuck."""

_EVERY: Final = 2.0
_WIDE: Final = 100  # columns
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_HISTORY: Final = 60


@dataclass(frozen=True)
class View:
    """What is to be shown."""

    nodes: Sequence[Figures]
    partitions: Sequence[Partition]
    workers: int
    history: Sequence[dict[str, Any]]


async def look(redis: Redis, keys: Keys) -> View:
    """The state of now. Raises ``redis.RedisError``."""
    store, backlog = FiguresStore(redis), Backlog(redis, keys)
    ids = [node.id for node in await Nodes(redis, this_node("")).alive()]
    figures, moments = Records("figures", Figures), Records("history", dict[str, Any])
    nodes = _readable(figures, await store.get(ids))
    history = _readable(moments, await store.history(_HISTORY))
    return View(nodes, await backlog.partitions(), await backlog.workers(LEASE), history)


def _readable(records: Records[Shape], found: Iterable[bytes]) -> list[Shape]:
    read = (records.read(raw, "") for raw in found)
    return [each for each in read if each is not None]


def drawn(view: View, width: int) -> Group:
    """As it is printed, so many columns wide; 80 are enough."""
    return Group(
        _headline(view), Text(), _nodes(view, wide=width >= _WIDE), Text(), _journals(view)
    )


async def run(settings: Settings, *, once: bool) -> None:
    """Shows the cluster until interrupted, or once."""
    keys, console = Keys(settings.partitions), Console()
    async with open_redis(settings.redis_url or "") as redis:
        if once:
            console.print(drawn(await look(redis, keys), console.width))
            return
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                try:
                    shown: Any = drawn(await look(redis, keys), console.width)
                except FAILURES as error:
                    shown = Text(f"Redis cannot be asked: {error}", style="red")
                live.update(shown, refresh=True)
                await asyncio.sleep(_EVERY)


def stuck(partitions: Sequence[Partition]) -> list[str]:
    """What an operator has to know of the journals, partition by partition."""
    found = []
    for each in partitions:
        late = each.oldest > WAITS_TOO_LONG
        if late or (each.entries and each.reader is None):
            reader = f"worker {each.reader} reads it" if each.reader else "no worker reads it"
            waits = f"{each.entries} publications wait, the oldest for {each.oldest:.0f} s"
            found.append(f"partition {each.partition:02d}: {waits}; {reader}")
    return found


def unread(partitions: Sequence[Partition]) -> str:
    """How many of them no ingest worker reads, in words."""
    count = sum(each.reader is None for each in partitions)
    return f"{count} of {len(partitions)} partitions are not read"


def _headline(view: View) -> Text:
    rate = view.history[-1]["cluster"]["publicationsPerSecond"] if view.history else 0.0
    all_ = together(view.nodes, rate)
    jobs = view.history[-1]["jobs_live"] if view.history else 0
    curve = _curve([each["cluster"]["deliveriesPerSecond"] for each in view.history])
    doors = ", ".join(f"{count} {door}" for door, count in all_["connections"].items())
    found = [
        f"[b]{len(view.nodes)}[/b] nodes, [b]{view.workers}[/b] workers",
        f"[b]{doors}[/b] of {all_['users']} users",
        f"[b]{jobs}[/b] jobs live\nstored/s [b]{all_['publicationsPerSecond']}[/b]",
        f"deliveries/s [b]{all_['deliveriesPerSecond']}[/b]",
        f"latency {_latency(all_)} ms",
    ]
    last = f"\n{curve}" if curve else ""
    return Text.from_markup("   ".join(found) + last)


def _nodes(view: View, *, wide: bool) -> Table:
    """``wide``: with what there is no room for on 80 columns. A name too long is folded."""
    table = Table(title="Nodes", title_justify="left", box=None, pad_edge=False)
    table.add_column("node", overflow="fold")
    for name in ("up", "sockets", *(("users", "channels") if wide else ()), "deliv/s"):
        table.add_column(name, no_wrap=True, justify="right")
    for name in ("p50/p99 ms", "outbox", *(("slow",) if wide else ()), "memory", "cpu"):
        table.add_column(name, no_wrap=True, justify="right")
    now = times.now()
    for node in view.nodes:
        wire = node.wire()
        doors = [str(count) for count in wire["connections"].values()]
        up = _duration((now - datetime.fromisoformat(node.started_at)).total_seconds())
        table.add_row(
            node.id,
            Text("draining", style="yellow") if node.draining else up,
            "/".join(doors) if wide else str(sum(map(int, doors))),
            *((str(node.users), str(node.channels)) if wide else ()),
            f"{node.deliveries_per_second:.0f}",
            _latency(wire),
            _size(node.outbox_bytes),
            *((str(node.slow_consumers),) if wide else ()),
            _size(node.memory_bytes),
            f"{node.cpu_percent:.0f} %",
        )
    return table


def _journals(view: View) -> Group:
    waiting = sum(each.entries for each in view.partitions)
    dead = sum(each.dead for each in view.partitions)
    line = f"Journals: {waiting} wait, {dead} dead letters, {unread(view.partitions)}"
    line += f" ({times.wire(times.now())[11:19]} UTC)"
    return Group(Text(line), *(Text(each, style="red") for each in stuck(view.partitions)))


def _latency(figures: dict[str, Any]) -> str:
    found = figures["latencyMs"]
    if found["p50"] is None:
        return "-"
    return "/".join(f"{each:.{each < 100:d}f}" for each in (found["p50"], found["p99"]))


def _duration(seconds: float) -> str:
    """Its two greatest units: ``42s``, ``5m03s``, ``3h12m``, ``2d04h``."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02d}h"
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def _size(count: int) -> str:
    if count < 100_000:
        return f"{count / 1000:.0f} kB" if count else "0"
    return f"{count / 1_000_000:.{0 if count >= 10_000_000 else 1}f} MB"


def _curve(values: Sequence[float]) -> str:
    highest = max(values, default=0)
    if not highest:
        return ""
    return "".join(_BLOCKS[round(value / highest * (len(_BLOCKS) - 1))] for value in values)
