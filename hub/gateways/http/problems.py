"""Turning refusals into ``application/problem+json``: the only place where an HTTP handler's
exception becomes an answer."""

import math
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from config.logs import get_logger
from hub import metrics
from hub.domain import codes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REQUEST_ID: Final = web.AppKey("request_id", str)
_log = get_logger(__name__)

_RETRY_AFTER: Final = 2  # seconds, where nobody knows better
_BY_STATUS: Final = {
    404: codes.NOT_FOUND,
    405: codes.METHOD_NOT_ALLOWED,
    413: codes.PAYLOAD_TOO_LARGE,
}


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers with a problem where the handler raised; every problem has a ``requestId``."""
    request_id = uuid.uuid4().hex
    try:
        return await handler(request)
    except codes.HubError as error:
        return problem(error, request_id)
    except web.HTTPException as error:
        code = _BY_STATUS.get(error.status)
        if code is None:
            raise
        answer = problem(codes.HubError(code), request_id)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except Exception:  # noqa: BLE001
        _log.exception("http.failed", path=request.path, request_id=request_id)
        return problem(codes.HubError(codes.INTERNAL), request_id)


def problem(error: codes.HubError, request_id: str) -> web.Response:
    """The problem document of ``error`` (RFC 9457, with ``errorCode`` and ``requestId``)."""
    metrics.REFUSALS.add(1, error.code.name)
    fields = error.as_error()
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": error.code.message,
        "status": error.code.http,
        "detail": error.message,
        "errorCode": fields.pop("code"),
        "requestId": request_id,
        **{key: fields[key] for key in ("retry", "retryAfter", "details") if key in fields},
    }
    headers = {"X-Request-Id": request_id}
    if error.code.http in (429, 503):
        headers["Retry-After"] = str(math.ceil(error.retry_after or _RETRY_AFTER))
    if error.code.http == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        body=msgspec.json.encode(document),
        status=error.code.http,
        content_type="application/problem+json",
        headers=headers,
    )
