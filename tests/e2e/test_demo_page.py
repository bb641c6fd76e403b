"""The demo page of ``hub dev``: who gets what from it, and who does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession, web
from pydantic import SecretStr

from config.settings import Settings
from hub.gateways.http.demo import DemoPage
from hub.gateways.http.operation import routes
from hub.gateways.http.problems import problems
from tests.support.rawhttp import wire
from tests.support.system import System

SECRET = "a secret of the tests, long enough to sign with"


@dataclass
class Page:
    """A served page. ``killed``: how often its node was to be killed."""

    url: str
    session: ClientSession
    killed: list[None]

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        async with self.session.post(self.url + path, json=body or {}, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)


@pytest.fixture
async def page(tmp_path: Path, free_port: int) -> AsyncIterator[Page]:
    killed: list[None] = []
    kill: Callable[[], None] = lambda: killed.append(None)  # noqa: E731
    app = web.Application(middlewares=[problems])
    pages = DemoPage(Settings(jwt_secret=SecretStr(SECRET)), dist=tmp_path, kill=kill)
    app.add_routes(routes(pages.operations()))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", free_port).start()
    async with ClientSession() as session:
        yield Page(f"http://127.0.0.1:{free_port}", session, killed)
    await runner.cleanup()


async def test_an_unbuilt_page_says_how_to_build_it(page: Page) -> None:
    async with page.session.get(page.url) as answer:
        assert answer.status == 404
        assert "npm run build" in await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_the_page_and_what_is_beside_it(page: Page, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>demo</title>")
    (tmp_path / "assets" / "index-1.js").write_text("1")
    async with page.session.get(page.url) as answer:
        assert (answer.status, await answer.text()) == (200, "<title>demo</title>")
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    async with page.session.get(f"{page.url}/assets/index-1.js") as answer:
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
    (tmp_path / "secret.txt").write_text("s")
    (tmp_path / "assets" / "link.js").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "assets" / ".hidden").write_text("s")
    for path in (
        *("/assets/index-2.js", "/assets/", "/assets/.", "/assets/link.js", "/assets/.hidden"),
        *("/assets/../secret.txt", "/assets/..%2fsecret.txt", "/assets/%2e%2e/secret.txt"),
        *(
            "/assets/%2e%2e%2fsecret.txt",
            "/assets/..\\secret.txt",
            "/assets/%252e%252e%252fsecret.txt",
        ),
        *("/assets/x/../index-1.js", "/assets/x%2f..%2findex-1.js", "/assets/%2Fetc%2Fpasswd"),
        *(
            "//etc/passwd",
            "/../etc/passwd",
            "/assets//etc/passwd",
            f"/assets/{tmp_path}/secret.txt",
        ),
        *("/assets/index-1.js%00", "/secret.txt", "/index.html"),
    ):
        async with wire(page.url) as raw:
            await raw.say(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            status, _, _ = await raw.answer()
            assert status == 404, path


async def test_a_token_for_whom_the_page_plays(page: Page) -> None:
    status, answer = await page.post("/dev/token", {"sub": "ana"})
    assert status == 200
    claims = jwt.decode(answer["token"], SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["projects"]) == ("ana", ["demo"])
    assert claims["roles"] == ["user", "service"]
    status, answer = await page.post("/dev/token", {"sub": "no id!"})
    assert (status, answer["errorCode"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "rebound.example"},
        {"Content-Type": "text/plain"},
    ],
    ids=lambda headers: " ".join(map(": ".join, headers.items())),
)
@pytest.mark.parametrize("path", ["/dev/token", "/dev/kill-node"])
async def test_other_pages_get_nothing(page: Page, path: str, headers: dict[str, str]) -> None:
    status, answer = await page.post(path, {"sub": "ana"}, **headers)
    assert (status, answer["errorCode"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert page.killed == []


async def test_its_own_page_may_kill_the_node(page: Page) -> None:
    own = {"Sec-Fetch-Site": "same-origin", "Origin": page.url}
    await page.post("/dev/kill-node", {}, **own)
    assert page.killed == [None]


async def test_a_node_that_no_dev_started_has_none_of_it(system: System) -> None:
    async with ClientSession() as session:
        for path in ("/dev/token", "/dev/kill-node"):
            async with session.post(system.url + path, json={"sub": "ana"}) as answer:
                assert answer.status == 404, path
        async with session.get(f"{system.url}/") as answer:
            assert answer.status == 404
