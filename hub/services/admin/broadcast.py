"""What administrators say to many: for whoever is connected now, or for the inboxes."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from hub.broker.journal import Journal
from hub.domain import channels, codes, ids, times
from hub.domain.parsing import parse_item
from hub.domain.patience import COME_BACK
from hub.domain.publications import Notification, Recipients, Severity
from hub.domain.versions import CURRENT
from hub.services.admin.cluster import Cluster, Gathered
from hub.services.admin.orders import Say
from hub.services.patience import patiently

TYPE: Final = "admin.broadcast"
"""The type of a broadcast that is stored: a notification like others."""

LIVE: Final = "BROADCAST"
_USERS_AT_MOST: Final = 1000


class Audience(Struct, frozen=True):
    """Whom it is for; nothing is everybody."""

    users: list[str] | None = None
    topic: str | None = None
    job_id: str | None = None

    def __str__(self) -> str:
        if self.users is not None:
            return f"users:{','.join(self.users[:10])}" + ("…" if len(self.users) > 10 else "")
        return "all" if self.channel is None else self.channel

    @property
    def channel(self) -> str | None:
        """The channel whose followers are meant, if that is what it says."""
        if self.topic is not None:
            return channels.topic_channel(self.topic)
        return None if self.job_id is None else channels.job_channel(self.job_id)


class Words(Struct, frozen=True):
    """What is said."""

    title: str
    body: str
    severity: Severity


class Broadcasts:
    """Saying it. Raises ``HubError``: UNAVAILABLE when a store is away."""

    def __init__(self, cluster: Cluster, journal: Journal) -> None:
        self._cluster = cluster
        self._journal = journal

    async def live(self, words: Words, to: Audience) -> Gathered[dict[str, Any]]:
        """One event without offset to whoever is connected; ``{id, connections}``."""
        event_id = ids.uuid7()
        name = channels.ALL if to.channel is None else to.channel
        users = UNSET if to.users is None else to.users
        said = Say(LIVE, _envelope(event_id, name, words), to.channel, users)
        connections, missing = await self._cluster.say(said)
        return Gathered({"id": event_id, "connections": connections}, missing)

    async def persist(self, words: Words, to: Audience) -> dict[str, Any]:
        """A notification in the inbox of each; of a job's viewers, of those who follow it now.
        ``{id, users?}``: how many those are, of users.

        Of a job whose viewers not every node has named, nothing is made, and that is UNAVAILABLE:
        said again, it would be twice in the inbox of those who were named, and who was not cannot
        be told from outside. A node that died is no reason any more once its lease is over.
        """
        users = to.users
        if to.job_id is not None:
            users, missing = await self._cluster.viewers(channels.job_channel(to.job_id))
            if missing:
                said = f"nothing was said: no answer from {', '.join(missing)}"
                raise codes.HubError(codes.UNAVAILABLE, said, retry_after=COME_BACK)
            users = users[:_USERS_AT_MOST]
            if not users:
                return {"id": None, "users": 0}
        notification = _notification(words, to, users)
        async with patiently():
            await self._journal.append([notification])
        found: dict[str, Any] = {"id": str(notification.id)}
        return found if users is None else {**found, "users": len(users)}


def _notification(words: Words, to: Audience, users: list[str] | None) -> Notification:
    recipients: Recipients | str = "all"
    if users is not None:
        recipients = Recipients(users=users)
    elif to.topic is not None:
        recipients = Recipients(topic=to.topic)
    item = {
        "kind": Notification.kind,
        "id": ids.uuid7(),
        "to": msgspec.to_builtins(recipients),
        "type": TYPE,
        "title": words.title,
        "body": words.body,
        "severity": words.severity,
    }
    if to.job_id is not None:
        item["jobId"] = to.job_id
    parsed = parse_item(item)
    if not isinstance(parsed, Notification):
        raise codes.HubError(codes.INTERNAL)
    return msgspec.structs.replace(parsed, sender="ADMIN")


def _envelope(event_id: str, channel: str, words: Words) -> msgspec.Raw:
    return msgspec.Raw(
        msgspec.json.encode(
            {
                "v": CURRENT,
                "id": event_id,
                "channel": channel,
                "type": LIVE,
                "data": {"title": words.title, "body": words.body, "severity": words.severity},
                "timestamp": times.wire(times.now()),
            }
        )
    )
