"""Opening Redis connections that never hang: every one has time limits and few retries."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.maint_notifications import MaintNotificationsConfig

from hub.broker.cluster import ClusterRedis
from hub.broker.sentinel import SentinelRedis
from hub.broker.urls import CLUSTER, parse_servers

COMMAND_TIMEOUT: Final = 1.0
"""Seconds for one command; with its one retry a caller waits 2 s at most."""


def open_redis(url: str, *, timeout: float = COMMAND_TIMEOUT, max_connections: int = 64) -> Redis:
    """A client for ``url``, not connected yet; answers are bytes. For a cluster it sends each
    command to the server that has the key, under Sentinel to the primary of the moment.

    A command on a connection that broke meanwhile is sent once more on a fresh one; a time-out
    is not repeated. Raises ``redis.RedisError`` from the commands themselves.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(ExponentialBackoff(cap=0.1, base=0.01), 1, (RedisConnectionError,)),
        "max_connections": max_connections,
        "health_check_interval": 0,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    servers = parse_servers(url)
    if servers is None:
        return Redis.from_url(url, **options)
    if servers.scheme == CLUSTER:
        return ClusterRedis(servers, options)
    return SentinelRedis(servers, options)


async def command(reply: Awaitable[Any] | Any) -> Any:
    """Awaits a client method whose stub says that it may be synchronous as well."""
    return await reply


def cancellations() -> int:
    """How often the current task was asked to cancel."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def honour_cancellation(beyond: int = 0) -> None:
    """Raises ``CancelledError`` when the current task was cancelled and did not notice.

    ``asyncio.wait_for`` of Python 3.11, which redis-py sends commands with, drops a cancellation
    that arrives as its inner future finishes; PyMongo makes one that arrives while it connects a
    failure of the connection. Whoever loops over their commands asks here.
    ``beyond``: requests that were dealt with.
    """
    if cancellations() > beyond:
        raise asyncio.CancelledError
