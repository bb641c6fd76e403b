"""The auditor finds counts that are wrong, and none where all is well."""

from __future__ import annotations

import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE

from config.settings import Settings
from hub.domain.readstate import As
from hub.services.inbox.audit import Drift, audit
from hub.services.inbox.inbox import Inbox
from tests.hub.domain import samples
from tests.hub.services.inbox.world import principal
from tests.support.process import ROOT, environment
from tests.support.stores import opened


async def run(settings: Settings) -> tuple[int | None, str]:
    """The command; its exit code and last line."""
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "hub", "audit-unread"),
        cwd=ROOT,
        env=environment(settings),
        stdout=PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode().splitlines()[-1]


async def test_drift_is_found_and_told(settings: Settings) -> None:
    async with opened(settings) as stores:
        inbox = Inbox(stores.stores.inboxes, stores.stores.heads, stores.journal)
        for user in ("u1", "u2"):
            await inbox.enter(principal(user))
        await stores.publish(
            [
                samples.notification(1, "u1", "u2"),
                samples.notification(2, "u1"),
                samples.notification(3),
                samples.notification(4),
            ]
        )
        await stores.drain(stores.ingest())
        await inbox.mark(principal("u1"), [str(samples.uuid(n)) for n in (1, 3)], As.READ)
        found = await audit(stores.stores.inboxes)
        assert (found.users, found.unread, found.drifts) == (2, 5, [])
        assert await run(settings) == (0, "2 users, 5 unread, 0 drifts")

        where = {"_id": f"u1/{samples.uuid(1)}"}
        await stores.db["notifications"].update_one(where, {"$set": {"read": False}})
        assert (await audit(stores.stores.inboxes)).drifts == [Drift("u1", 3, 2)]
        assert (await run(settings))[0] == 1
