"""A client that knows nothing of either protocol but its bytes: HTTP requests and frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from multidict import CIMultiDictProxy

LIMIT = 5.0
"""Seconds that a test waits for anything: longer than the brisk ping timeout, shorter than the
patient one, so that what ends within it did not end by a timeout there."""


class Answer(NamedTuple):
    """What came of an HTTP request."""

    status: int
    body: str
    headers: CIMultiDictProxy[str]


class Socket:
    """One WebSocket."""

    def __init__(self, ws: ClientWebSocketResponse) -> None:
        self._ws = ws
        self.close_code: int | None = None

    async def send(self, *packets: str | bytes) -> None:
        """Sends each packet as a frame."""
        for packet in packets:
            if isinstance(packet, str):
                await self._ws.send_str(packet)
            else:
                await self._ws.send_bytes(packet)

    async def frame(self) -> str | bytes | None:
        """The next frame, pings of the server included; None once the connection is closed."""
        async with asyncio.timeout(LIMIT):
            message = await self._ws.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            data: str | bytes = message.data
            return data
        self.close_code = message.data if message.type is WSMsgType.CLOSE else 1006
        return None

    async def heard(self) -> str | bytes | None:
        """As ``frame``, but the server's pings are answered and left out."""
        while (frame := await self.frame()) == "2":
            await self.send("3")
        return frame

    async def closed(self) -> int | None:
        """Waits, silently, for the end; the close code."""
        while await self.frame() is not None:
            pass
        return self.close_code

    async def close(self) -> None:
        """Closes from this side."""
        await self._ws.close()


@dataclass(frozen=True)
class Endpoint:
    """An Engine.IO endpoint and the client's HTTP session."""

    url: str
    http: ClientSession

    async def request(
        self,
        method: str,
        query: Mapping[str, str],
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Any request."""
        async with (
            asyncio.timeout(LIMIT),
            self.http.request(
                method, self.url, params=query, data=body, headers=headers
            ) as response,
        ):
            return Answer(response.status, await response.text(), response.headers)

    async def get(self, sid: str, **query: str) -> Answer:
        """A poll."""
        return await self.request("GET", polling(sid) | query)

    async def post(self, sid: str, body: Any) -> Answer:
        """Packets of the client."""
        return await self.request("POST", polling(sid), body)

    async def open(self) -> str:
        """Opens a polling session; its id."""
        answer = await self.request("GET", polling())
        assert answer.status == 200
        sid = json.loads(answer.body[1:])["sid"]
        assert isinstance(sid, str)
        return sid

    async def dial(self, sid: str | None = None, **query: str) -> Socket:
        """A WebSocket, right after its handshake; raises ``WSServerHandshakeError`` if refused."""
        params = {"EIO": "4", "transport": "websocket"} | ({"sid": sid} if sid else {}) | query
        async with asyncio.timeout(LIMIT):
            return Socket(await self.http.ws_connect(self.url, params=params, max_msg_size=0))

    async def refusal(self, sid: str | None = None, **query: str) -> int:
        """The status that a WebSocket handshake is refused with."""
        try:
            await self.dial(sid, **query)
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        raise AssertionError("the handshake was accepted")

    async def dial_open(self) -> tuple[Socket, dict[str, Any]]:
        """Opens a WebSocket session; the socket, and what the server said of the session."""
        socket = await self.dial()
        first = await socket.frame()
        assert isinstance(first, str)
        assert first.startswith("0")
        return socket, json.loads(first[1:])

    async def upgraded(self, sid: str) -> Socket:
        """Upgrades a polling session."""
        socket = await self.dial(sid)
        await socket.send("2probe")
        assert await socket.frame() == "3probe"
        await socket.send("5")
        return socket


def polling(sid: str | None = None) -> dict[str, str]:
    """The query of a polling request."""
    return {"EIO": "4", "transport": "polling"} | ({"sid": sid} if sid else {})


@asynccontextmanager
async def endpoint(base: str, path: str) -> AsyncIterator[Endpoint]:
    """An endpoint below a server's URL; its connections are closed afterwards."""
    async with ClientSession() as http:
        yield Endpoint(f"{base}/{path}/", http)
