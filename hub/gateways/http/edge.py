"""The outermost part of HTTP: what a peer may do to a connection before, and without, any handler.

aiohttp parses requests. What is overridden, and why:

- ``handle_error``: it answers what its parser refuses in plain text, and logs the beginning of the
  header that it refuses, which may be a token.
- ``connection_made``, ``data_received``: it waits without end for the rest of a header or a body.
- ``log_exception``: it logs a body that cannot be decoded as a failure of the hub.
- ``pause_writing``: it waits without end for a peer that does not read its answer.
- ``Expect`` and the like are refused before any middleware runs: here they become problems as well.
"""

import asyncio
from typing import Any, Final

from aiohttp import StreamReader, web
from aiohttp.http import HttpProcessingError
from aiohttp.http_exceptions import LineTooLong

from config.logs import get_logger
from hub import metrics
from hub.domain import codes
from hub.gateways.http.headers import protect, request_id
from hub.gateways.http.problems import of_status, problem

LINE_AT_MOST: Final = 8190
"""Bytes of the request line, and of each header."""

HEADERS_AT_MOST: Final = 100

KEEP_ALIVE: Final = 75.0
"""Seconds that a connection stays open between requests: longer than proxies keep theirs."""

_STALLED: Final = 60.0  # seconds that a peer has to read what was written
_log = get_logger(__name__)


class EdgeProtocol(web.RequestHandler):
    """One connection. ``patience``: seconds in which a header has to be there from its first byte
    (the first one: from the connection on), and again for the body; ``stalled``: in which a peer
    has to read."""

    __slots__ = ("_body", "_due", "_patience", "_reads", "_stalled")

    def __init__(
        self, manager: web.Server, *, patience: float, stalled: float, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self._patience = patience
        self._stalled = stalled
        self._body: StreamReader | None = None  # that is not complete yet
        self._due: asyncio.TimerHandle | None = None
        self._reads: asyncio.TimerHandle | None = None

    # -- a peer that takes its time ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From the transport."""
        super().connection_made(transport)
        self._hurry()

    def connection_lost(self, exc: BaseException | None) -> None:
        """From the transport, and when a connection is HTTP no more."""
        self._relax()
        if self._reads is not None:
            self._reads.cancel()
            self._reads = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """From the transport."""
        before = self._request_count
        super().data_received(data)
        if self._request_count > before:  # so there is a last one, whose body may be on its way
            payload = self._messages[-1][1]
            self._body = None if payload.is_eof() else payload
            self._relax()
            if self._body is not None:
                self._hurry()
        elif self._body is not None:
            if self._body.is_eof():
                self._body = None
                self._relax()
        elif self._buffer_paused:  # there are requests enough: it is not the peer that is slow
            self._relax()
        elif data and not self._upgraded:
            self._hurry()

    def pause_writing(self) -> None:
        """From the transport."""
        super().pause_writing()
        self._reads = self._loop.call_later(self._stalled, self._cut, "slow_readers")

    def resume_writing(self) -> None:
        """From the transport."""
        super().resume_writing()
        if self._reads is not None:
            self._reads.cancel()
            self._reads = None

    def _hurry(self) -> None:
        if self._due is None:
            self._due = self._loop.call_later(self._patience, self._cut, "slow_requests")

    def _relax(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _cut(self, limit: str) -> None:
        transport = self.transport
        if transport is None:
            return
        metrics.LIMITED.add(1, limit)
        _log.info("http.cut_off", limit=limit, address=_peer(self.peername))
        self.force_close()
        transport.abort()

    def log_exception(self, *args: Any, **more: Any) -> None:
        """A request failed outside of all handlers: a body that cannot be decoded is its peer's
        fault and found when the rest of it is read away, after the answer."""
        exc = more.get("exc_info")
        if isinstance(exc, HttpProcessingError | web.RequestPayloadError):
            _log.info("http.malformed", reason=type(exc).__name__, address=_peer(self.peername))
        else:
            super().log_exception(*args, **more)

    # -- what no handler gets ---------------------------------------------------------------------

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what cannot be parsed, or to a failure outside of all handlers. The
        connection ends with it. Nothing of the request is repeated: it may hold a token."""
        del status, message
        known = request_id(request)
        if isinstance(exc, HttpProcessingError):
            error = codes.HubError(codes.INVALID_REQUEST, _why(exc))
            _log.info(
                "http.malformed",
                reason=type(exc).__name__,
                address=_peer(self.peername),
                request_id=known,
            )
        else:
            error = codes.HubError(codes.INTERNAL)
            _log.error("http.failed", path=request.path, request_id=known, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        answer = problem(error, known)
        protect(answer.headers, answer.content_type)
        answer.force_close()
        return answer


def _why(exc: HttpProcessingError) -> str:
    if isinstance(exc, LineTooLong):
        return f"the request line and each header have at most {LINE_AT_MOST} bytes"
    return "this is no HTTP request"


def _peer(name: Any) -> str:
    return str(name[0]) if isinstance(name, tuple) else ""


class EdgeServer(web.Server):
    """Makes the connections."""

    def __init__(self, made: web.Server, **limits: float) -> None:
        super().__init__(
            _refusing(made.request_handler), request_factory=made.request_factory, **made._kwargs
        )
        self._limits = limits

    def __call__(self) -> EdgeProtocol:
        """A connection."""
        return EdgeProtocol(self, loop=self._loop, **self._limits, **self._kwargs)


class EdgeRunner(web.AppRunner):
    """Serves an application within these limits; ``patience`` as of ``EdgeProtocol``."""

    __slots__ = ("_limits",)

    def __init__(
        self, app: web.Application, *, patience: float, stalled: float = _STALLED, **options: Any
    ) -> None:
        options |= {
            "access_log": None,
            "max_line_size": LINE_AT_MOST,
            "max_field_size": LINE_AT_MOST,
            "max_headers": HEADERS_AT_MOST,
            "keepalive_timeout": KEEP_ALIVE,
        }
        super().__init__(app, **options)
        self._limits = {"patience": patience, "stalled": stalled}

    async def _make_server(self) -> web.Server:
        return EdgeServer(await super()._make_server(), **self._limits)


def _refusing(handler: Any) -> Any:
    async def refusing(request: web.Request) -> web.StreamResponse:
        try:
            answer: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            answer = of_status(error, request_id(request))
        return answer

    return refusing
