"""A Socket.IO client that reads only when it is told to, and checks whatever it reads: each channel
in order, and every recovery string against what it has read. See ``line`` for one that keeps up."""

from __future__ import annotations

import base64
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from hub.domain.recovery import parse_mark
from tests.conformance.raw import Endpoint, endpoint
from tests.hub.gateways.websocket.wire import BINARY, CLOSE, Raw, connect, handshake, masked
from tests.support import protocol


class SlowLine(ABC):
    """One connection.

    ``log``: ``[event, *arguments]`` in order. ``positions``: the channels in the order in which it
    follows them, and how far it has read each. ``seen``: the offsets of the events of each.
    """

    def __init__(self) -> None:
        self.log: list[list[Any]] = []
        self.positions: dict[str, int] = {}
        self.epochs: dict[str, str] = {}
        self.seen: dict[str, list[int]] = {}
        self.answers: dict[int, dict[str, Any]] = {}
        self.ended = False
        self.close_code: int | None = None
        self._ids = itertools.count(1)
        self._asked: dict[int, tuple[str, str]] = {}
        self._sent: dict[int, tuple[str, Any]] = {}

    @abstractmethod
    async def packets(self) -> list[str]:
        """Waits for packets of the server; none once the connection has ended."""

    @abstractmethod
    async def send(self, packet: str) -> None:
        """Sends a packet."""

    @abstractmethod
    async def attach(self, content: bytes) -> None:
        """Sends an attachment."""

    async def read(self, until: Callable[[], object]) -> None:
        """Reads until something holds."""
        while not until():
            assert not self.ended, f"over too early; the last of it: {self.log[-3:]}"
            for packet in await self.packets():
                await self._take(packet)

    async def read_to_the_end(self) -> None:
        """Reads until the connection ends."""
        await self.read(lambda: self.ended)

    async def command(self, name: str, payload: Any) -> dict[str, Any]:
        """Sends a command and reads up to its answer."""
        number = next(self._ids)
        self._sent[number] = name, payload
        await self.send(f"42{number}" + json.dumps([name, payload]))
        await self.read(lambda: number in self.answers)
        answer = self.answers[number]
        assert answer["ok"], answer
        data: dict[str, Any] = answer["data"]
        return data

    async def refused(self, name: str, payload: Any, *attachments: bytes) -> str:
        """Sends a command with attachments and reads up to its refusal; the code."""
        number = next(self._ids)
        self._sent[number] = name, payload
        await self.send(f"45{len(attachments)}-{number}" + json.dumps([name, payload]))
        for each in attachments:
            await self.attach(each)
        await self.read(lambda: number in self.answers)
        return str(self.answers[number]["error"]["code"])

    async def ask(self, name: str, channel: str, **more: Any) -> None:
        """Sends ``subscribe`` or ``unsubscribe`` and does not wait; the answer counts when read."""
        number = next(self._ids)
        self._asked[number] = name, channel
        self._sent[number] = name, {"channel": channel, **more}
        await self.send(f"42{number}" + json.dumps(self._sent[number]))

    async def follow(self, channel: str) -> None:
        """Subscribes to a channel that has no events yet, or of which it wants none."""
        data = await self.command("subscribe", {"channel": channel})
        self._begin(channel, data["epoch"], data["offset"])

    def named(self, name: str) -> list[dict[str, Any]]:
        """The payloads of everything received as ``name``."""
        return [entry[1] for entry in self.log if entry[0] == name]

    @property
    def resume(self) -> dict[str, Any]:
        """What it says when it comes back: ``auth.channels``."""
        return {
            channel: {"epoch": self.epochs[channel], "offset": offset}
            for channel, offset in self.positions.items()
        }

    def _begin(self, channel: str, epoch: str, offset: int) -> None:
        self.positions[channel] = offset
        self.epochs[channel] = epoch
        self.seen.setdefault(channel, [])

    async def _take(self, packet: str) -> None:
        if packet == "2":
            await self.send("3")
        elif packet == "1":
            self.ended = True
        elif packet.startswith("43"):
            number, bracket, rest = packet[2:].partition("[")
            answer = self.answers[int(number)] = json.loads(bracket + rest)[0]
            protocol.answered("/", *self._sent.pop(int(number)), answer)
            if int(number) in self._asked:
                self._answered(*self._asked.pop(int(number)), answer)
        elif packet.startswith("42"):
            self.log.append(json.loads(packet[2:]))
            protocol.told("/", self.log[-1][0], self.log[-1][1:])
            self._note(*self.log[-1])

    def _answered(self, name: str, channel: str, answer: dict[str, Any]) -> None:
        assert answer["ok"], answer
        if name == "unsubscribe":
            del self.positions[channel]
            return
        data = answer["data"]
        self._begin(channel, data["epoch"], data["offset"])
        self.seen[channel] += [event["offset"] for event in data["events"]]

    def _note(self, name: str, content: dict[str, Any], string: str) -> None:
        if name == "hello":
            for each in content["channels"]:
                self._begin(each["channel"], each["epoch"], each["offset"])
        elif name == "event":
            channel, offset = content["channel"], content["offset"]
            assert offset == self.positions[channel] + 1, "a gap, or a repeat"
            self._begin(channel, content["epoch"], offset)
            self.seen[channel].append(offset)
        elif name == "reset":
            channel, offset = content["channel"], content["offset"]
            assert offset > self.positions[channel], "a reset for nothing"
            self._begin(channel, content["epoch"], offset)
        mark = parse_mark(string)
        assert mark is not None
        assert list(mark.offsets) == list(self.positions.values()), "not what it has read"


class OverWebSocket(SlowLine):
    """Over WebSocket."""

    def __init__(self, raw: Raw) -> None:
        super().__init__()
        self.raw = raw

    async def packets(self) -> list[str]:
        frame = await self.raw.frame()
        if frame is None or frame.opcode == CLOSE:
            self.ended = True
            self.close_code = frame and int.from_bytes(frame.payload, "big")
            self.raw.writer.close()
            return []
        return [frame.payload.decode()]

    async def send(self, packet: str) -> None:
        self.raw.send(masked(packet.encode()))

    async def attach(self, content: bytes) -> None:
        self.raw.send(masked(content, BINARY))


class OverPolling(SlowLine):
    """Over polling."""

    def __init__(self, found: Endpoint, sid: str) -> None:
        super().__init__()
        self._endpoint = found
        self._sid = sid

    async def packets(self) -> list[str]:
        answer = await self._endpoint.get(self._sid)
        self.ended = answer.status != 200
        return [] if self.ended else answer.body.split("\x1e")

    async def send(self, packet: str) -> None:
        await self._endpoint.post(self._sid, packet)

    async def attach(self, content: bytes) -> None:
        await self._endpoint.post(self._sid, "b" + base64.b64encode(content).decode())


@asynccontextmanager
async def slow_line(port: int, transport: str, **auth: Any) -> AsyncIterator[SlowLine]:
    """A connection that was greeted. The system buffers little for it."""
    if transport == "polling":
        async with endpoint(f"http://127.0.0.1:{port}", "socket.io") as found:
            yield await _greeted(OverPolling(found, await found.open()), auth)
        return
    raw = await connect(port, receive_buffer=4096, limit=512)
    try:
        raw.send(handshake(path="/socket.io/?EIO=4&transport=websocket"))
        yield await _greeted(OverWebSocket(await raw.answered()), auth)
    finally:
        raw.writer.transport.abort()


async def _greeted(line: SlowLine, auth: dict[str, Any]) -> SlowLine:
    await line.send("40" + json.dumps(auth))
    await line.read(lambda: line.named("hello"))
    return line
