"""``python -m bench``: the commands (contract section 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.contenders import chosen
from bench.load.build import BuildError, load_client
from bench.load.client import LoadError, Row
from bench.plot import draw
from bench.profile import ProfileError, Profiler
from bench.report import View, medians, show
from bench.runs import Measure, append_lines, interleaved
from bench.scenarios import admin as admin_
from bench.scenarios import connect as connect_
from bench.scenarios import convergence as convergence_
from bench.scenarios import doors as doors_
from bench.scenarios import fanout as fanout_
from bench.scenarios import inbox as inbox_
from bench.scenarios import latency as latency_
from bench.scenarios import publish as publish_
from bench.scenarios import scale as scale_
from bench.scenarios import targeted as targeted_
from bench.servers.base import Server, StartError
from bench.servers.hub import Hub, HubInProcess
from hub.embedded import EmbeddedError

app = typer.Typer(
    help="The hub beside bare python-socketio and Node's socket.io, measured in one run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Rounds = Annotated[int, typer.Option(min=1, help="How often each contender runs, in turn.")]
Only = Annotated[list[str] | None, typer.Option(help="Contenders to run (repeat it); all if none.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Append every row as a JSON line.")]
Profile = Annotated[
    Path | None,
    typer.Option(help="Directory for flame graphs of the Python ones; slows them (needs py-spy)."),
]
Plot = Annotated[Path | None, typer.Option(help="Draw the medians as an SVG file.")]


class Way(StrEnum):
    """What a latency covers; see ``bench/scenarios/latency.py``."""

    FULL = "full"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Job:
    """One comparison: how a started server is measured, which contenders, how often."""

    command: str
    measure: Measure
    contenders: Sequence[type[Server]]
    rounds: int


def _run(
    jobs: Sequence[Job],
    json_file: Path | None,
    profile: Path | None = None,
    *,
    crowded: bool = True,
) -> list[Row]:
    """Run jobs one after the other; a failure is one message and exit status 1. ``crowded``: they
    need the load client."""
    progress = Console(stderr=True)
    profiler = None if profile is None else Profiler(profile)

    def show_row(row: Row) -> None:
        if json_file is not None:
            append_lines(json_file, row)
        progress.print(f"round {row['round']}: {row['variant']}, {row['case']}", highlight=False)

    async def run_all() -> list[Row]:
        rows: list[Row] = []
        for job in jobs:
            rows += await interleaved(
                job.command, job.contenders, job.rounds, job.measure, show_row, profiler
            )
        return rows

    try:
        if crowded:
            load_client()
        return asyncio.run(run_all())
    except (BuildError, StartError, LoadError, EmbeddedError, ProfileError) as error:
        progress.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _tell(what: str) -> None:
    """How far a long command is."""
    Console(stderr=True).print(f"  {what}", highlight=False)


def _contenders(only: Sequence[str] | None, *, through_redis: bool = False) -> list[type[Server]]:
    try:
        return chosen(only, through_redis=through_redis)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--only") from error


def _show(rows: Sequence[Row], view: View, plot: Path | None) -> None:
    console = Console()
    if not console.is_terminal:  # a file or a pipe has no width: do not cut the columns
        console = Console(width=140)
    show(console, rows, view)
    if plot is not None:
        draw(plot, medians(rows), view)


@app.command()
def latency(
    clients: Annotated[int, typer.Option(min=1, help="Clients in the one room.")] = 100,
    rate: Annotated[float, typer.Option(min=0.01, help="Events a second.")] = 20,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long events come.")] = 10,
    rounds: Rounds = 3,
    path: Annotated[Way, typer.Option(help="The whole way, or from the live message on.")] = (
        Way.FULL
    ),
    only: Only = None,
    json_file: JsonFile = None,
    plot: Plot = None,
) -> None:
    """Milliseconds from publishing an event to its arrival at the clients."""
    load = latency_.Load(clients, rate, seconds, path.value)
    contenders = _contenders(only, through_redis=path is Way.FULL)
    job = Job("latency", partial(latency_.measure, load=load), contenders, rounds)
    _show(_run([job], json_file), latency_.VIEW, plot)


@app.command()
def fanout(
    clients: Annotated[list[int] | None, typer.Option(min=1, help="Room sizes (repeat it).")] = (
        None
    ),
    burst: Annotated[list[int] | None, typer.Option(min=1, help="Events at once (repeat it).")] = (
        None
    ),
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each case runs.")] = 2,
    rounds: Rounds = 3,
    only: Only = None,
    json_file: JsonFile = None,
    profile: Profile = None,
    plot: Plot = None,
) -> None:
    """CPU per delivery when a whole room hears every event."""
    jobs = []
    for size in clients or (100, 1000, 5000):
        load = fanout_.Load(size, tuple(burst or (1, 8)), seconds)
        measure = partial(fanout_.measure, load=load)
        jobs.append(Job("fanout", measure, _contenders(only), rounds))
    _show(_run(jobs, json_file, profile), fanout_.VIEW, plot)


@app.command()
def targeted(
    clients: Annotated[int, typer.Option(min=1, help="Clients, each in its own room.")] = 1000,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long it runs.")] = 2,
    rounds: Rounds = 3,
    only: Only = None,
    json_file: JsonFile = None,
    profile: Profile = None,
    plot: Plot = None,
) -> None:
    """Deliveries a second when every event is for one client."""
    load = targeted_.Load(clients, seconds)
    job = Job("targeted", partial(targeted_.measure, load=load), _contenders(only), rounds)
    _show(_run([job], json_file, profile), targeted_.VIEW, plot)


@app.command()
def connect(
    clients: Annotated[int, typer.Option(min=1, help="Clients that arrive.")] = 5000,
    window: Annotated[int, typer.Option(min=1, help="Connects under way at a time.")] = 64,
    drop: Annotated[int, typer.Option(min=0, help="Clients that leave at once.")] = 3000,
    settle: Annotated[float, typer.Option(min=0.1, help="Seconds before and after that.")] = 2,
    rounds: Rounds = 3,
    only: Only = None,
    json_file: JsonFile = None,
    profile: Profile = None,
    plot: Plot = None,
) -> None:
    """Connects a second, memory per idle client, and what a mass disconnect costs."""
    load = connect_.Load(clients, window, min(drop, clients - 1), settle)
    contenders = [kind for kind in _contenders(only) if kind is not HubInProcess]  # it is the hub
    job = Job("connect", partial(connect_.measure, load=load), contenders, rounds)
    rows = _run([job], json_file, profile)
    _show([row for row in rows if row["phase"] == "connect"], connect_.ARRIVAL, plot)
    _show([row for row in rows if row["phase"] == "drop"], connect_.LEAVING, None)


@app.command()
def publish(
    events: Annotated[int, typer.Option(min=2, help="Events to publish.")] = 2000,
    polls: Annotated[
        int, typer.Option(min=1, help="Polls of an unchanged job, whose reads are counted.")
    ] = 300,
    told: Annotated[int, typer.Option(min=2, help="Events that each of the hub's doors tells.")] = (
        20
    ),
    rate: Annotated[float, typer.Option(min=0.1, help="How many of these a second.")] = 2,
    rounds: Rounds = 3,
    only: Only = None,
    json_file: JsonFile = None,
    plot: Plot = None,
) -> None:
    """Events a second that one publisher gets accepted, and the hub's doors side by side."""
    measure = partial(publish_.measure, load=publish_.Load(events))
    job = Job("publish", measure, _contenders(only, through_redis=True), rounds)
    _show(_run([job], json_file), publish_.VIEW, plot)
    if Hub in job.contenders:
        load = doors_.Load(polls, told, rate)
        doors = Job("publish", partial(doors_.measure, load=load), [Hub], rounds)
        _show(_run([doors], json_file), doors_.VIEW, None)


