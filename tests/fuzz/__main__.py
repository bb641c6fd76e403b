"""``python -m tests.fuzz``, ``make fuzz-wire``."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.fuzz.run import run


def main() -> int:
    """The exit status: 1 when something was wrong."""
    parser = argparse.ArgumentParser(description="Sends a hub what nobody should send.")
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as folder:
        report = asyncio.run(run(given.packets, seed, Path(folder), _tell))
    print(report, flush=True)
    return int(bool(report.wrong))


def _tell(what: str) -> None:
    print(what, flush=True)


if __name__ == "__main__":
    sys.exit(main())
