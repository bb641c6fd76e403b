"""What administrators are told and answered (contract section 9); shapes as in ``messages``."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from hub.gateways.contract.messages import Deprecation
from hub.gateways.contract.schemas import reference
from hub.gateways.http.documents import ChannelName, Document, Instant, JobStatus, Uuid


class AdminHello(Document, frozen=True):
    """The first event, where the version of the contract that the connection speaks will not be
    spoken any more. ``v``: that one; ``notices``: deprecations."""

    v: Annotated[int, Meta(ge=1)]
    notices: list[Deprecation]


class DoorCounts(Document, frozen=True):
    """Connections by door."""

    socketio: int
    websocket: int
    sse: int


class LatencyFigures(Document, frozen=True):
    """From publication to write, in milliseconds; null when nothing was written."""

    p50: float | None
    p99: float | None


class ClusterFigures(Document, frozen=True):
    """The figures of all nodes together; a user on two nodes counts twice."""

    connections: DoorCounts
    users: int
    channels: int
    publications_per_second: float
    deliveries_per_second: float
    latency_ms: LatencyFigures
    outbox_bytes: int
    slow_consumers: int
    dropped: int
    memory_bytes: int
    cpu_percent: float
    started_at: Instant | None
    draining: bool


class NodeFigures(ClusterFigures, frozen=True):
    """The figures of one node."""

    id: str


class StatsMoment(Document, frozen=True):
    """The cluster's figures at one time."""

    at: Instant
    cluster: ClusterFigures
    jobs_live: int
    journal_lag: int


class StatsFigures(StatsMoment, frozen=True):
    """The figures of now. ``history``: of the last fifteen minutes, where it was asked for."""

    nodes: list[NodeFigures]
    history: list[StatsMoment] | UnsetType = UNSET


class TailStep(Document, frozen=True):
    """A step of an event's way. ``at``: null of a write that has not happened."""

    step: Literal["STORED", "ROUTED", "WRITTEN"]
    at: Instant | None
    channel: ChannelName
    type: str
    node: str
    id: Uuid
    sid: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    door: str | UnsetType = UNSET


Door = Literal["SOCKETIO", "WEBSOCKET", "SSE"]


class ListedConnection(Document, frozen=True):
    """A connection, wherever it is."""

    sid: str
    node: str
    door: Door
    user_id: str
    address: str
    channels: list[ChannelName]
    connected_at: Instant
    outbox_bytes: int


class ConnectionPage(Document, frozen=True):
    """A page of connections. ``missing``: the nodes that did not say which they have."""

    items: list[ListedConnection]
    next_cursor: str | None
    missing: list[str] | UnsetType = UNSET


class KickedConnections(Document, frozen=True):
    """How many connections were ended, and whose. ``missing``: the nodes that did not answer, and
    do it when they are back."""

    connections: int
    users: list[str]
    missing: list[str] | UnsetType = UNSET


class BroadcastReceipt(Document, frozen=True):
    """The event's or notification's id; how many ``connections`` or ``users`` it went to.
    ``missing``: the nodes that did not answer, and whose connections get it later or not."""

    id: Uuid | None
    connections: int | UnsetType = UNSET
    users: int | UnsetType = UNSET
    missing: list[str] | UnsetType = UNSET


class AdminJob(Document, frozen=True):
    """A job as one of a list."""

    job_id: str
    job_kind: str
    project_id: str
    owner_id: str
    status: JobStatus
    progress: Annotated[Any, Meta(extra_json_schema=reference("Progress"))]
    started_at: Instant
    updated_at: Instant
    ended_at: Instant | None


class AdminJobPage(Document, frozen=True):
    """A page of jobs."""

    items: list[AdminJob]
    next_cursor: str | None


class DeadLetter(Document, frozen=True):
    """A publication that could not be processed, and why. As text where it is no JSON."""

    id: str
    partition: int
    reason: str
    publication: Any
    at: Instant


class DeadLetterPage(Document, frozen=True):
    """A page of dead letters, newest first."""

    items: list[DeadLetter]
    next_cursor: str | None


class Replayed(Document, frozen=True):
    """How many went back on their journals, and what is not there any more."""

    replayed: int
    missing: list[str]


class Dropped(Document, frozen=True):
    """How many were thrown away, and what is not there any more."""

    dropped: int
    missing: list[str]


class AuditRecord(Document, frozen=True):
    """Who did what, to whom, and what came of it: ``OK`` or a code."""

    id: Uuid
    at: Instant
    actor: str
    action: str
    target: str
    outcome: str
    details: dict[str, Any]


class AuditPage(Document, frozen=True):
    """A page of the audit log, newest first."""

    items: list[AuditRecord]
    next_cursor: str | None


class TracedNode(Document, frozen=True):
    """A node that passed the event on."""

    id: str
    routed_at: Instant | None


class TracedWrite(Document, frozen=True):
    """A connection that the event was written to."""

    sid: str
    user_id: str
    door: Door
    written_at: Instant | None


class TracedLetter(Document, frozen=True):
    """The dead letter that the event is."""

    id: str
    partition: int
    reason: str


class Trace(Document, frozen=True):
    """What is known of an event's way."""

    id: Uuid
    state: Literal["STORED", "WAITING", "DEAD"]
    channel: ChannelName | None
    type: str | None
    accepted_at: Instant | None
    stored_at: Instant | None
    nodes: list[TracedNode]
    writes: list[TracedWrite]
    seen_at: Instant | None
    read_at: Instant | None
    partition: int | UnsetType = UNSET
    dead: TracedLetter | UnsetType = UNSET


class Tailed(Document, frozen=True):
    """What is shown from now on."""

    channel: Annotated[str, Meta(description="A channel, or `sid:<sid>`.")]
