"""A Socket.IO client that fell silent has no slot of a job long before its heartbeat finds out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from config.settings import Settings
from hub import tokens
from hub.app import node
from hub.broker import slots
from hub.gateways.sio import connection
from tests.support.jsclient import js_client
from tests.support.sioline import Line, line
from tests.support.stores import opened
from tests.support.wait import eventually
from workers import Publisher

JOB, CHANNEL = "j1", "job:j1"


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[str]:
    """A node of this process; its address."""
    async with node(settings) as app:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()


def test_a_slot_is_free_within_15_seconds() -> None:
    """The last sign of life may come right after a look; each look is one renewal apart."""
    probed = connection._PROBED_AFTER + slots.RENEWAL
    noticed = connection._ANSWERED_WITHIN + slots.RENEWAL
    assert probed + noticed < 15 - 1


async def test_the_slot_of_a_silent_client_is_another_ones_and_stock_clients_keep_theirs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "RENEWAL", 0.1)
    monkeypatch.setattr(connection, "_PROBED_AFTER", 0.1)
    monkeypatch.setattr(connection, "_ANSWERED_WITHIN", 1.0)
    settings = settings.model_copy(update={"max_connections_per_job": 3})
    assert settings.jwt_secret is not None
    token = tokens.mint(settings.jwt_secret.get_secret_value(), "u1", projects=["p1"])

    async def subscribes(client: Line) -> bool:
        return bool((await client.command("subscribe", {"channel": CHANNEL}))["ok"])

    async with (
        opened(settings) as stores,
        Publisher(settings.redis_url or "") as hub,
        served(settings) as url,
    ):
        job = hub.job(JOB, project_id="p1", owner_id="u1")
        await job.start()
        await stores.drain(stores.ingest())
        async with (
            js_client(url, token, follow=[CHANNEL]) as stock,
            line(url, token) as silent,
            line(url, token) as talking,
            line(url, token) as waiting,
        ):
            await stock.until(lambda c: c.named("subscribed"))
            assert await subscribes(silent)
            assert await subscribes(talking)
            assert not await subscribes(waiting)
            silent.deaf = True

            async def has_room() -> bool:
                return await subscribes(waiting)

            await eventually(has_room, limit=10)
            assert not silent.closed
            assert not silent.named("closing")
            await job.status("GENERATING")
            await stores.drain(stores.ingest())
            await talking.until(lambda: talking.offsets(CHANNEL) == [1])
            await stock.until(lambda c: c.offsets(CHANNEL) == [1])
            silent.deaf = False  # it is there again, and all slots are taken
            await silent.say("3")
            await silent.until(lambda: silent.named("closing"))
            assert silent.named("closing")[0]["code"] == "TOO_MANY_CONNECTIONS"
            assert not talking.closed
            assert not stock.named("closing")
