"""``python -m tests.support.dying_ingest STEP``: an ingest worker that kills itself (-9) when a
batch of it reaches STEP for the first time with something to do."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from config.settings import load_settings
from hub.services.ingest.batch import STEPS
from workers.ingest import work


def main(step: str) -> None:
    assert step in STEPS

    def die_there(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(work(load_settings(require=("redis_url", "mongo_url")), die_there))


if __name__ == "__main__":
    main(sys.argv[1])
