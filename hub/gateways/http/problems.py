"""Turning refusals into ``application/problem+json``: the only place where an HTTP handler's
exception becomes an answer."""

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import structlog
from aiohttp import hdrs, web

from config.logs import get_logger
from hub import metrics
from hub.domain import codes
from hub.gateways.http.headers import REQUEST_ID, X_REQUEST_ID, request_id

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_log = get_logger(__name__)

COME_BACK_LATER: Final = (429, 503)
"""Statuses of refusals that say after how many seconds: ``Retry-After``."""

UNAUTHORIZED: Final = 401
"""Status of refusals that say what is wanted: ``WWW-Authenticate``."""

_RETRY_AFTER: Final = 2  # seconds, where nobody knows better
_BY_STATUS: Final = {
    404: codes.NOT_FOUND,
    405: codes.METHOD_NOT_ALLOWED,
    413: codes.PAYLOAD_TOO_LARGE,
}


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers with a problem where the handler raised; every problem has a ``requestId``, which is
    on the lines that the request logs, too."""
    own = request[REQUEST_ID] = request_id(request)
    if not _opens_a_connection(request):
        structlog.contextvars.bind_contextvars(request_id=own)  # a request has a context of its own
    try:
        return await handler(request)
    except codes.HubError as error:
        return problem(error, own)
    except web.HTTPException as error:
        return of_status(error, own)
    except web.RequestPayloadError:
        return problem(codes.HubError(codes.INVALID_REQUEST, "the body breaks off"), own)
    except Exception:  # noqa: BLE001
        if request.transport is None:  # the client is gone, and nobody hears the answer
            return web.Response(status=400)
        _log.exception("http.failed", path=request.path, request_id=own)
        return problem(codes.HubError(codes.INTERNAL), own)


def _opens_a_connection(request: web.Request) -> bool:
    """Whether what this request starts outlives it: timers that it shares with other connections
    would log its id for theirs."""
    headers = request.headers
    live = hdrs.UPGRADE in headers or "text/event-stream" in headers.get(hdrs.ACCEPT, "")
    return live or request.path.startswith("/socket.io/")


def of_status(error: web.HTTPException, request_id: str) -> web.StreamResponse:
    """The problem of what aiohttp refuses; what is no refusal stays what it is."""
    if error.status < 400:
        raise error
    code = _BY_STATUS.get(error.status)
    if code is None:
        code = codes.INVALID_REQUEST if error.status < 500 else codes.INTERNAL
    answer = problem(codes.HubError(code), request_id)
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer


def document(error: codes.HubError, request_id: str) -> dict[str, Any]:
    """The problem document of ``error`` (RFC 9457, with ``errorCode`` and ``requestId``)."""
    fields = error.as_error()
    return {
        "type": "about:blank",
        "title": error.code.message,
        "status": _status(error.code),
        "detail": error.message,
        "errorCode": fields.pop("code"),
        "requestId": request_id,
        **{key: fields[key] for key in ("retry", "retryAfter", "details") if key in fields},
    }


def _status(code: codes.Code) -> int:
    return 500 if code.http is None else code.http


def problem(error: codes.HubError, request_id: str) -> web.Response:
    """The answer with the problem document of ``error``."""
    metrics.REFUSALS.add(1, error.code.name)
    status = _status(error.code)
    headers = {X_REQUEST_ID: request_id}
    if status in COME_BACK_LATER:
        headers["Retry-After"] = str(math.ceil(error.retry_after or _RETRY_AFTER))
    if status == UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        body=msgspec.json.encode(document(error, request_id)),
        status=status,
        content_type="application/problem+json",
        headers=headers,
    )
