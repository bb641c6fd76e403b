"""The current version of the contract and the one before are spoken, any other is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from config.settings import Settings
from hub import tokens
from hub.domain import codes, jobs
from hub.domain.versions import DEPRECATED, SPOKEN, Version, Versions
from tests.contract.conftest import address, serving
from tests.hub.domain import samples
from tests.hub.services.node import running_node
from tests.support import protocol
from tests.support.doors import Refused, bearer, raw, source
from tests.support.process import ROOT
from tests.support.sioline import line

OLD = Version(1, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 9, 1, 12, tzinfo=UTC))
BOTH = Versions(Version(2), OLD)
JOB = "j1"
SUPPORTED = [{"field": "v", "message": "spoken here: 1, 2", "supported": [1, 2]}]


@pytest.fixture
async def runner(settings: Settings) -> AsyncIterator[web.AppRunner]:
    """A node in the time after version 2 came."""
    async with serving(settings, versions=BOTH) as found:
        yield found


def token(settings: Settings, *roles: str) -> str:
    assert settings.jwt_secret is not None
    secret = settings.jwt_secret.get_secret_value()
    return tokens.mint(secret, "u1", roles=roles or ("user",), projects=["*"])


async def test_socket_io_speaks_both_and_says_which_ends(
    runner: web.AppRunner, settings: Settings
) -> None:
    url, given = address(runner, ""), token(settings)
    for said, spoken in ((None, 1), (1, 1), (2, 2)):
        async with line(url, given, v=said) as client:
            assert client.hello["v"] == spoken
            if spoken == 2:
                assert client.hello["notices"] == []
                (misfit,) = protocol.take()  # the documents do not know of it
                assert "2 is not valid" in misfit
                continue
            (notice,) = client.hello["notices"]
            assert notice["code"] == DEPRECATED
            assert notice["sunset"] == "2026-09-01T12:00:00.000Z"
            assert "docs/migrations/2.md" in notice["message"]
    wrong: list[Any] = [0, 3, "2", True, {}]
    for namespace, by in (("", token(settings)), ("/admin", token(settings, "admin"))):
        for said in wrong:
            async with line(url, by, namespace=namespace, v=said) as client:
                assert client.refusal is not None
                assert client.refusal["code"] == codes.UNSUPPORTED_VERSION.name
                assert client.refusal["details"] == SUPPORTED


async def test_administrators_are_told_which_ends(
    runner: web.AppRunner, settings: Settings
) -> None:
    url, given = address(runner, ""), token(settings, "admin")
    for said, told in ((None, 1), (1, 1), (2, 0)):
        async with line(url, given, namespace="/admin", v=said) as client:
            assert (await client.command("stats", {}))["ok"]
            hellos = client.named("hello")
            assert len(hellos) == told
            assert all(hello == {"v": 1, "notices": OLD.notices()} for hello in hellos)
    (misfit,) = protocol.take()  # the documents do not know of 2
    assert "2 is not valid" in misfit


async def test_http_says_what_it_spoke_and_until_when(
    runner: web.AppRunner, settings: Settings
) -> None:
    url = address(runner, "/v1/notifications/unread-count")
    async with aiohttp.ClientSession(headers=bearer(token(settings))) as http:
        for said in ({}, {"Hub-Version": "1"}):
            async with http.get(url, headers=said) as answer:
                assert answer.status == 200
                assert answer.headers["Hub-Version"] == "1"
                assert answer.headers["Deprecation"] == "@1772323200"
                assert answer.headers["Sunset"] == "Tue, 01 Sep 2026 12:00:00 GMT"
        async with http.get(url, headers={"Hub-Version": "2"}) as answer:
            assert answer.headers["Hub-Version"] == "2"
            assert not {"Deprecation", "Sunset"} & answer.headers.keys()
        for said in ({"Hub-Version": "3"}, {"Hub-Version": "one"}, {"Hub-Version": "9" * 99}):
            async with http.get(url, headers=said) as answer:
                assert answer.status == 400
                assert answer.headers["Hub-Version"] == "2"
                problem = await answer.json()
                assert problem["errorCode"] == codes.UNSUPPORTED_VERSION.name
                assert problem["details"] == SUPPORTED
        async with http.get(address(runner, "/healthz"), headers={"Hub-Version": "3"}) as answer:
            assert answer.status == 200
        async with http.get(url, params={"v": "3"}) as answer:  # nothing but a field too many
            assert (await answer.json())["errorCode"] == codes.INVALID_REQUEST.name


@pytest.mark.parametrize("door", [raw, source])
async def test_streams_take_it_from_the_query(
    runner: web.AppRunner, settings: Settings, door: Any
) -> None:
    url = address(runner, "/v1/jobs/nobody-started-it/progress")
    async with aiohttp.ClientSession() as http:
        for said, code in (("2", codes.JOB_NOT_FOUND), ("3", codes.UNSUPPORTED_VERSION)):
            with pytest.raises(Refused) as refused:
                async with door(http, url, token(settings), v=said):
                    pass
            assert refused.value.problem["errorCode"] == code.name


async def test_streams_say_it_in_the_head_of_their_answer(
    runner: web.AppRunner, settings: Settings
) -> None:
    async with running_node(settings) as writer:
        await writer.publish(f"job:{JOB}", 1)
        started = jobs.started(samples.job_started(), samples.T0)
        await writer.store_job(started, writer.ends[f"job:{JOB}"])
    url = address(runner, f"/v1/jobs/{JOB}/progress")
    bearing = bearer(token(settings))
    streamed = bearing | {"Accept": "text/event-stream"}
    async with aiohttp.ClientSession() as http:
        for said, ends in (("1", True), ("2", False)):
            async with (
                http.ws_connect(url, headers=bearing, params={"v": said}) as ws,
                http.get(url, headers=streamed, params={"v": said}) as stream,
            ):
                for headers in (ws._response.headers, stream.headers):
                    assert headers["Hub-Version"] == said
                    assert ({"Deprecation", "Sunset"} <= headers.keys()) is ends
    assert all("2 is not one of 1" in each for each in protocol.take())  # as above


def test_there_are_two_at_most() -> None:
    with pytest.raises(ValueError, match="one or 2"):
        Versions(Version(1), Version(2), Version(3))
    with pytest.raises(ValueError, match="one or 2"):
        Versions()


def test_what_is_spoken_has_its_migration_page() -> None:
    for number in SPOKEN.numbers[1:]:
        assert (ROOT / "docs" / "migrations" / f"{number}.md").is_file()
