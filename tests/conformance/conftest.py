"""The servers under test, one process each per module."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from tests.conformance.raw import Endpoint, endpoint
from tests.support.process import program

BRISK = ("--ping-interval", "0.3", "--ping-timeout", "0.2")
PATIENT = ("--ping-interval", "25", "--ping-timeout", "20")


@asynccontextmanager
async def serving(kind: str, *options: str) -> AsyncIterator[str]:
    """A conformance server; its URL."""
    argv = ["tests.conformance.server", kind, "--port", "0", *options]
    async with program(argv, os.environ) as started:
        yield started.ready_line.removeprefix("ready ")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def brisk_eio() -> AsyncIterator[str]:
    async with serving("eio", *BRISK) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient_eio() -> AsyncIterator[str]:
    async with serving("eio", *PATIENT) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def brisk_sio() -> AsyncIterator[str]:
    async with serving("sio", *BRISK) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient_sio() -> AsyncIterator[str]:
    async with serving("sio", *PATIENT) as url:
        yield url


@pytest.fixture
async def brisk(brisk_eio: str) -> AsyncIterator[Endpoint]:
    """Engine.IO with the heartbeat of the official suite: 300 ms and 200 ms."""
    async with endpoint(brisk_eio, "engine.io") as found:
        yield found


@pytest.fixture
async def patient(patient_eio: str) -> AsyncIterator[Endpoint]:
    """Engine.IO with a heartbeat that no test lives to see."""
    async with endpoint(patient_eio, "engine.io") as found:
        yield found


@pytest.fixture(params=["brisk", "patient"])
async def eio(request: pytest.FixtureRequest) -> AsyncIterator[Endpoint]:
    """Engine.IO with either."""
    url: str = request.getfixturevalue(f"{request.param}_eio")
    async with endpoint(url, "engine.io") as found:
        yield found


@pytest.fixture
async def quick(brisk_sio: str) -> AsyncIterator[Endpoint]:
    """Socket.IO with a brisk heartbeat."""
    async with endpoint(brisk_sio, "socket.io") as found:
        yield found


@pytest.fixture
async def sio(patient_sio: str) -> AsyncIterator[Endpoint]:
    """Socket.IO with a patient heartbeat: what ends a connection is not its timeout."""
    async with endpoint(patient_sio, "socket.io") as found:
        yield found
