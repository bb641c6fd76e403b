"""Pages of other origins: closed by default, open to those that are named."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from config.settings import Settings
from hub import tokens
from tests.conftest import JWT_SECRET
from tests.hub.gateways.inboxes import serving

APP, EVIL = "https://app.example", "https://evil.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization",
}


async def asked(url: str, origin: str | None, method: str = "GET", **headers: str) -> Any:
    """The answer to a request that a page makes."""
    token = {"Authorization": f"Bearer {tokens.mint(JWT_SECRET, 'u1', projects=('p1',))}"}
    from_page = {} if origin is None else {"Origin": origin}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, headers=token | from_page | headers) as answer,
    ):
        await answer.read()
        return answer


async def test_only_named_origins_may_read(settings: Settings) -> None:
    named = settings.model_copy(update={"cors_origins": (APP,)})
    async with serving(named) as url:
        for path, status in (("/v1/notifications", 200), ("/v1/jobs/none/progress", 404)):
            answer = await asked(url + path, APP)
            assert answer.status == status
            assert answer.headers["Access-Control-Allow-Origin"] == APP
            assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
            assert "Origin" in answer.headers["Vary"]
            for origin in (EVIL, None, url):
                answer = await asked(url + path, origin)
                assert "Access-Control-Allow-Origin" not in answer.headers, origin
                assert "Origin" in answer.headers["Vary"]
        answer = await asked(url + "/v1/notifications", APP, "OPTIONS", **PREFLIGHT)
        assert answer.status == 204
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        answer = await asked(url + "/v1/notifications", EVIL, "OPTIONS", **PREFLIGHT)
        assert answer.status == 405


@pytest.mark.parametrize("named", [(), (APP,), ("*",)], ids=str)
async def test_a_websocket_is_for_own_and_named_pages(
    settings: Settings, named: tuple[str, ...]
) -> None:
    async with serving(settings.model_copy(update={"cors_origins": named})) as url:
        for origin in (APP, EVIL, "null", "http://[", url, None):
            answer = await asked(
                f"{url}/v1/jobs/none/progress",
                origin,
                Upgrade="websocket",
                Connection="Upgrade",
            )
            welcome = origin in (None, url, *named) or "*" in named
            assert answer.status == (404 if welcome else 403), origin
