"""The one catalogue of codes: what each means on HTTP, on a WebSocket, and whether to come back
(contract section 7). Nothing outside this module writes a code's name as a string."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of the catalogue.

    ``http``: status of the problem answer, None where no request is answered with it. ``ws``:
    WebSocket close code, None where a connection is never closed with it. ``retry``: whether the
    same request may succeed later.
    """

    name: str
    http: int | None
    ws: int | None
    retry: bool
    message: str

    @property
    def reconnect(self) -> bool:
        """Whether a client that was sent away comes back by itself. From being idle its user
        brings it back."""
        return self.retry and self is not IDLE_TIMEOUT


UNAUTHENTICATED: Final = Code("UNAUTHENTICATED", 401, 4501, False, "a valid token is required")
TOKEN_EXPIRED: Final = Code("TOKEN_EXPIRED", 401, 4101, True, "the token has expired")
INSUFFICIENT_PERMISSIONS: Final = Code(
    "INSUFFICIENT_PERMISSIONS", 403, 4503, False, "the token does not allow this"
)
JOB_NOT_FOUND: Final = Code("JOB_NOT_FOUND", 404, 4504, False, "there is no such job")
NOT_FOUND: Final = Code("NOT_FOUND", 404, None, False, "there is nothing at this address")
METHOD_NOT_ALLOWED: Final = Code(
    "METHOD_NOT_ALLOWED", 405, None, False, "this address does not take that method"
)
TOO_MANY_CONNECTIONS: Final = Code(
    "TOO_MANY_CONNECTIONS", 429, 4102, True, "the job has all the followers it may have; poll"
)
RATE_LIMITED: Final = Code("RATE_LIMITED", 429, 4103, True, "too many requests")
INVALID_REQUEST: Final = Code("INVALID_REQUEST", 400, 4505, False, "the request is not valid")
PAYLOAD_TOO_LARGE: Final = Code("PAYLOAD_TOO_LARGE", 413, 1009, False, "the message is too large")
IDLE_TIMEOUT: Final = Code("IDLE_TIMEOUT", None, 4104, True, "nothing happened for too long")
SLOW_CONSUMER: Final = Code("SLOW_CONSUMER", None, 4105, True, "the connection reads too slowly")
KICKED: Final = Code("KICKED", 403, 4506, False, "an administrator ended the connection")
BANNED: Final = Code("BANNED", 403, 4507, False, "an administrator banned this user")
DRAINING: Final = Code("DRAINING", 503, 1012, True, "this node is stopping; another one takes over")
UNAVAILABLE: Final = Code("UNAVAILABLE", 503, 1013, True, "a store is out of reach")
UNKNOWN_COMMAND: Final = Code("UNKNOWN_COMMAND", 400, None, False, "there is no such command")
UNSUPPORTED_VERSION: Final = Code(
    "UNSUPPORTED_VERSION", 400, None, False, "this version of the contract is not spoken here"
)
CONFLICT: Final = Code("CONFLICT", 409, None, False, "it contradicts what is stored")
INTERNAL: Final = Code("INTERNAL", 500, None, False, "the hub failed; the log has the reason")

CATALOGUE: Final = {code.name: code for code in list(globals().values()) if isinstance(code, Code)}
"""Every code by its name."""


class HubError(Exception):
    """A refusal with a code of the catalogue; every transport turns it into its own answer.

    ``details``: where the request is wrong, ``[{field, message}]``. ``retry_after``: seconds.
    """

    def __init__(
        self,
        code: Code,
        message: str | None = None,
        *,
        details: list[dict[str, Any]] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message or code.message)
        self.code = code
        self.message = message or code.message
        self.details = details
        self.retry_after = retry_after

    def as_error(self) -> dict[str, Any]:
        """``{code, message, retry, retryAfter?, details?}`` of contract section 4."""
        error: dict[str, Any] = {
            "code": self.code.name,
            "message": self.message,
            "retry": self.code.retry,
        }
        if self.retry_after is not None:
            error["retryAfter"] = self.retry_after
        if self.details:
            error["details"] = self.details
        return error


def invalid(field: str, message: str) -> HubError:
    """INVALID_REQUEST about one field, named by its path (``items[3].data.title``)."""
    return HubError(
        INVALID_REQUEST, f"{field}: {message}", details=[{"field": field, "message": message}]
    )
