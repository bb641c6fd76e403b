"""Two nodes of one cluster, and an administrator on the second."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hub.embedded import free_port
from tests.support.process import Program, environment
from tests.support.sioline import Line, line
from tests.support.system import System


@dataclass
class Duo:
    """The clients are on ``system``'s node; ``admin`` is on the one at ``other_url``."""

    system: System
    other: Program
    other_url: str
    admin: Line

    @property
    def url(self) -> str:
        return self.system.url

    def token(self, user: str = "u1", **options: Any) -> str:
        return self.system.token(user, **options)

    async def do(self, name: str, payload: Any = None) -> Any:
        """A command that is carried out; what it is answered with."""
        answer = await self.admin.command(name, {} if payload is None else payload)
        assert answer["ok"], answer
        return answer["data"]

    async def refused(self, name: str, payload: Any) -> str:
        """A command that is refused; the code."""
        answer = await self.admin.command(name, payload)
        assert not answer["ok"], answer
        return str(answer["error"]["code"])


@asynccontextmanager
async def duo(system: System, **env: str) -> AsyncIterator[Duo]:
    """A second node and the administrator ``root``."""
    port = free_port()
    other = Program(["hub", "serve", "--port", str(port)], environment(system.settings, **env))
    await other.start()
    url = f"http://127.0.0.1:{port}"
    try:
        async with line(url, system.token("root", roles=["admin"]), namespace="/admin") as admin:
            yield Duo(system, other, url, admin)
    finally:
        await other.stop()
