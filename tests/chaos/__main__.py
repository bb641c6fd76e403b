"""``python -m tests.chaos``, ``make chaos``."""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from rich.console import Console

from tests.chaos.report import show
from tests.chaos.run import Outcome, Plan, Tell, run_bare, run_hub
from tests.chaos.schedule import schedule
from tests.support import protocol

_WIDTH: Final = 140

Run = Callable[[Plan, Path, Tell], Awaitable[Outcome]]
_SIDES: Final[dict[str, Run]] = {"hub": run_hub, "bare": run_bare}


def main() -> int:
    """The exit status: 1 when the hub broke a promise."""
    given = _arguments().parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    faults = schedule(seed, given.seconds, given.every)
    plan = Plan(seed, given.seconds, given.rate, given.clients, faults)
    protocol.listen_to_http()
    print(f"seed {seed}: {len(faults)} faults in {given.seconds:g} s", flush=True)
    if given.only_schedule:
        for fault in faults:
            print(f"{fault.at:7.1f} s  {fault}")
        return 0
    folder = given.keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    outcomes = {
        name: asyncio.run(_watched(name, run, plan, folder / name))
        for name, run in _SIDES.items()
        if name == "hub" or not given.without_bare
    }
    show(plan, outcomes, Console(width=_WIDTH))
    wrong = bool(outcomes["hub"].wrong)
    if wrong or given.keep:
        print(f"logs of all processes: {folder}")
    else:
        shutil.rmtree(folder)
    return int(wrong)


async def _watched(name: str, run: Run, plan: Plan, folder: Path) -> Outcome:
    folder.mkdir(parents=True)
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"{name:>5} {time.monotonic() - began:6.1f} s  {what}", flush=True)

    tell("starting")
    return await run(plan, folder, tell)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="A cluster under load whose processes are killed all the time; then everything "
        "that clients received is compared with what is stored. Exit status 1 when anything was "
        "lost, doubled or reordered.",
    )
    parser.add_argument("--seed", type=int, help="reproduces a schedule (default: a new one)")
    parser.add_argument("--seconds", type=float, default=120, help="how long (%(default)s)")
    parser.add_argument(
        "--rate", type=float, default=60, help="publications per second (%(default)s)"
    )
    parser.add_argument("--clients", type=int, default=30, help="Socket.IO clients (%(default)s)")
    parser.add_argument(
        "--every", type=float, default=4, help="seconds between faults, on average (%(default)s)"
    )
    parser.add_argument("--only-schedule", action="store_true", help="print the faults and end")
    parser.add_argument(
        "--without-bare", action="store_true", help="leave out the comparison with python-socketio"
    )
    parser.add_argument("--keep", type=Path, help="a new folder for data and logs, which is kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
