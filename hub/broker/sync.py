"""Appending to the journal without asyncio, for workers that have none."""

import threading
from typing import Any, Final, Protocol

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import SSLConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException
from redis.retry import Retry
from redis.sentinel import Sentinel

from hub.broker.urls import CLUSTER, ServersUrl, parse_servers

_CLUSTER_RETRIES: Final = 1  # with a new look at who has the slot


class SyncRedis(Protocol):
    """As much of a client as a publisher needs; safe to share between threads."""

    def xadd(self, name: Any, fields: Any) -> Any:
        """Appends to a stream. Raises ``redis.RedisError``."""

    def close(self) -> None:
        """Closes the connections."""


def open_sync_redis(url: str, *, timeout: float) -> SyncRedis:
    """A client for any ``HUB_REDIS_URL``, not connected yet. A command is not repeated, except
    where a cluster has its slot elsewhere."""
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    servers = parse_servers(url)
    if servers is None:
        return redis.Redis.from_url(url, **options)
    if servers.scheme == CLUSTER:
        return _SyncCluster(servers, options)
    return _primary(servers, options)


def _primary(servers: ServersUrl, options: dict[str, Any]) -> SyncRedis:
    kwargs, own = _arguments(servers, options), servers.own
    credentials = {
        "username": own.get("sentinel_username"),
        "password": own.get("sentinel_password"),
    }
    tls = {name: value for name, value in kwargs.items() if name.startswith("ssl")}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        servers.addresses, sentinel_kwargs={**options, **tls, **credentials}
    )
    primary: redis.Redis = sentinel.master_for(servers.service, **kwargs)  # type: ignore[no-untyped-call]
    return primary


def _arguments(servers: ServersUrl, options: dict[str, Any]) -> dict[str, Any]:
    of_one = servers.of(*servers.addresses[0])
    kwargs: dict[str, Any] = {**parse_url(of_one), **options}  # type: ignore[no-untyped-call]
    kwargs["ssl"] = kwargs.pop("connection_class", None) is SSLConnection
    del kwargs["host"], kwargs["port"]
    return kwargs


class _SyncCluster:
    """redis-py's cluster client, connected at the first command and without errors of its own
    kind. One command at a time is what it does well (decision 9 is about many)."""

    def __init__(self, servers: ServersUrl, options: dict[str, Any]) -> None:
        self._nodes = [ClusterNode(*one) for one in servers.addresses]  # type: ignore[no-untyped-call]
        self._kwargs = _arguments(servers, options) | {
            "retry": Retry(NoBackoff(), _CLUSTER_RETRIES)
        }
        del self._kwargs["db"]  # a cluster has but one
        self._lock = threading.Lock()
        self._client: RedisCluster | None = None

    def xadd(self, name: Any, fields: Any) -> Any:
        try:
            return self._connected().xadd(name, fields)
        except RedisClusterException as error:  # not a RedisError
            raise RedisConnectionError(str(error)) from error

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _connected(self) -> RedisCluster:
        with self._lock:
            if self._client is None:
                self._client = RedisCluster(startup_nodes=self._nodes, **self._kwargs)
            return self._client