@app.command()
def scale(
    nodes: Annotated[list[int] | None, typer.Option(min=1, help="Numbers of nodes (repeat).")] = (
        None
    ),
    clients: Annotated[int, typer.Option(min=1, help="Clients of each node.")] = 100,
    jobs: Annotated[int, typer.Option(min=1, help="Jobs that they follow.")] = 10,
    rate: Annotated[float, typer.Option(min=0.1, help="Events a second for those jobs.")] = 50,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each case runs.")] = 8,
    rounds: Rounds = 3,
    only: Only = None,
    json_file: JsonFile = None,
    plot: Plot = None,
) -> None:
    """What a node hears and spends as nodes with other jobs are added; PLOT-heard.svg, too."""
    if jobs > clients:
        raise typer.BadParameter("every job needs a client", param_hint="--jobs")
    load = scale_.Load(tuple(sorted(set(nodes or (1, 2, 4, 8)))), clients, jobs, rate, seconds)
    contenders = _contenders(only, through_redis=True)
    rows = _run([Job("scale", partial(scale_.measure, load=load), contenders, rounds)], json_file)
    _show(rows, scale_.COST, plot)
    if plot is not None:
        draw(plot.with_stem(f"{plot.stem}-heard"), medians(rows), scale_.HEARD)


@app.command()
def admin(
    clients: Annotated[int, typer.Option(min=1, help="Clients, connected all the time.")] = 1000,
    members: Annotated[int, typer.Option(min=1, help="Clients that hear each event.")] = 1,
    rate: Annotated[float, typer.Option(min=1, help="Events a second.")] = 200,
    beats: Annotated[int, typer.Option(min=1, help="Heartbeats (of 2 s) that a phase lasts.")] = 25,
    pairs: Annotated[int, typer.Option(min=1, help="Phases with and without, each.")] = 10,
    rounds: Rounds = 1,
    json_file: JsonFile = None,
    plot: Plot = None,
) -> None:
    """What an administrator who looks costs a node: CPU per delivery with and without one."""
    if clients % members:
        raise typer.BadParameter("must divide the clients", param_hint="--members")
    load = admin_.Load(clients, members, rate, beats, pairs)
    job = Job("admin", partial(admin_.measure, load=load, tell=_tell), [Hub], rounds)
    rows = _run([job], json_file)
    _show(rows, admin_.VIEW, plot)
    if any(row.get("differs_high", 0) >= admin_.TARGET for row in medians(rows)):
        _tell(f"may cost {admin_.TARGET:.0f} % or more")
    if any(row.get("all_high", 0) >= admin_.TARGET for row in medians(rows)):
        _tell(f"all CPU together may be {admin_.TARGET:.0f} % or more")


