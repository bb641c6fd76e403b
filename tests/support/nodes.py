"""Hub nodes in the test's own process, and tokens with any claims."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
from aiohttp import web

from config.settings import Settings
from hub.app import BANS, GUESTS, node
from hub.gateways.http.edge import EdgeRunner
from hub.services.bans import Bans
from hub.services.guests import Guests
from tests.conftest import JWT_SECRET
from tests.support.wait import eventually


@dataclass
class Local:
    """One node."""

    url: str
    guests: Guests
    bans: Bans


@asynccontextmanager
async def local_node(settings: Settings) -> AsyncIterator[Local]:
    """A node that serves."""
    async with node(settings) as app:
        runner = EdgeRunner(app, patience=settings.request_timeout, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            await eventually(lambda: ready(url))  # else it might be stopped while it connects
            yield Local(url, app[GUESTS], app[BANS])
        finally:
            await runner.cleanup()


async def ready(url: str) -> bool:
    """Whether a node has found its stores."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/readyz") as answer:
        return answer.status == 200


def signed(user: str = "u1", ttl: float = 3600, **claims: Any) -> str:
    """A token; a claim that is None is left out."""
    now = time.time()
    given = {"sub": user, "exp": now + ttl, "iat": now, "jti": uuid.uuid4().hex}
    given |= {"projects": ["p1"], **claims}
    return jwt.encode({k: v for k, v in given.items() if v is not None}, JWT_SECRET, "HS256")
