"""Rows to people: medians over the rounds, a table, and the ratio to Node beside each figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.load.client import Row

YARDSTICKS = ("node", "node-redis")  # the contenders that all others are compared with


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of a table."""

    key: str
    title: str
    digits: int = 1


@dataclass(frozen=True, slots=True)
class View:
    """How a command's rows are shown. ``headline`` is what "better" refers to, and plotted."""

    title: str
    columns: Sequence[Column]
    headline: Column
    lower_is_better: bool = True


def medians(rows: Sequence[Row]) -> list[Row]:
    """One row per case and contender, in the order of the run; figures are medians of the rounds.

    ``complete`` is false when any round lost a delivery.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["case"], row["variant"]), []).append(row)
    return [_median_row(group) for group in groups.values()]


def _median_row(group: Sequence[Row]) -> Row:
    merged: Row = dict(group[0])
    for key, value in group[0].items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            merged[key] = median(row[key] for row in group)
    merged["rounds"] = len(group)
    merged["complete"] = all(row.get("deliveries", 0) == row.get("expected", 0) for row in group)
    return merged


def advantage(row: Row, rows: Sequence[Row], view: View, yardstick: str) -> float | None:
    """How many times better than ``yardstick`` in the same case; None if it did not take part."""
    key = view.headline.key
    for other in rows:
        if (other["case"], other["variant"]) == (row["case"], yardstick):
            mine, its = float(row.get(key) or 0), float(other.get(key) or 0)
            if mine and its:
                return its / mine if view.lower_is_better else mine / its
    return None


def table(rows: Sequence[Row], view: View) -> Table:
    """The medians as a table: a heading line per case, a line per contender."""
    shown = Table(title=view.title, title_justify="left", box=SIMPLE_HEAD)
    shown.add_column("contender", no_wrap=True)
    for column in view.columns:
        shown.add_column(column.title, justify="right", no_wrap=True)
    yardsticks = [name for name in YARDSTICKS if any(row["variant"] == name for row in rows)]
    for name in yardsticks:
        shown.add_column(f"× {name}", justify="right", no_wrap=True)
    for case in dict.fromkeys(row["case"] for row in rows):
        shown.add_row(f"[bold]{escape(case)}[/]")
        for row in (row for row in rows if row["case"] == case):
            figures = [_figure(row, column) for column in view.columns]
            ratios = [advantage(row, rows, view, yardstick) for yardstick in yardsticks]
            better = ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
            name = row["variant"] + ("" if row["complete"] else " (lost events)")
            shown.add_row(f"  {name}", *figures, *better)
        shown.add_section()
    return shown


def _figure(row: Row, column: Column) -> str:
    value = row.get(column.key)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:,.{column.digits}f}"


def show(console: Console, rows: Sequence[Row], view: View) -> None:
    """Print the table and, below it, what each contender's figures include."""
    merged = medians(rows)
    console.print(table(merged, view))
    rounds = max((row["rounds"] for row in merged), default=0)
    console.print(f"Medians of {rounds} interleaved rounds; × name: how many times better.")
    for variant, includes in {row["variant"]: row["includes"] for row in rows}.items():
        console.print(f"  {variant}: {includes}", highlight=False)
    worst = max((row.get("steal", 0.0) for row in rows), default=0.0)
    if worst > 0.05:
        console.print(f"[yellow]The host took up to {worst:.0%} of the machine away meanwhile.[/]")
