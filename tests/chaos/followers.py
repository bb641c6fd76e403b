"""Followers of a job by raw WebSocket and by Server-Sent Events (contract sections 5 and 6). A run
has them as soon as the node serves them: it is asked once, at the start."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final

import aiohttp
from aiohttp import WSMsgType

from hub import tokens
from tests.chaos.cast import JOBS, PROJECT
from tests.chaos.checker import Began, Entry, Event, Seen, Told
from tests.chaos.cluster import SECRET
from tests.support import protocol

_EACH: Final = 3  # followers of each kind
_PAUSE: Final = 0.3
_LOSSES: Final = (aiohttp.ClientError, ConnectionError, TimeoutError)


class Follower:
    """Follows one job from its first event to its end, over any number of connections."""

    kind: ClassVar[str]

    def __init__(self, http: aiohttp.ClientSession, url: str, job: str, epoch: str) -> None:
        self.channel = f"job:{job}"
        self.ended = False
        self._http = http
        self._url = f"{url}/v1/generation-jobs/{job}/progress"
        self._epoch, self._offset = epoch, 0
        self._entries: list[Entry] = [Began(self.channel, epoch, 0)]
        self._response: Any = None

    @property
    def seen(self) -> Seen:
        """What it went through."""
        return Seen(f"{self.kind} of {self.channel}", self.kind, [self.channel], self._entries)

    async def run(self) -> None:
        """Follows until the job ended."""
        while not self.ended:
            with contextlib.suppress(*_LOSSES):
                await self._follow()
            if not self.ended:
                await asyncio.sleep(_PAUSE)

    def cut(self) -> None:
        """Its line breaks, without a word."""
        if self._response is not None and self._response.connection is not None:
            self._response.connection.transport.abort()

    async def _follow(self) -> None:
        raise NotImplementedError

    def _take(self, door: str, message: Mapping[str, Any], name: str | None = None) -> None:
        protocol.streamed(door, message, name)
        self._epoch, self._offset = message["epoch"], message["offset"]
        if message["type"] == "RESET":
            self._entries.append(Told(message["channel"], self._epoch, self._offset))
        else:
            event = Event(message["channel"], self._epoch, self._offset, message["id"])
            self._entries.append(event)


class RawWebSocket(Follower):
    """One envelope in each message; closed with 1000 when the job ended."""

    kind = "raw websocket"

    async def _follow(self) -> None:
        query = {"epoch": self._epoch, "offset": str(self._offset)}
        async with self._http.ws_connect(self._url, params=query, max_msg_size=0) as ws:
            self._response = ws._response
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self._take("websocket", json.loads(message.data))
            self.ended = ws.close_code == 1000


class ServerSentEvents(Follower):
    """Resumes by ``Last-Event-ID``, as an EventSource does."""

    kind = "sse"

    async def _follow(self) -> None:
        headers = {
            "Accept": "text/event-stream",
            "Last-Event-ID": f"{self._epoch}:{self._offset}",
        }
        async with self._http.get(self._url, headers=headers) as answer:
            self._response = answer
            if answer.status == 204:
                self.ended = True
            if answer.status != 200:
                return
            fields: dict[str, str] = {}
            async for line in answer.content:
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name:
                    fields[name] = value
                else:
                    self._dispatch(fields)
                    fields = {}

    def _dispatch(self, fields: Mapping[str, str]) -> None:
        name = fields.get("event")
        if name == "end":
            self.ended = True
        elif "data" in fields:
            self._take("sse", json.loads(fields["data"]), name)


async def served(http: aiohttp.ClientSession, url: str) -> list[type[Follower]]:
    """The kinds of followers that the node has a door for."""
    found: list[type[Follower]] = []
    place = f"{url}/v1/generation-jobs/{JOBS[0]}/progress"
    with contextlib.suppress(aiohttp.WSServerHandshakeError):
        async with http.ws_connect(place):
            found.append(RawWebSocket)
    async with http.get(place, headers={"Accept": "text/event-stream"}) as answer:
        if answer.content_type == "text/event-stream":
            found.append(ServerSentEvents)
    return found


@asynccontextmanager
async def followers(url: str, epochs: Mapping[str, str]) -> AsyncIterator[list[Follower]]:
    """Followers at work, of each kind that there is a door for. ``epochs``: by channel."""
    token = tokens.mint(SECRET, "follower", projects=[PROJECT])
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}"}, timeout=timeout
    ) as http:
        made = [
            kind(http, url, job, epochs[f"job:{job}"])
            for kind in await served(http, url)
            for job in JOBS[:_EACH]
        ]
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(each.run()) for each in made]
            try:
                yield made
            finally:
                for task in running:
                    task.cancel()
