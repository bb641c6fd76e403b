"""What the documents show of each answer; a test holds every one against its shape."""

from collections.abc import Mapping
from typing import Any, Final

from hub.domain import codes
from hub.domain.versions import SPOKEN

_ID: Final = "01900000-0000-7000-8000-000000000001"
JOB: Final = "550e8400-e29b-41d4-a716-446655440000"
_PROGRESS: Final = {
    "completedScenarios": 5,
    "totalScenarios": 12,
    "completedFeatures": 1,
    "totalFeatures": 3,
    "percentage": 41.67,
}
_SCENARIO: Final = {
    "scenarioId": "abc123",
    "featureId": "f1",
    "featureName": "Autenticação de Usuários",
    "title": "Login com credenciais válidas",
    "stepsCount": 4,
}
SNAPSHOT: Final[dict[str, Any]] = {
    "jobId": JOB,
    "jobKind": "GENERATION_JOB",
    "projectId": "p1",
    "status": "GENERATING",
    "progress": _PROGRESS,
    "currentActivity": {
        "type": "GENERATING_SCENARIO",
        "featureName": "Gestão de Clientes",
        "scenarioTitle": "Criar cliente com dados válidos",
    },
    "recentEvents": [
        {
            "type": "SCENARIO_COMPLETED",
            "scenarioId": "abc123",
            "title": "Login com credenciais válidas",
            "timestamp": "2026-01-28T10:15:30.000Z",
        }
    ],
    "estimatedTimeRemaining": "PT7M",
    "startedAt": "2026-01-28T10:10:00.000Z",
    "updatedAt": "2026-01-28T10:15:30.000Z",
    "epoch": "q7Zk",
    "offset": 17,
}
JOBS: Final[dict[str, Any]] = {
    "items": [
        {
            "jobId": JOB,
            "jobKind": "GENERATION_JOB",
            "projectId": "p1",
            "ownerId": "u1",
            "status": "GENERATING",
            "progress": _PROGRESS,
            "startedAt": "2026-01-28T10:10:00.000Z",
            "updatedAt": "2026-01-28T10:15:30.000Z",
            "epoch": "q7Zk",
            "offset": 17,
        }
    ],
    "nextCursor": None,
}
HISTORY: Final[dict[str, Any]] = {
    "jobId": JOB,
    "events": [
        {
            "v": 1,
            "id": _ID,
            "channel": f"job:{JOB}",
            "epoch": "q7Zk",
            "offset": 17,
            "type": "SCENARIO_COMPLETED",
            "jobId": JOB,
            "data": _SCENARIO,
            "progress": _PROGRESS,
            "timestamp": "2026-01-28T10:15:30.000Z",
        }
    ],
    "hasMore": False,
    "nextCursor": None,
}

UNREAD: Final = {"count": 3, "version": 41}

NOTIFICATION: Final[dict[str, Any]] = {
    "id": _ID,
    "type": "job.completed",
    "title": "Job completed",
    "body": "11 passed, 1 failed in PT5M30S",
    "severity": "WARNING",
    "jobId": JOB,
    "createdAt": "2026-01-28T10:15:30.123Z",
    "seenAt": None,
    "readAt": None,
    "dismissedAt": None,
    "scope": "USER",
}

NOTIFICATIONS: Final = {"items": [NOTIFICATION], "nextCursor": None, "unread": UNREAD}

MARKED: Final = {"changed": 2, "unread": UNREAD}

PREFERENCES: Final[dict[str, list[str]]] = {"mutedTypes": ["team.updated"], "mutedTopics": []}

PUBLICATION: Final = {
    "id": _ID,
    "kind": "NOTIFICATION",
    "to": {"users": ["u1"]},
    "type": "team.updated",
    "title": "Equipe atualizada",
    "body": "Um agente novo entrou.",
}

RECEIPT: Final = {"accepted": 1, "duplicates": 0, "ids": [_ID]}

TICKET: Final = {
    "ticket": "b2QkGd3rj0m1Yw9iJmB7b1b1o3Jv0c2Q",
    "expiresAt": "2026-01-28T10:15:30.123Z",
}

REFUSALS: Final[Mapping[codes.Code, codes.HubError]] = {
    codes.INVALID_REQUEST: codes.invalid("limit", "Expected `int` <= 100"),
    codes.UNSUPPORTED_VERSION: codes.HubError(
        codes.UNSUPPORTED_VERSION,
        details=[{"field": "v", "message": "spoken here: 1", "supported": SPOKEN.numbers}],
    ),
    codes.RATE_LIMITED: codes.HubError(codes.RATE_LIMITED, retry_after=0.8),
    codes.TOO_MANY_CONNECTIONS: codes.HubError(codes.TOO_MANY_CONNECTIONS, retry_after=5),
    codes.BANNED: codes.HubError(codes.BANNED, retry_after=60),
    codes.UNAVAILABLE: codes.HubError(codes.UNAVAILABLE, retry_after=2),
    codes.DRAINING: codes.HubError(codes.DRAINING, retry_after=1),
}
"""Of each code that comes with more than its name."""


def refusal(code: codes.Code) -> codes.HubError:
    """The example of a code."""
    return REFUSALS.get(code, codes.HubError(code))
