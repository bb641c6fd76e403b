"""A primary that Redis Sentinel watches, behind the face of one client."""

from typing import Any

from redis.asyncio import Redis, SentinelConnectionPool, SSLConnection
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from hub.broker.urls import ServersUrl


class _Sentinels(Sentinel):
    async def discover_master(self, service_name: str) -> Any:
        """As ever, with an error that a person can read."""
        try:
            return await super().discover_master(service_name)
        except MasterNotFoundError as error:
            raise MasterNotFoundError(
                f"no Sentinel of {len(self.sentinels)} knows a working primary of {service_name!r}"
            ) from error


class SentinelRedis(Redis):
    """A client of whichever server the Sentinels name when a connection is made."""

    def __init__(self, servers: ServersUrl, options: dict[str, Any]) -> None:
        kwargs: dict[str, Any] = {**parse_url(servers.of(*servers.addresses[0])), **options}
        ssl = kwargs.pop("connection_class", None) is SSLConnection
        tls = {name: value for name, value in kwargs.items() if name.startswith("ssl_")}
        limits = {name: value for name, value in options.items() if name.startswith("socket_")}
        self._sentinel = _Sentinels(  # type: ignore[no-untyped-call]
            servers.addresses,
            sentinel_kwargs={
                **(limits | tls),
                "ssl": ssl,
                "username": servers.own.get("sentinel_username"),
                "password": servers.own.get("sentinel_password"),
                "maint_notifications_config": MaintNotificationsConfig(enabled=False),
                "retry": Retry(NoBackoff(), 0),  # the next Sentinel is asked instead
            },
        )
        del kwargs["host"], kwargs["port"]
        pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]
            servers.service, self._sentinel, ssl=ssl, **kwargs
        )
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        await self._sentinel.aclose()
