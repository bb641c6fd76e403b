"""Why connections end: said to the client, counted, and a line in the log for each."""

import time
from typing import Any, Final

from config.logs import get_logger
from hub import metrics
from hub.domain import codes
from hub.gateways.present import Present

_log = get_logger(__name__)

CLIENT_GONE: Final = "CLIENT_GONE"
"""The client left, or its line broke: nobody said anything."""

_REASONS: Final = {
    "client disconnect": "CLIENT_LEFT",
    "server disconnect": "SERVER_LEFT",
    "ping timeout": "PING_TIMEOUT",
    "transport close": CLIENT_GONE,
    "transport error": "TRANSPORT_ERROR",
}


def note_end(connection: Present, reason: str) -> None:
    """A connection has ended. ``reason``: Engine.IO's; the hub's own code goes before it."""
    why = connection.ended_by or _REASONS.get(reason, reason)
    metrics.closed(connection.door, why)
    _log.info(
        "connection.ended",
        door=connection.door,
        sid=connection.sid,
        user_id=connection.principal.user_id,
        reason=why,
        seconds=round(time.time() - connection.began, 1),
    )


def closing_fields(
    code: codes.Code, retry_after: float | None, message: str | None = None
) -> dict[str, Any]:
    """The payload of ``closing``, at every door that has one."""
    fields: dict[str, Any] = {"code": code.name, "message": message or code.message}
    fields["reconnect"] = code.reconnect
    if retry_after is not None:
        fields["retryAfter"] = retry_after
    return fields
