"""Who takes part in a chaos run, by name."""

from __future__ import annotations

from typing import Final

NODES: Final = ("node 1", "node 2")
INGESTS: Final = ("ingest 1", "ingest 2")
REDIS: Final = "redis"
MONGO: Final = "mongo"
PROXY: Final = "haproxy"
CLIENTS: Final = "clients"

JOBS: Final = tuple(f"chaos-{number}" for number in range(1, 7))
TOPICS: Final = tuple(f"t{number}" for number in range(1, 5))
PROJECT: Final = "p1"
ALL: Final = "all"


def user(number: int) -> str:
    """The user of a client."""
    return f"u{number}"
