"""``python -m hub serve --processes N``: N nodes on one address, and a process that keeps them.

Each node is a whole ``python -m hub serve`` of its own. The kernel deals out the connections
(``hub.listen.share``), the nodes pass on those that belong to another one (``hub.handover``), and a
node that died is started again. This process serves nothing.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import closing

from config.logs import get_logger
from config.settings import Settings
from hub.handover import Inboxes
from hub.listen import hold
from hub.supervisor import PythonProcess, Supervisor

logger = get_logger(__name__)

MARGIN = 5.0
"""Seconds that a node has to end beyond ``HUB_DRAIN_SECONDS``, before it is killed."""


def run(settings: Settings, host: str, port: int, count: int) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP, then let every node drain, and return.

    Prints the ``ready`` line of each node whenever it gets ready. Raises ``OSError`` (the address
    cannot be had) before anything was started, ``StartError`` when a node cannot start.
    """
    with hold(host, port) as address, closing(Inboxes(count)) as inboxes:
        taken = address.getsockname()[1]
        nodes = [_node(settings, host, taken, inboxes, number) for number in range(count)]
        asyncio.run(Supervisor(nodes, independent=True).run_until_signal())


def _node(settings: Settings, host: str, port: int, inboxes: Inboxes, number: int) -> PythonProcess:
    seat = inboxes.seat(number)
    return PythonProcess(
        f"node-{number}",
        ["hub", "serve", "--host", host, "--port", str(port), "--seat", str(seat)],
        env=lambda: os.environ,
        announces="ready http",
        on_announced=_announce,
        pass_fds=seat.descriptors,
        stop_timeout=settings.drain_seconds + MARGIN,
    )


def _announce(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError as error:  # a reader that has seen enough is no reason to stop serving
        logger.warning("nobody reads stdout", error=str(error))
