"""A whole hub: one node and one ingest worker as processes, on the session's real stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from hub import tokens
from hub.embedded import MongoServer, RedisServer, free_port
from tests.support.process import Program, environment


@dataclass
class System:
    """The running parts. ``url``: of the node."""

    settings: Settings
    redis: RedisServer
    mongo: MongoServer
    node: Program
    ingest: Program
    url: str

    def token(
        self,
        user: str = "u1",
        *,
        projects: Sequence[str] = ("p1",),
        roles: Sequence[str] = ("user",),
    ) -> str:
        """A token that the node accepts."""
        assert self.settings.jwt_secret is not None
        secret = self.settings.jwt_secret.get_secret_value()
        return tokens.mint(secret, user, projects=projects, roles=roles)


@asynccontextmanager
async def running_system(
    settings: Settings,
    redis: RedisServer,
    mongo: MongoServer,
    log: Path | None = None,
    /,
    **env: str,
) -> AsyncIterator[System]:
    """A node and an ingest worker, started and stopped. ``log``: where the node's log goes."""
    port = free_port()
    child_env = environment(settings, **env)
    node = Program(["hub", "serve", "--port", str(port)], child_env, log)
    ingest = Program(["workers.ingest"], child_env)
    try:
        await ingest.start()
        await node.start()
        yield System(settings, redis, mongo, node, ingest, f"http://127.0.0.1:{port}")
    finally:
        await node.stop()
        await ingest.stop()
