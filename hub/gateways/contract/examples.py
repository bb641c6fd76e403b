"""What the AsyncAPI document shows of each message; a test holds every one against its schema."""

from datetime import UTC, datetime
from typing import Any, Final

from hub.domain import codes
from hub.domain.versions import Version
from hub.gateways.http import examples as http

ID: Final = "01900000-0000-7000-8000-000000000001"
CHANNEL: Final = f"job:{http.JOB}"
AT: Final = "2026-01-28T10:15:30.123Z"
NOTIFICATIONS: Final = http.NOTIFICATIONS
MARKED: Final = http.MARKED

_POSITION: Final = {"channel": CHANNEL, "epoch": "q7Zk", "offset": 17}
_PROGRESS: Final = http.SNAPSHOT["progress"]
_SUMMARY: Final = {
    "featuresGenerated": 3,
    "scenariosGenerated": 12,
    "totalSteps": 48,
    "passed": 11,
    "failed": 1,
    "duration": "PT5M30S",
}


def _event(type_: str, data: dict[str, Any], channel: str = CHANNEL, **more: Any) -> dict[str, Any]:
    own = {"jobId": http.JOB} if channel == CHANNEL else {}
    return {
        "v": 1,
        "id": ID,
        "channel": channel,
        "epoch": "q7Zk",
        "offset": 17,
        "type": type_,
        **own,
        "data": data,
        **more,
        "timestamp": AT,
    }


SUBSCRIBED: Final[dict[str, Any]] = {
    **_POSITION,
    "mode": "REPLAYED",
    "events": http.HISTORY["events"],
    "snapshot": http.SNAPSHOT,
}
EVENTS: Final[dict[str, dict[str, Any]]] = {
    "SCENARIO_COMPLETED": http.HISTORY["events"][0],
    "FEATURE_COMPLETED": _event(
        "FEATURE_COMPLETED",
        {"featureId": "f1", "name": "Faturamento", "scenariosCount": 3, "totalSteps": 12},
        progress=_PROGRESS,
    ),
    "PROGRESS_UPDATED": _event(
        "PROGRESS_UPDATED", {"percentage": 41.67, "message": "Half-way"}, progress=_PROGRESS
    ),
    "JOB_STATUS_CHANGED": _event(
        "JOB_STATUS_CHANGED", {"previousStatus": "PLANNED", "currentStatus": "GENERATING"}
    ),
    "JOB_COMPLETED": _event("JOB_COMPLETED", {"status": "COMPLETED", "summary": _SUMMARY}),
    "JOB_FAILED": _event(
        "JOB_FAILED",
        {
            "status": "FAILED",
            "errorCode": "GENERATION_TIMEOUT",
            "message": "Generation timed out",
            "failedAt": "GENERATING",
            "lastSuccessfulScenario": "abc123",
        },
    ),
    "NOTIFICATION_CREATED": _event(
        "NOTIFICATION_CREATED", http.NOTIFICATION | {"unread": http.UNREAD}, "user:u1"
    ),
    "NOTIFICATIONS_CHANGED": _event(
        "NOTIFICATIONS_CHANGED", {"ids": [ID], "state": "READ", "unread": http.UNREAD}, "user:u1"
    ),
    "BROADCAST": {
        "v": 1,
        "id": ID,
        "channel": "all",
        "type": "BROADCAST",
        "data": {"title": "Maintenance", "body": "at ten", "severity": "WARNING"},
        "timestamp": AT,
    },
    "": _event("build.moved", {"to": "stage"}, "topic:builds"),
}
"""Of each type; of "" what a service publishes on a topic."""

REFUSALS: Final = [
    {"ok": False, "error": http.refusal(code).as_error()}
    for code in (codes.JOB_NOT_FOUND, codes.INVALID_REQUEST, codes.RATE_LIMITED)
]
CONNECT: Final[dict[str, Any]] = {
    "v": 1,
    "token": "eyJhbGciOiJIUzI1NiJ9…",
    "channels": {"user:u1": {"epoch": "q7Zk", "offset": 41}},
}
CONNECTED: Final = {"sid": "lv_VI97HAXpY6yYWAAAC", "pid": "HmVtz8sb1VQ0UoS3"}
ADMIN_CONNECT: Final = {"token": CONNECT["token"]}
CONNECT_ERRORS: Final = [
    {"message": code.name, "data": http.refusal(code).as_error()}
    for code in (codes.TOKEN_EXPIRED, codes.UNSUPPORTED_VERSION, codes.RATE_LIMITED)
]
HELLO: Final = {
    "v": 1,
    "sid": CONNECTED["sid"],
    "userId": "u1",
    "serverTime": AT,
    "recovered": False,
    "unread": http.UNREAD,
    "channels": [
        {"channel": "user:u1", "epoch": "q7Zk", "offset": 41},
        {"channel": "all", "epoch": "", "offset": 0},
    ],
    "notices": [],
}
ADMIN_HELLO: Final = {
    "v": 1,
    "notices": Version(
        1, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 9, 1, 12, tzinfo=UTC)
    ).notices(),
}
RESET: Final = {**_POSITION, "snapshot": http.SNAPSHOT}
STREAM_RESET: Final = {"type": "RESET", **RESET}
TOKEN_EXPIRING: Final = {"expiresAt": AT}
CLOSING: Final = {
    "code": "DRAINING",
    "message": "this node is stopping; another one takes over",
    "reconnect": True,
    "retryAfter": 0.8,
}
END: Final = {"channel": CHANNEL}

