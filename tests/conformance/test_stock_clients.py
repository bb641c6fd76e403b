"""Clients as people install them, unmodified: socket.io-client under Node, and python-socketio's.

The heartbeat is brisk, so a client whose pongs were lost would not last the test; but not so brisk
that a client which is short of processor time is taken for lost.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import socketio
from aiohttp import ClientSession

from tests.conformance.conftest import serving

HEARTBEAT = ("--ping-interval", "0.3", "--ping-timeout", "1")
SCRIPT = Path(__file__).parent / "js" / "stock.mjs"
BURST = 300

pytestmark = pytest.mark.timeout(30)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[str]:
    async with serving("sio", *HEARTBEAT) as url:
        yield url


async def run_script(*args: str) -> dict[str, Any]:
    """What the script says happened to the JavaScript client."""
    process = await asyncio.create_subprocess_exec("node", str(SCRIPT), *args, stdout=PIPE)
    try:
        async with asyncio.timeout(20):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    happened: dict[str, Any] = json.loads(output)
    return happened


@pytest.mark.parametrize(
    ("transports", "first", "last"),
    [
        ("", "polling", "websocket"),
        ("polling", "polling", "polling"),
        ("websocket", "websocket", "websocket"),
    ],
    ids=["default", "polling-only", "websocket-only"],
)
async def test_javascript(server: str, transports: str, first: str, last: str) -> None:
    assert await run_script(server, transports) == {
        "firstTransport": first,
        "lastTransport": last,
        "auth": {"token": "123"},
        "inOrder": True,
        "ack": {"a": [1]},
        "bytes": [1, 2, 3],
        "customAuth": {"token": "456"},
        "customAck": "custom",
        "refused": "Invalid namespace",
        "stillThere": "still",
        "held": True,
        "dropped": "transport error",
        "returned": "again",
    }


@pytest.mark.parametrize(
    ("transports", "last"),
    [(None, "websocket"), (["polling"], "polling"), (["websocket"], "websocket")],
    ids=["default", "polling-only", "websocket-only"],
)
async def test_python(server: str, transports: list[str] | None, last: str) -> None:
    async with ClientSession() as http:  # of its own, the client would not close every one
        await use_python_client(server, transports, last, http)


async def use_python_client(
    url: str, transports: list[str] | None, last: str, http: ClientSession
) -> None:
    """What the JavaScript client does, as far as the Python one can."""
    delays = {"reconnection_delay": 0.01, "reconnection_delay_max": 0.05}
    client = socketio.AsyncClient(http_session=http, **delays)
    auth: list[Any] = []
    echoed: list[int] = []
    returned = asyncio.Event()
    client.on("auth", auth.append)
    client.on("auth", auth.append, namespace="/custom")
    client.on("message-back", echoed.append)
    namespaces = ["/", "/custom"]
    await client.connect(url, {}, {"token": "1"}, transports, namespaces)
    try:
        for number in range(BURST):
            await client.emit("message", number)
        assert await client.call("message-with-ack", ({"a": [1]}, 2), timeout=5) == ({"a": [1]}, 2)
        assert echoed == list(range(BURST))
        assert client.transport() == last
        assert await client.call("message-with-ack", b"\1\2", timeout=5) == b"\1\2"
        assert await client.call("message-with-ack", 7, namespace="/custom", timeout=5) == 7
        assert auth == [{"token": "1"}, {"token": "1"}]
        sid = client.sid
        await asyncio.sleep(1.5)  # longer than the server's ping timeout
        assert client.connected
        assert client.sid == sid

        client.on("connect", returned.set)
        await drop(client)
        async with asyncio.timeout(5):
            await returned.wait()
        assert client.sid != sid
        assert await client.call("message-with-ack", "again", timeout=5) == "again"
    finally:
        await client.disconnect()


async def drop(client: socketio.AsyncClient) -> None:
    """Ends the client's connection behind its back."""
    if client.eio.ws is not None:
        await client.eio.ws.close()
    else:
        await client.eio.http.post(f"{client.eio.base_url}&sid={client.eio.sid}", data="1")
