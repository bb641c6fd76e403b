"""Every Redis key and channel name of the hub. All keys of a partition share one hash slot."""

from dataclasses import dataclass
from typing import Final

from hub.domain.channels import partition_of

INGEST_WORKERS: Final = "hub:ingest:workers"
"""Sorted set: ingest worker id → when it was last alive (Unix seconds)."""


EXPIRY: Final = "hub:ingest:expiry"
"""The id of the ingest worker that tells what has ended."""

EMITTERS: Final = "socketio"
"""Pub/sub channel of python-socketio's Redis managers, by their own default."""

ORDERS: Final = "orders"
"""Live channel that every node hears; no client can name it."""

NODES: Final = "hub:{nodes}:ids"
"""Set: the ids of the nodes that live, and perhaps of some that died."""


CONTROL: Final = "hub:{nodes}:control"
"""Stream of what every node is told."""

HISTORY: Final = "hub:{nodes}:history"
"""Stream of the cluster's figures of the last minutes."""

INGESTED: Final = "hub:{nodes}:ingested"
"""How many events were stored, ever."""

TAILS: Final = "hub:{nodes}:tails"
"""Hash: channel whose events are all traced → until when (Unix milliseconds)."""


def node(node_id: str) -> str:
    """What a node says of itself; there as long as the node lives."""
    return f"hub:{{nodes}}:node:{node_id}"


def figures(node_id: str) -> str:
    """A node's figures of the moment; there as long as the node lives."""
    return f"hub:{{nodes}}:figures:{node_id}"


def answers(question: str) -> str:
    """List of what the nodes answered to a question."""
    return f"hub:{{nodes}}:answers:{question}"


def limit(name: str) -> tuple[str, str]:
    """Counters of a rate limit: of the last window and of this one."""
    return f"hub:{{limit:{name}}}:last", f"hub:{{limit:{name}}}:now"


def trace(event_id: str) -> str:
    """List of what happened to an event, where it was looked at."""
    return f"hub:trace:{event_id}"


def tail(channel: str) -> str:
    """Stream of what happens to the events of a channel that is watched."""
    return f"hub:tail:{channel}"


def login(digest: str) -> str:
    """Whose login to the Socket.IO admin UI it is, by the login's digest."""
    return f"hub:login:{digest}"


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names for a deployment with this many partitions."""

    partitions: int

    def tag(self, partition: int) -> str:
        """The hash tag that keeps a partition's keys in one slot: ``{p07}``."""
        return f"{{p{partition:02d}}}"

    def journal(self, partition: int) -> str:
        """Stream of publications waiting for ingest."""
        return f"hub:{self.tag(partition)}:journal"

    def dead(self, partition: int) -> str:
        """Stream of publications that can never be processed."""
        return f"hub:{self.tag(partition)}:dead"

    def lease(self, partition: int) -> str:
        """The id of the ingest worker that reads the partition's journal."""
        return f"hub:{self.tag(partition)}:lease"

    def seen(self, partition: int, publication_id: str) -> str:
        """Marks a publication that came by HTTP, so that its repeat is not appended again."""
        return f"hub:{self.tag(partition)}:seen:{publication_id}"

    def receipt(self, caller: str, key: str) -> str:
        """What a caller was answered for an idempotency key."""
        return f"hub:receipt:{caller}:{key}"

    @property
    def standing(self) -> str:
        """Hash of who is banned and which tokens are revoked, in force on the whole cluster."""
        return f"hub:{self.tag(self.partition(ORDERS))}:standing"

    def serving(self, partition: int) -> str:
        """Sorted set: node → until when what it says of its users counts (Unix milliseconds)."""
        return f"hub:{self.tag(partition)}:serving"

    def attendance(self, user: str) -> str:
        """Hash: node → how many connections a user has there."""
        return f"hub:{self.tag(self.partition(user))}:attendance:{user}"

    def ticket(self, digest: str) -> str:
        """Whom a one-time ticket is of, by the ticket's digest."""
        return f"hub:ticket:{digest}"

    def session(self, pid: str, leg: str) -> str:
        """Where one connection's leg of a recoverable session is saved."""
        return f"hub:{self.tag(self.partition(pid))}:session:{pid}:{leg}"

    def slots(self, channel: str) -> str:
        """Hash of who follows a job: name of the slot → when it runs out, and its owner."""
        return f"hub:{self.tag(self.partition(channel))}:slots:{channel}"

    def log(self, channel: str) -> str:
        """Stream with the newest events of a channel; entry ``17-0`` is offset 17."""
        return f"hub:{self.tag(self.partition(channel))}:log:{channel}"

    def live(self, channel: str) -> str:
        """Pub/sub channel that carries a channel's events to the nodes that follow it."""
        return f"hub:{self.tag(self.partition(channel))}:live:{channel}"

    def probe(self, partition: int, link: str) -> str:
        """Pub/sub channel by which one live connection proves to itself that it hears."""
        return f"hub:{self.tag(partition)}:probe:{link}"

    def partition(self, channel: str) -> int:
        """The partition a channel or a session belongs to."""
        return partition_of(channel, self.partitions)