@app.command()
def convergence(
    changes: Annotated[int, typer.Option(min=2, help="Changes that are measured.")] = 400,
    rate: Annotated[float, typer.Option(min=0.1, help="How many a second, at most.")] = 20,
    rounds: Rounds = 3,
    json_file: JsonFile = None,
    plot: Plot = None,
) -> None:
    """Milliseconds until two stock clients of a user, on two nodes, know the same unread count."""
    load = convergence_.Load(changes, rate)
    measure = partial(convergence_.measure, load=load, tell=_tell)
    rows = _run([Job("convergence", measure, [Hub], rounds)], json_file, crowded=False)
    _show(rows, convergence_.VIEW, plot)
    if any(row.get("p99_ms", 0) > convergence_.TARGET for row in medians(rows)):
        _tell(f"p99 is above {convergence_.TARGET:.0f} ms")


@app.command()
def inbox(
    notifications: Annotated[int, typer.Option(min=20, help="Notifications of the user.")] = (
        100_000
    ),
    announcements: Annotated[int, typer.Option(min=10, help="Announcements to all.")] = 1000,
    times: Annotated[int, typer.Option(min=1, help="How often each call is timed.")] = 5,
    patience: Annotated[float, typer.Option(min=1, help="Seconds for marking all, or none.")] = 60,
    rounds: Rounds = 1,
    json_file: JsonFile = None,
    plot: Plot = None,
) -> None:
    """Commands, documents and bytes that each call of a large inbox costs the database."""
    load = inbox_.Load(notifications, announcements, times, patience)
    measure = partial(inbox_.measure, load=load, tell=_tell)
    rows = _run([Job("inbox", measure, [inbox_.HubStores], rounds)], json_file, crowded=False)
    _show(rows, inbox_.VIEW, plot)


if __name__ == "__main__":
    app()
