"""What the guide for workers shows is what works."""

from __future__ import annotations

import asyncio
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.doors import address, bearer
from tests.support.guides import blocks, command, run_python, run_with_redis, shell
from tests.support.sioline import line
from tests.support.system import System
from tests.support.wait import eventually

GUIDE = "docs/workers.md"
TOPIC = "team-7"
ASYNC, CELERY, DJANGO = blocks(GUIDE, "python")


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    """A module of a package that is not there."""
    module = types.ModuleType(name)
    module.__dict__.update(content)
    monkeypatch.setitem(sys.modules, name, module)


async def ended(system: System, job: str) -> None:
    """Waits until the job has ended well."""
    token = system.token("ana", projects=["demo"])

    async def over() -> bool:
        async with http.get(address(system.url, job), headers=bearer(token)) as answer:
            found = await answer.json(content_type=None)
            return bool(found.get("status") == "COMPLETED")

    async with aiohttp.ClientSession() as http:
        await eventually(over)


async def python_with_asyncio(system: System) -> None:
    await run_python(ASYNC)
    await ended(system, "guide-async")
    async with line(system.url, system.token("ana")) as client:
        assert client.hello["unread"]["count"] == 1


class Celery:
    """As far as the guide uses it: a task is called with itself first."""

    def __init__(self, name: str) -> None:
        self.name = name

    def task(self, *, bind: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        assert bind
        request = types.SimpleNamespace(id="guide-celery", retries=0)
        return lambda run: lambda *args: run(types.SimpleNamespace(request=request), *args)


async def celery(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "celery", Celery=Celery)
    names: dict[str, Any] = {}
    exec(CELERY, names)
    with names["hub"]():
        job = await asyncio.to_thread(names["generate"], "demo", "ana", ["one", "two"])
    await ended(system, job)


class Transaction:
    """As far as the guide uses it: what is to be done on commit is done at its end."""

    def __init__(self) -> None:
        self.later: list[Callable[[], None]] = []

    def atomic(self) -> Transaction:
        return self

    def on_commit(self, act: Callable[[], None]) -> None:
        self.later.append(act)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        for act in self.later:
            act()


async def django(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = types.SimpleNamespace(HUB_REDIS_URL=os.environ["HUB_REDIS_URL"])
    stand_in(monkeypatch, "django")
    stand_in(monkeypatch, "django.conf", settings=settings)
    stand_in(monkeypatch, "django.db", transaction=Transaction())
    names: dict[str, Any] = {}
    exec(DJANGO, names)
    team = types.SimpleNamespace(id=7, name="", save=lambda: None)
    async with (
        aiohttp.ClientSession(headers=bearer(system.token("ana"))) as http,
        http.put(f"{system.url}/v1/topics/{TOPIC}/subscribers/ana") as answer,
    ):
        assert answer.status == 204
    async with line(system.url, system.token("ana")) as client:
        with names["hub"]():
            await asyncio.to_thread(names["rename_team"], team, "Red", types.SimpleNamespace(id=3))
        await client.until(
            lambda: f"topic:{TOPIC}" in {e["channel"] for e in client.named("event")}
        )


async def node_through_redis(system: System, tmp_path: Path) -> None:
    (code,) = blocks(GUIDE, "js")
    await run_with_redis(tmp_path, system.settings.redis_url or "", code)
    await ended(system, "guide-node")


async def any_language_over_http(system: System) -> None:
    (block,) = blocks(GUIDE, "console")
    typed, answer = command(block)
    token = system.token("worker", roles=["service"])
    assert await shell(typed, HUB=system.url, TOKEN=token) == answer
    await ended(system, "guide-http")


async def test_what_the_guide_shows_is_published(
    system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HUB_REDIS_URL", system.settings.redis_url or "")
    await python_with_asyncio(system)
    await celery(system, monkeypatch)
    await django(system, monkeypatch)
    await node_through_redis(system, tmp_path)
    await any_language_over_http(system)