_CLUSTER: Final[dict[str, Any]] = {
    "connections": {"socketio": 12, "websocket": 1, "sse": 2},
    "users": 9,
    "channels": 14,
    "publicationsPerSecond": 3.5,
    "deliveriesPerSecond": 21.0,
    "latencyMs": {"p50": 2.1, "p99": 8.4},
    "outboxBytes": 0,
    "slowConsumers": 0,
    "dropped": 0,
    "memoryBytes": 81_788_928,
    "cpuPercent": 3.1,
    "startedAt": AT,
    "draining": False,
}
MOMENT: Final = {"at": AT, "cluster": _CLUSTER, "jobsLive": 3, "journalLag": 0}
STATS: Final[dict[str, Any]] = {**MOMENT, "nodes": [{"id": "web-1", **_CLUSTER}]}
TAIL: Final = {
    "id": ID,
    "step": "ROUTED",
    "at": AT,
    "channel": "user:u1",
    "type": "NOTIFICATION_CREATED",
    "node": "web-1",
}
CONNECTIONS: Final = {
    "items": [
        {
            "sid": CONNECTED["sid"],
            "node": "web-1",
            "door": "SOCKETIO",
            "userId": "u1",
            "address": "192.0.2.7",
            "channels": ["user:u1", "all"],
            "connectedAt": AT,
            "outboxBytes": 0,
        }
    ],
    "nextCursor": None,
}
ADMIN_JOBS: Final[dict[str, Any]] = {
    "items": [
        {
            "jobId": http.JOB,
            "jobKind": "GENERATION_JOB",
            "projectId": "p1",
            "ownerId": "u1",
            "status": "GENERATING",
            "progress": _PROGRESS,
            "startedAt": AT,
            "updatedAt": AT,
            "endedAt": None,
        }
    ],
    "nextCursor": None,
}
TRACE: Final[dict[str, Any]] = {
    "id": ID,
    "state": "STORED",
    "channel": "user:u1",
    "type": "NOTIFICATION_CREATED",
    "acceptedAt": AT,
    "storedAt": AT,
    "nodes": [{"id": "web-1", "routedAt": AT}],
    "writes": [
        {"sid": CONNECTED["sid"], "userId": "u1", "door": "SOCKETIO", "writtenAt": AT},
    ],
    "seenAt": None,
    "readAt": None,
}
DEAD: Final[dict[str, Any]] = {
    "items": [
        {
            "id": "05:1769595330123-0",
            "partition": 5,
            "reason": "INVALID_REQUEST: to.users: Expected `array` of length >= 1",
            "publication": {"kind": "NOTIFICATION", "to": {"users": []}},
            "at": AT,
        }
    ],
    "nextCursor": None,
}
AUDIT: Final = {
    "items": [
        {
            "id": ID,
            "at": AT,
            "actor": "root",
            "action": "kick",
            "target": "user:u1",
            "outcome": "OK",
            "details": {"message": "maintenance"},
        }
    ],
    "nextCursor": None,
}
PUBLICATION: Final = {
    "id": ID,
    "kind": "JOB",
    "jobId": http.JOB,
    "type": "JOB_STATUS_CHANGED",
    "data": {"currentStatus": "GENERATING"},
}
BURIED: Final = {
    "p": '{"kind":"NOTIFICATION","to":{"users":[]}}',
    "reason": DEAD["items"][0]["reason"],
    "entry": "1769595330123-0",
}
EMISSION: Final = {
    "method": "emit",
    "event": "build-moved",
    "data": [{"to": "stage"}],
    "namespace": "/",
    "room": CHANNEL,
    "skip_sid": None,
    "callback": None,
    "binary": False,
    "host_id": "f3c0",
}
