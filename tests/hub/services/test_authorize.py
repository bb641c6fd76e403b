"""The seam that says who may read a project, asking a real small backend over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from config.settings import Settings
from hub.domain import codes
from hub.domain.principal import Principal, Role
from hub.services.authorize import Callback, Claims, open_authorizer
from tests.support.backend import Backend, backend

WHO = Principal("u1", frozenset({Role.USER}), frozenset({"p1"}), datetime(2100, 1, 1, tzinfo=UTC))


@asynccontextmanager
async def asking(asked: Backend, **options: Any) -> AsyncIterator[Callback]:
    authorizer = Callback(asked.url, **({"timeout": 5.0, "ttl": 60.0} | options))
    try:
        yield authorizer
    finally:
        await authorizer.close()


@pytest.fixture
async def asked() -> AsyncIterator[Backend]:
    async with backend() as running:
        yield running


async def test_claims_are_the_default() -> None:
    authorizer = open_authorizer(Settings())
    assert isinstance(authorizer, Claims)
    assert await authorizer.readable(WHO, ["p1", "p2"]) == {"p1"}


async def test_the_backend_says_yes_and_no(asked: Backend) -> None:
    asked.allowed = {("u1", "p2")}
    async with asking(asked) as authorizer:
        assert await authorizer.readable(WHO, ["p1", "p2"]) == {"p2"}
        assert await authorizer.readable(WHO, []) == frozenset()
    assert sorted(asked.questions, key=lambda each: str(each["projectId"])) == [
        {"userId": "u1", "roles": ["user"], "projectId": name, "action": "READ"}
        for name in ("p1", "p2")
    ]


async def test_a_403_is_a_no(asked: Backend) -> None:
    asked.answer = lambda: web.Response(status=403)
    async with asking(asked) as authorizer:
        assert await authorizer.readable(WHO, ["p1"]) == frozenset()


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500, text='{"allowed": true}'),
        web.Response(status=302, headers={"Location": "/elsewhere"}),
        web.Response(status=201, text='{"allowed": true}'),
        web.Response(text="yes"),
        web.Response(text=""),
        web.Response(text='{"allowed": "true"}'),
        web.Response(text='{"allowed": 1}'),
        web.Response(text='{"permitted": true}'),
        web.Response(text='[{"allowed": true}]'),
        web.Response(body=b'\xff{"allowed": true}'),
        web.Response(text='{"allowed": true}' + " " * 5000),
    ],
    ids=lambda answer: f"{answer.status} {str(answer.text)[:20]}" if answer.charset else "bytes",
)
async def test_anything_else_is_no_answer(asked: Backend, answer: web.Response) -> None:
    asked.answer = lambda: answer
    async with asking(asked) as authorizer:
        with pytest.raises(codes.HubError) as refused:
            await authorizer.readable(WHO, ["p1"])
        assert (refused.value.code, refused.value.retry_after) == (codes.UNAVAILABLE, 2)
        asked.answer = None
        assert await authorizer.readable(WHO, ["p1"]) == frozenset()  # it was not remembered


async def test_a_backend_that_is_slow_or_away_lets_nobody_in(asked: Backend) -> None:
    asked.allowed = {("u1", "p1")}
    asked.gate.clear()
    async with asking(asked, timeout=0.1) as authorizer:
        with pytest.raises(codes.HubError) as refused:
            await authorizer.readable(WHO, ["p1"])
        assert refused.value.code is codes.UNAVAILABLE
        asked.gate.set()
        assert await authorizer.readable(WHO, ["p1"]) == {"p1"}
    async with asking(asked, ttl=0.0) as authorizer:
        assert await authorizer.readable(WHO, ["p1"]) == {"p1"}
        await asked.stop()
        with pytest.raises(codes.HubError) as refused:
            await authorizer.readable(WHO, ["p1"])
        assert refused.value.code is codes.UNAVAILABLE


async def test_answers_count_for_a_while_and_per_user(asked: Backend) -> None:
    asked.allowed = {("u1", "p1")}
    other = Principal("u2", WHO.roles, None, WHO.expires_at)
    async with asking(asked) as authorizer:
        for _ in range(3):
            assert await authorizer.readable(WHO, ["p1"]) == {"p1"}
            assert await authorizer.readable(other, ["p1"]) == frozenset()
        assert len(asked.questions) == 2
    async with asking(asked, ttl=0.0) as authorizer:
        assert await authorizer.readable(WHO, ["p1"]) == {"p1"}
        asked.allowed = set()
        assert await authorizer.readable(WHO, ["p1"]) == frozenset()


async def test_not_more_is_remembered_than_said(asked: Backend) -> None:
    async with asking(asked, remembered=2) as authorizer:
        for project in ("p1", "p2", "p1", "p3", "p1"):  # p2 was not asked for longest
            await authorizer.readable(WHO, [project])
        assert [each["projectId"] for each in asked.questions] == ["p1", "p2", "p3"]
        await authorizer.readable(WHO, ["p2"])
        assert len(asked.questions) == 4


async def test_who_asks_the_same_waits_for_the_same_answer(asked: Backend) -> None:
    asked.allowed = {("u1", "p1")}
    asked.gate.clear()
    async with asking(asked) as authorizer, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(authorizer.readable(WHO, ["p1"])) for _ in range(20)]
        await asked.arrived.wait()
        waiting[0].cancel()
        asked.gate.set()
        assert await asyncio.gather(*waiting[1:]) == [{"p1"}] * 19
        assert len(asked.questions) == 1


async def test_closing_gives_up_what_is_asked(asked: Backend) -> None:
    asked.gate.clear()
    async with asking(asked) as authorizer:
        waiting = asyncio.create_task(authorizer.readable(WHO, ["p1"]))
        await asked.arrived.wait()
    with pytest.raises(asyncio.CancelledError):
        await waiting
