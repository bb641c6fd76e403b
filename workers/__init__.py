"""What runs beside the hub: the library that workers publish with, the ingest worker, the demo.

``from workers import Publisher, SyncPublisher`` is the public surface (contract section 8). May
import ``hub``; nothing in ``hub`` imports this.
"""

from hub.telemetry import traceparent
from workers.errors import PublicationInvalid, PublishError, RedisUnavailable
from workers.publisher import Job, Publisher, SyncJob, SyncPublisher

__all__ = [
    "Job",
    "PublicationInvalid",
    "PublishError",
    "Publisher",
    "RedisUnavailable",
    "SyncJob",
    "SyncPublisher",
    "traceparent",
]
