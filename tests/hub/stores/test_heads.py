"""Heads on a real store: what is read, and in how many round trips."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from hub.domain import jobs
from hub.stores.heads import Head, Heads
from tests.hub.domain import samples
from tests.support.commands import Commands
from tests.support.stores import opened


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
async def heads(settings: Settings, commands: Commands) -> AsyncIterator[Heads]:
    async with opened(settings, [commands]) as stores:
        await stores.stores.heads.advance([head(number) for number in range(150)])
        commands.names.clear()
        yield stores.stores.heads


def head(number: int) -> Head:
    return Head(f"user:u{number}", "e1", number)


async def test_many_who_ask_in_one_moment_take_few_round_trips(
    heads: Heads, commands: Commands
) -> None:
    wanted = [heads.get_all([f"user:u{number}", "all"]) for number in range(100)]
    found = await asyncio.gather(*wanted, heads.get("user:u7"), heads.get("all"))
    assert found == [{f"user:u{number}": head(number)} for number in range(100)] + [head(7), None]
    assert commands.names == ["find"] * 2  # 64 channels, then the rest


async def test_any_number_is_read_in_one_round_trip(heads: Heads, commands: Commands) -> None:
    found = await heads.read(f"user:u{number}" for number in range(-3, 150))
    assert found == {f"user:u{number}": head(number) for number in range(150)}
    assert commands.names == ["find"]


async def test_a_head_comes_back_as_it_was_stored(heads: Heads) -> None:
    job = jobs.started(samples.job_started(), samples.T0)
    stored = Head("job:j1", "e2", 5, job)
    await heads.advance([stored])
    assert await heads.get("job:j1") == (await heads.read(["job:j1"]))["job:j1"] == stored


async def test_a_head_never_goes_back(heads: Heads) -> None:
    await heads.advance([Head("user:u9", "e1", 8), Head("user:u3", "e1", 4)])
    assert await heads.get("user:u9") == head(9)
    assert await heads.get("user:u3") == Head("user:u3", "e1", 4)
