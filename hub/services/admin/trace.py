"""Where is my message: what is known of one event's way (contract section 10)."""

import asyncio
from typing import Any, Final

import msgspec

from hub.broker.backlog import Backlog, Letter, Waiting
from hub.broker.traces import TraceStore
from hub.domain import channels, codes, times
from hub.domain.channels import Kind, parse_channel
from hub.domain.events import Event
from hub.domain.notifications import Item
from hub.domain.patience import COME_BACK
from hub.domain.traces import Step
from hub.services.patience import patiently
from hub.stores.events import Events
from hub.stores.notifications import Notifications

SEARCH: Final = 4.0
"""Seconds that a trace looks for what is not stored."""

_CREATED: Final = "NOTIFICATION_CREATED"


class Traces:
    """Looking events up."""

    def __init__(
        self, store: TraceStore, events: Events, notifications: Notifications, backlog: Backlog
    ) -> None:
        self._store = store
        self._events = events
        self._notifications = notifications
        self._backlog = backlog
        self._searching = asyncio.Lock()

    async def find(self, event_id: str) -> dict[str, Any]:
        """``{id, state, channel, type, acceptedAt, storedAt, nodes, writes, seenAt, readAt}``.
        ``state``: ``STORED``, or ``WAITING`` on a journal, or ``DEAD`` with its letter. What was
        not noted is None or empty. Raises ``HubError``: NOT_FOUND; UNAVAILABLE, also when so much
        waits that it cannot be searched within ``SEARCH``."""
        found = await self._stored(event_id) or await self._on_its_way(event_id)
        if found is None:  # unless it was stored while it was looked for where it was not any more
            found = await self._stored(event_id)
        if found is None:
            raise codes.HubError(codes.NOT_FOUND, "no event or notification has this id")
        return found

    async def _stored(self, event_id: str) -> dict[str, Any] | None:
        async with patiently():
            stored, noted = await asyncio.gather(
                self._events.by_ids([event_id]), self._store.steps(event_id)
            )
            event = stored.get(event_id)
            steps = [msgspec.json.decode(raw, type=Step) for raw in noted]
            if event is None and not steps:
                return None
            item = None if event is None else await self._item(event)
        return _document(event_id, event, steps, item)

    async def _item(self, event: Event) -> Item | None:
        channel = parse_channel(event.channel)
        if channel is None or channel.kind is not Kind.USER or event.type != _CREATED:
            return None
        wanted = str(event.data.get("id", event.id))
        return (await self._notifications.get(channel.subject, [wanted])).get(wanted)

    async def _on_its_way(self, event_id: str) -> dict[str, Any] | None:
        """What is not stored: on which journal it waits, or why it is dead. One is looked for at a
        time: a node's traces together keep the stores no busier than one does."""
        search, loop = self._backlog.search(event_id), asyncio.get_running_loop()
        deadline = loop.time() + SEARCH
        try:
            async with asyncio.timeout_at(deadline):
                await self._searching.acquire()
        except TimeoutError:
            raise _too_much(0) from None
        try:
            while search.found is None and not search.over:
                if loop.time() >= deadline:  # not left to a cancellation, which a client may miss
                    raise _too_much(search.looked)
                async with patiently():
                    await search.step()
        finally:
            self._searching.release()
        if isinstance(search.found, Letter):
            return _dead(event_id, search.found)
        return None if search.found is None else _waiting(event_id, search.found)


def _too_much(looked: int) -> codes.HubError:
    said = f"it is not stored, and more waits than could be searched within {SEARCH:.0f} s"
    said += f": it is not in the {looked / 1_000_000:.0f} MB that were looked at"
    return codes.HubError(codes.UNAVAILABLE, said, retry_after=COME_BACK)


def _waiting(event_id: str, found: Waiting) -> dict[str, Any]:
    at = times.wire(found.entry.at)
    return {**_nothing(event_id, "WAITING"), "acceptedAt": at, "partition": found.partition}


def _dead(event_id: str, letter: Letter) -> dict[str, Any]:
    found = {"id": letter.id, "partition": letter.partition, "reason": letter.reason}
    at = times.wire(letter.entry.at)
    return {**_nothing(event_id, "DEAD"), "acceptedAt": at, "dead": found}


def _nothing(event_id: str, state: str) -> dict[str, Any]:
    return {
        "id": event_id,
        "state": state,
        "channel": None,
        "type": None,
        "acceptedAt": None,
        "storedAt": None,
        "nodes": [],
        "writes": [],
        "seenAt": None,
        "readAt": None,
    }


def _document(
    event_id: str, event: Event | None, steps: list[Step], item: Item | None
) -> dict[str, Any]:
    known = event or steps[0]
    found = _nothing(event_id, "STORED") | {"channel": known.channel, "type": known.type}
    if event is not None:
        found["acceptedAt"] = times.wire(event.timestamp)
    found["storedAt"] = next((each.at for each in steps if each.step == "STORED"), None)
    routed: dict[str, str | None] = {}
    for each in steps:
        if each.step == "ROUTED":
            routed.setdefault(each.node, each.at)
    found["nodes"] = [{"id": node, "routedAt": at} for node, at in routed.items()]
    found["writes"] = [
        {"sid": each.sid, "userId": each.user_id, "door": each.door, "writtenAt": each.at}
        for each in steps
        if each.step == "WRITTEN"
    ]
    if item is not None:
        found["seenAt"] = times.wire_or_none(item.state.seen_at)
        found["readAt"] = times.wire_or_none(item.state.read_at)
    return found


def watched_channel(user_id: str | None, job_id: str | None, sid: str | None = None) -> str:
    """The channel whose events a tail shows; a single connection has none, only its frames."""
    if sid is not None:
        return f"sid:{sid}"
    if user_id is not None:
        return channels.user_channel(user_id)
    return channels.job_channel(job_id or "")
