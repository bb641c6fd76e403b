"""``/console``: what is served of it, to whom, and what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from hub.gateways.http.headers import protected
from hub.gateways.http.operation import routes
from hub.gateways.http.pages import console_operations
from hub.gateways.http.problems import problems
from tests.support.rawhttp import wire
from tests.support.system import System


@pytest.fixture
async def url(tmp_path: Path, free_port: int) -> AsyncIterator[str]:
    """Where a console is served that would be built in ``tmp_path``/console."""
    app = web.Application(middlewares=[problems])
    app.on_response_prepare.append(protected)
    app.add_routes(routes(console_operations(tmp_path)))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", free_port).start()
    yield f"http://127.0.0.1:{free_port}"
    await runner.cleanup()


def build(tmp_path: Path) -> None:
    (tmp_path / "console" / "assets").mkdir(parents=True)
    (tmp_path / "console" / "index.html").write_text("<title>console</title>")
    (tmp_path / "console" / "assets" / "index-1.js").write_text("1")


async def test_an_unbuilt_console_says_how_to_build_it(url: str) -> None:
    async with ClientSession() as http, http.get(f"{url}/console") as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")
        assert "npm run build" in await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_the_page_is_asked_for_anew_and_its_files_are_kept(url: str, tmp_path: Path) -> None:
    build(tmp_path)
    async with ClientSession() as http:
        async with http.get(f"{url}/console") as answer:
            assert (answer.status, await answer.text()) == (200, "<title>console</title>")
            policy = answer.headers["Content-Security-Policy"]
            assert "script-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["Cache-Control"] == "no-cache"
            tag = answer.headers["ETag"]
        async with http.get(f"{url}/console", headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304
        async with http.get(f"{url}/console/assets/index-1.js") as answer:
            assert (answer.status, await answer.text()) == (200, "1")
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_nothing_else_is_served(url: str, tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "secret.txt").write_text("s")
    assets = tmp_path / "console" / "assets"
    (assets / "link.js").symlink_to(tmp_path / "secret.txt")
    (assets / ".hidden").write_text("s")
    (assets / "folder").mkdir()
    (assets / "folder" / "inner.js").write_text("s")
    for path in (
        *("index-2.js", "", ".", "..", "link.js", ".hidden", "folder", "folder/inner.js"),
        *("../index.html", "..%2findex.html", "%2e%2e/index.html", "%2e%2e%2findex.html"),
        *("..\\index.html", "%252e%252e%252findex.html", "x/../index-1.js", "index-1.js%00"),
        *("folder%2finner.js", "/etc/passwd", "%2Fetc%2Fpasswd", f"{tmp_path}/secret.txt"),
    ):
        async with wire(url) as raw:
            await raw.say(f"GET /console/assets/{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            status, _, body = await raw.answer()
            assert status == 404, path
            assert b"console</title>" not in body, path


async def test_every_node_serves_it_to_everybody(system: System) -> None:
    async with ClientSession() as http, http.get(f"{system.url}/console") as answer:
        assert answer.status in (200, 404)  # not everybody who tests has built it
        assert answer.content_type == "text/html"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
