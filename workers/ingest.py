"""``python -m workers.ingest``: the ingest worker; any number may run (contract section 1)."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import uvloop
from pymongo.errors import PyMongoError

from config.logs import get_logger, say_always, setup_logging
from config.settings import Settings, SettingsError, load_settings
from config.trouble import Trouble
from hub import metrics, telemetry
from hub.broker.connect import open_redis
from hub.broker.hotlog import HotLog
from hub.broker.journal import Journal
from hub.broker.keys import Keys
from hub.broker.traces import TraceStore
from hub.delivery.witness import Witness
from hub.domain.ids import uuid7
from hub.services.inbox.expiry import Expiry
from hub.services.inbox.stores import inbox_stores
from hub.services.inbox.telling import Telling
from hub.services.ingest.batch import Ingest, Stores
from hub.services.ingest.worker import BLOCK, IngestWorker
from hub.services.tracing import Tracer
from hub.stores.events import Events
from hub.stores.heads import Heads
from hub.stores.mongo import WRITE_TIMEOUT, Database, close_mongo, ensure_indexes, open_mongo

_log = get_logger(__name__)


def _ignore(_: str) -> None:
    """The default for ``on_step``."""


async def work(settings: Settings, on_step: Callable[[str], None] = _ignore) -> None:
    """Works until SIGTERM or SIGINT. ``on_step``: as for ``Ingest``; tests die there."""
    if settings.redis_url is None or settings.mongo_url is None:
        raise ValueError("the ingest worker needs redis_url and mongo_url")
    keys = Keys(settings.partitions)
    redis = open_redis(settings.redis_url)
    reading = open_redis(settings.redis_url, timeout=3 * BLOCK, max_connections=keys.partitions + 2)
    mongo = open_mongo(settings.mongo_url, timeout=WRITE_TIMEOUT)
    db = mongo[settings.mongo_db]
    inboxes = inbox_stores(db)
    stores = Stores(Events(db), Heads(db), inboxes)
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid7()[-6:]}"
    say_always(node=name)
    tracer = Tracer(TraceStore(redis), name, settings.trace_sample, Witness())
    journal = Journal(redis, keys)
    ingest = Ingest(
        stores,
        HotLog(redis, keys),
        journal,
        keys.partitions,
        on_step,
        timedelta(seconds=settings.notification_retention),
        timedelta(seconds=settings.job_retention),
        tracer,
    )
    worker = IngestWorker(
        name,
        redis,
        reading,
        keys,
        ingest,
        on_ready=lambda: _ready(name),
        tracer=tracer,
        sweeps=(Expiry(inboxes, journal).tell, Telling(inboxes.untold, journal).rest),
    )
    try:
        with metrics.served(settings.metrics_port):
            await _until_stopped(_prepared(worker, db))
    finally:
        await reading.aclose()
        await redis.aclose()
        await close_mongo(mongo)


async def _prepared(worker: IngestWorker, db: Database) -> None:
    """Runs the worker once the indexes it relies on exist."""
    trouble = Trouble(_log, "ingest.mongo_unreachable", "ingest.mongo_back")
    while True:
        try:
            await ensure_indexes(db)
        except PyMongoError as error:
            trouble.failed(error)
            await asyncio.sleep(0.5)
        else:
            trouble.worked()
            break
    await worker.run()


async def _until_stopped(worker: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(worker)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        _log.info("ingest.stopped")


def _ready(name: str) -> None:
    print(f"ready ingest {name}", flush=True)


def main() -> None:
    """Reads the settings from the environment and works; exits 2 when they are not usable."""
    argparse.ArgumentParser(
        prog="python -m workers.ingest",
        description="Stores and tells what was published. Takes its settings from HUB_* variables.",
    ).parse_args()
    try:
        settings = load_settings(require=("redis_url", "mongo_url"))
        setup_logging(settings.log_level, settings.log_format)
        with (
            telemetry.started("hub-ingest", wanted=settings.otel),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(work(settings))
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
