"""``python -m hub doctor``: is the configuration complete, do Redis and MongoDB answer, and does
somebody read what is published?

Reads only. Every problem is told by the variable to change (contract section 1).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from config.settings import (
    Problem,
    Settings,
    SettingsError,
    load_settings,
    mask_url,
    variable,
)
from hub.broker.connect import command, open_redis
from hub.broker.keys import Keys
from hub.top import View, look, stuck, unread

_TIMEOUT = 2.0
_AGAIN = 1.0
_OLDEST_REDIS = (6, 2)
_OLDEST_MONGO = (6, 0)


@dataclass
class Report:
    """What was found: rows of (what, state) that are fine, and the problems."""

    fine: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What works, and yet needs looking after."""
    limits: list[tuple[str, str, str]] = field(default_factory=list)
    """Rows of (variable, how much, of what)."""


async def examine(env: Mapping[str, str] | None = None) -> Report:
    """Check the settings, then each server whose variable is usable; takes about 2 s at most, or
    5 where a partition is not read: that must be so twice."""
    environ = dict(os.environ if env is None else env)
    report = Report()
    try:
        load_settings(environ)
        report.fine.append(("settings", "complete"))
    except SettingsError as error:
        report.problems += error.problems
    wrong = {problem.variable for problem in report.problems}
    usable = {name: value for name, value in environ.items() if name not in wrong}
    asked = ("HUB_REDIS_URL", "HUB_MONGO_URL", "HUB_MONGO_DB", "HUB_PARTITIONS")
    settings = load_settings(_only(usable, *asked), require=())
    with contextlib.suppress(SettingsError):  # which has its lines already
        report.limits = limits(load_settings(usable, require=()))
    await asyncio.gather(_redis(settings, report), _mongo(settings, report))
    return report


_LIMITS = (
    ("connects of an address", "rate_connects"),
    ("connections of a user", "max_connections_per_user"),
    ("connections of a node", "max_connections"),
    ("live followers of a job", "max_connections_per_job"),
    ("commands of a connection, messages of a raw WebSocket", "rate_commands"),
    ("commands of a user", "rate_user_commands"),
    ("HTTP requests of a user, or of an address without a token", "rate_requests"),
    ("publications of a service by HTTP", "rate_publishes"),
    ("bytes of a Socket.IO message", "max_message"),
    ("bytes that wait for a connection", "outbox_bytes"),
    ("seconds for the header of a request, and for its body", "request_timeout"),
    ("seconds without a command or an event", "idle_timeout"),
)
_FIXED = (
    ("bytes of an HTTP body", "1048576"),
    ("HTTP headers of a request, bytes of each", "100, 8190"),
    ("levels of JSON", "40"),
    ("channels that a connection follows", "100"),
    ("publications of one call", "500"),
    ("handshakes of an address on a node, for each connect that it may make", "5"),
)


def limits(settings: Settings) -> list[tuple[str, str, str]]:
    """Every limit: the variable that sets it, ``fixed`` for none, how much, and of what."""
    found = [(variable(name), f"{getattr(settings, name)}", what) for what, name in _LIMITS]
    return found + [("fixed", much, what) for what, much in _FIXED]


def _only(env: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: env[name] for name in names if name in env}


async def _redis(settings: Settings, report: Report) -> None:
    if settings.redis_url is None:
        return
    where = mask_url(settings.redis_url)
    try:
        async with open_redis(settings.redis_url) as client:
            async with asyncio.timeout(_TIMEOUT):
                info = await command(client.info())
                view = await look(client, Keys(settings.partitions))
            if _lacks_readers(view):  # unless they are changing hands just now
                await asyncio.sleep(_AGAIN)
                async with asyncio.timeout(_TIMEOUT):
                    view = await look(client, Keys(settings.partitions))
    except (RedisError, OSError, ValueError) as error:
        reason = str(error) or f"no answer within {_TIMEOUT:.0f} s"
        report.problems.append(Problem("HUB_REDIS_URL", f"{where} cannot be used: {reason}"))
        return
    version = str(info.get("valkey_version") or info["redis_version"])
    if _numbers(version) < _OLDEST_REDIS:
        report.problems.append(Problem("HUB_REDIS_URL", f"{where} is {version}, 6.2 is needed"))
    durable = "append-only file on" if info.get("aof_enabled") else "NO append-only file"
    report.fine.append(("Redis", f"{where}, version {version}, {durable}"))
    if info.get("maxmemory_policy", "noeviction") != "noeviction":
        report.warnings.append(
            f"Redis may throw publications away when it is full: maxmemory-policy is "
            f"{info['maxmemory_policy']}, not noeviction"
        )
    waiting = sum(each.entries for each in view.partitions)
    dead = sum(each.dead for each in view.partitions)
    report.fine.append(("cluster", f"{len(view.nodes)} nodes, {view.workers} ingest workers"))
    not_read = unread(view.partitions)
    report.fine.append(("journals", f"{waiting} publications wait, {not_read}"))
    report.warnings += stuck(view.partitions)
    if _lacks_readers(view):
        advice = "start `python -m workers.ingest` with the HUB_REDIS_URL and HUB_PARTITIONS of the"
        message = f"{where}: {not_read}, so what is published there waits: {advice} nodes"
        report.problems.append(Problem("HUB_REDIS_URL", message))
    if dead:
        report.warnings.append(f"{dead} dead letters: see `python -m hub admin dead`")


def _lacks_readers(view: View) -> bool:
    """Whether something runs, and yet not every partition is read. Before anything is started
    nobody expects that it is."""
    runs = view.nodes or view.workers
    return bool(runs) and any(each.reader is None for each in view.partitions)


async def _mongo(settings: Settings, report: Report) -> None:
    if settings.mongo_url is None:
        return
    where = mask_url(settings.mongo_url)
    try:
        async with (
            asyncio.timeout(_TIMEOUT + 0.5),
            AsyncMongoClient[dict[str, object]](
                settings.mongo_url,
                serverMonitoringMode="poll",
                serverSelectionTimeoutMS=int(_TIMEOUT * 1000),
            ) as client,
        ):
            hello = await client.admin.command("hello")
            version = str((await client.server_info())["version"])
    except (PyMongoError, OSError, ValueError) as error:
        reason = str(error).partition(" (configured timeouts")[0].partition(", Timeout:")[0]
        reason = reason or f"no answer within {_TIMEOUT:.0f} s"
        report.problems.append(Problem("HUB_MONGO_URL", f"{where} cannot be used: {reason}"))
        return
    if _numbers(version) < _OLDEST_MONGO:
        report.problems.append(Problem("HUB_MONGO_URL", f"{where} is {version}, 6.0 is needed"))
    if not hello.get("setName") and hello.get("msg") != "isdbgrid":
        message = f"{where} is neither a replica set nor a sharded cluster"
        report.problems.append(Problem("HUB_MONGO_URL", message))
    report.fine.append(("MongoDB", f"{where}, version {version}"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
