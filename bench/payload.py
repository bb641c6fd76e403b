"""The one event that every contender delivers, so that all of them carry the same bytes.

It is a ``SCENARIO_COMPLETED`` envelope as the hub sends it (contract section 3). The time of
sending travels inside its title as ``sent=`` and 16 digits of monotonic microseconds: text that no
encoder on the way changes, where the load client finds it.
"""

from __future__ import annotations

import json
import time
from typing import Any

STAMP = "sent="
UNSENT = f"{STAMP}{0:016d}"  # the load client writes the time into it
JOB = "7f2b1c9e-4d55-4a0b-9a53-2f1f0f6d8c11"
EPOCH = "q7Zk"


def stamp() -> str:
    """The mark with the present time: the end of a title."""
    return f"{STAMP}{time.monotonic_ns() // 1000:016d}"


def envelope(offset: int, sent: str = UNSENT, channel: str = f"job:{JOB}") -> dict[str, Any]:
    """One event of the benchmark."""
    return {
        "v": 1,
        "id": f"0197c2f4-8a11-7c3e-9d20-{offset:012x}",
        "channel": channel,
        "epoch": EPOCH,
        "offset": offset,
        "type": "SCENARIO_COMPLETED",
        "jobId": JOB,
        "data": {
            "scenarioId": f"scenario-{offset:08d}",
            "featureId": "feature-authentication",
            "featureName": "Autenticação de Usuários",
            "title": f"Login com credenciais válidas {sent}",
            "stepsCount": 4,
        },
        "progress": {
            "completedScenarios": 5,
            "totalScenarios": 12,
            "completedFeatures": 1,
            "totalFeatures": 3,
            "percentage": 41.67,
        },
        "timestamp": "2026-01-28T10:15:30.123Z",
    }


def template() -> str:
    """The same event as JSON for programs that are not Python."""
    return json.dumps(envelope(1), ensure_ascii=False)
