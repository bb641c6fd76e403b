"""``publish``, the second table: what a poll costs, and how soon each door tells of an event.

One follower per door of the same job, on the core of the load client. A door's time is that from
the publisher's call to the follower's read, by the machine's monotonic clock; a poll follows the
``Poll-Interval`` that it is given, so its time is mostly waiting for the next one.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from bench.load.client import Row
from bench.measure import cores
from bench.payload import STAMP
from bench.report import Column, View
from bench.runs import Meter
from bench.servers.base import Server
from bench.servers.hub import Hub

JOB: Final = "bench"
_SECONDS: Final = 120.0  # the longest that a run may take
_FINDS: Final = re.compile(r'hub_store_seconds_count{(?=[^}]*"mongo")(?=[^}]*"find")')
_SENT: Final = re.compile(STAMP + r"(\d{16})")

Follow = Callable[["_Client"], Coroutine[Any, Any, list[float]]]


@dataclass(frozen=True, slots=True)
class Load:
    """How many polls are counted, how many events are told of, and how many a second."""

    polls: int
    events: int
    rate: float


@dataclass(frozen=True, slots=True)
class _Client:
    http: aiohttp.ClientSession
    url: str
    token: str
    events: int
    ready: Callable[[], None]

    @property
    def progress(self) -> str:
        return f"{self.url}/v1/generation-jobs/{JOB}/progress"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


async def measure(server: Server, load: Load) -> AsyncIterator[Row]:
    """A row for the polls, then one per door."""
    if not isinstance(server, Hub):
        raise TypeError("only the hub has these doors")
    await server.prepare([f"job:{JOB}"])
    url = f"http://127.0.0.1:{server.port}"
    async with aiohttp.ClientSession() as http:
        client = _Client(http, url, server.user_token("u1"), load.events, lambda: None)
        for row in (await _polls(server, client, load.polls), *await _doors(server, client, load)):
            yield {"phase": "doors", **row}


async def _polls(server: Server, client: _Client, polls: int) -> Row:
    headers = client.headers
    async with client.http.get(client.progress, headers=headers) as answer:
        headers |= {"If-None-Match": answer.headers["ETag"]}
    before, meter, took = await _reads(client), Meter(server), []
    for _ in range(polls):
        began = time.monotonic()
        async with client.http.get(client.progress, headers=headers) as answer:
            if answer.status != 304:
                raise RuntimeError(f"the job changed: {answer.status}")
        took.append(time.monotonic() - began)
    spent = meter.read()
    reads = (await _reads(client) - before) / polls
    return {
        "case": "a poll of a job that has not changed",
        "door": "polling",
        "reads": round(reads, 2),
        "cpu_ms": round(1000 * spent["server_cpu"] / polls, 3),
        **_times(took, polls),
        **spent,
    }


async def _reads(client: _Client) -> float:
    """Finds that the node has sent to MongoDB; its health and figures ask otherwise."""
    async with client.http.get(f"{client.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if _FINDS.match(line))


async def _doors(server: Hub, client: _Client, load: Load) -> list[Row]:
    doors: dict[str, Follow] = {
        "socket.io": _socketio,
        "raw websocket": _websocket,
        "event stream": _events,
        "polling": _polling,
    }
    waiting, all_ready = set(doors), asyncio.Event()

    def ready(name: str) -> Callable[[], None]:
        def told() -> None:
            waiting.discard(name)
            if not waiting:
                all_ready.set()

        return told

    program = server.publisher(f"job:{JOB}", load.events, load.rate)
    async with asyncio.timeout(_SECONDS), asyncio.TaskGroup() as tasks:
        running = {
            name: tasks.create_task(
                follow(_Client(client.http, client.url, client.token, load.events, ready(name)))
            )
            for name, follow in doors.items()
        }
        await all_ready.wait()
        try:
            await program.start(cores()[1])
            await asyncio.wait(running.values())
        finally:
            await program.stop()
    case = f"{load.events} events at {load.rate:g} a second"
    return [
        {"case": f"{case}, {name}", "door": name, **_times(task.result(), load.events)}
        for name, task in running.items()
    ]


def _times(seconds: list[float], expected: int) -> Row:
    found = sorted(1000 * each for each in seconds)
    return {
        "p50_ms": round(found[len(found) // 2], 1),
        "p99_ms": round(found[min(len(found) - 1, len(found) * 99 // 100)], 1),
        "max_ms": round(found[-1], 1),
        "deliveries": len(found),
        "expected": expected,
    }


def _age(text: str) -> float | None:
    """Seconds since an event was published; None for one of another kind."""
    sent = _SENT.search(text)
    return None if sent is None else time.monotonic() - int(sent[1]) / 1e6


async def _socketio(client: _Client) -> list[float]:
    found: list[float] = []
    url = f"{client.url}/socket.io/?EIO=4&transport=websocket"
    async with client.http.ws_connect(url) as ws:
        await ws.send_str("40" + json.dumps({"token": client.token}))
        await ws.send_str("421" + json.dumps(["subscribe", {"channel": f"job:{JOB}"}]))
        async for message in ws:
            text: str = message.data
            if text == "2":
                await ws.send_str("3")
            elif text.startswith("431"):
                client.ready()
            elif (age := _age(text)) is not None:
                found.append(age)
                if len(found) == client.events:
                    break
    return found


async def _websocket(client: _Client) -> list[float]:
    found: list[float] = []
    async with client.http.ws_connect(client.progress, headers=client.headers) as ws:
        client.ready()
        async for message in ws:
            age = _age(message.data)
            if age is not None:
                found.append(age)
            if len(found) == client.events:
                break
    return found


async def _events(client: _Client) -> list[float]:
    found: list[float] = []
    headers = client.headers | {"Accept": "text/event-stream"}
    unlimited = aiohttp.ClientTimeout(total=None)
    async with client.http.get(client.progress, headers=headers, timeout=unlimited) as answer:
        client.ready()
        async for line in answer.content:
            age = _age(line.decode()) if line.startswith(b"data:") else None
            if age is not None:
                found.append(age)
            if len(found) == client.events:
                break
    return found


async def _polling(client: _Client) -> list[float]:
    """As often as it is told to; of each event the first sight counts."""
    seen: dict[str, float] = {}
    tag = ""
    while len(seen) < client.events:
        headers = client.headers | ({"If-None-Match": tag} if tag else {})
        async with client.http.get(client.progress, headers=headers) as answer:
            tag = answer.headers["ETag"]
            interval = float(answer.headers["Poll-Interval"])
            snapshot: dict[str, Any] = await answer.json() if answer.status == 200 else {}
        client.ready()
        for each in snapshot.get("recentEvents", ()):
            age = _age(each.get("title", ""))
            if age is not None:
                seen.setdefault(each["title"], age)
        await asyncio.sleep(interval if len(seen) < client.events else 0)
    return list(seen.values())


VIEW = View(
    "Doors: what a poll costs, and how soon each door tells of an event",
    [
        Column("reads", "reads per poll", 2),
        Column("cpu_ms", "CPU ms", 3),
        Column("p50_ms", "p50 ms"),
        Column("p99_ms", "p99 ms"),
        Column("max_ms", "max ms"),
    ],
    headline=Column("p50_ms", "p50 ms"),
)
