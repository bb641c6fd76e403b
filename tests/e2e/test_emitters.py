"""Existing code that emits through python-socketio's Redis manager is heard. It commands nobody."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import socketio
from redis.asyncio import Redis

from tests.support.jsclient import JsClient, js_client
from tests.support.sioline import line
from tests.support.system import System
from tests.support.wait import eventually
from workers import Publisher

CHANNEL = "job:j1"
DONE = "done"


class Bomb:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self._path}",))


async def started(system: System) -> None:
    """A job that can be followed."""
    async with Publisher(system.settings.redis_url or "") as hub:
        job = hub.job("j1", project_id="p1", owner_id="u1")
        await job.start()
        await job.progress(1)

    async with line(system.url, system.token()) as one:

        async def there() -> bool:
            answer = await one.command("subscribe", {"channel": CHANNEL})
            return bool(answer["ok"])

        await eventually(there)


async def until_heard(manager: Any, client: JsClient) -> None:
    """Waits until the node listens, which nobody promises."""

    async def heard() -> bool:
        await manager.emit("probe", None, room="all")
        return bool(client.named("probe"))

    await eventually(heard)


async def test_a_manager_is_heard_by_those_who_follow(system: System, tmp_path: Path) -> None:
    await started(system)
    url = system.settings.redis_url
    manager = socketio.AsyncRedisManager(url, write_only=True)
    listen = ["moved", "probe", DONE, "hacked"]
    async with (
        js_client(system.url, system.token(), follow=[CHANNEL], listen=listen) as follower,
        js_client(system.url, system.token("u2"), listen=listen) as other,
        Redis.from_url(url or "") as redis,
    ):
        for client in (follower, other):
            await client.until(lambda c: c.named("hello"))
            await until_heard(manager, client)
        await follower.until(lambda c: c.named("subscribed"))
        before = [entry for entry in follower.log if entry[0] == "event"]
        sid = follower.named("hello")[0][0]["sid"]

        await manager.emit("moved", {"n": 1, "é": "ção"}, room=CHANNEL)
        await manager.emit("moved", ("a", 2), room="user:u1")
        await manager.emit("moved", "to both", room="all")
        await manager.emit("moved", "but one", room="all", skip_sid=sid)
        await manager.emit("moved", "elsewhere", room="job:j2")
        await manager.emit("moved", b"binary", room=CHANNEL)
        await manager.emit("moved", "none", room="lobby")
        await manager.emit("moved", "none", room=CHANNEL, namespace="/admin")
        await manager.emit("hello", {"forged": True}, room=CHANNEL)
        for method in ("disconnect", "leave_room", "close_room"):
            control = {"method": method, "sid": sid, "room": CHANNEL, "namespace": "/"}
            await manager._publish(control)
        bomb, forged = tmp_path / "bomb", {"method": "emit", "event": "hacked", "room": "all"}
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            raw = pickle.dumps({**forged, "data": [Bomb(bomb)]}, protocol=protocol)
            await redis.publish("socketio", raw)
        await redis.publish("socketio", json.dumps({**forged, "data": ["x" * 70_000]}))
        await redis.publish("socketio", b"\xff{")
        await manager.emit(DONE, None, room="all")

        for client in (follower, other):
            await client.until(lambda c: c.named(DONE))
        moved = [[*entry[:-1]] for entry in follower.named("moved")]
        assert moved == [[{"n": 1, "é": "ção"}], ["a", 2], ["to both"]]
        assert [entry[:-1] for entry in other.named("moved")] == [["to both"], ["but one"]]
        assert all(isinstance(entry[-1], str) for entry in follower.named("moved"))
        assert not bomb.exists()
        assert not follower.named("hacked")
        assert len(follower.named("hello")) == 1
        assert not follower.named("disconnect")
        # It is no event of the log: neither stored nor counted, and the client can be recovered.
        assert [entry for entry in follower.log if entry[0] == "event"] == before
        await follower.do("cut")
        await follower.until(lambda c: len(c.named("connect")) == 2)
        assert follower.named("connect")[1] == [True]
        await manager.redis.aclose()
