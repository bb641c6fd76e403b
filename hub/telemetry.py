"""OpenTelemetry, where it is installed (``requirements-otel.txt``): the way of a publication as
spans of one trace, from the worker to the write.

The W3C ``traceparent`` of whoever publishes travels beside the publication, never in it: as field
``t`` of the journal's entry and in the head of the live message. It is passed on whether or not a
process records; a process that does (``HUB_OTEL``) puts a span of its own between. Without any
``traceparent`` nothing here costs more than a comparison.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

try:
    from opentelemetry import trace as _api
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:  # it is an extra
    _api = None

NAME: Final = "traceparent"
NEEDED: Final = "needs the packages of requirements-otel.txt"

_FORM: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_FLUSHED_WITHIN: Final = 2.0  # seconds that the end of a process may wait for it
_given: ContextVar[str] = ContextVar(NAME, default="")
_provider: Any = None  # of this process, if it records


def is_traceparent(text: str) -> bool:
    """Whether ``text`` has the form of the W3C's."""
    return _FORM.fullmatch(text) is not None


def recording() -> bool:
    """Whether this process makes spans of what it is given."""
    return _provider is not None


@contextmanager
def traceparent(value: str) -> Iterator[None]:
    """What is published inside belongs to this trace: for workers without OpenTelemetry that were
    given a ``traceparent``. Raises ``ValueError`` when it is none."""
    if not is_traceparent(value):
        raise ValueError("is no traceparent such as 00-<32 hex digits>-<16 hex digits>-01")
    token = _given.set(value)
    try:
        yield
    finally:
        _given.reset(token)


@contextmanager
def publishing(attributes: Mapping[str, str | int]) -> Iterator[str]:
    """The worker's span around a publish; gives the ``traceparent`` to send along, empty when there
    is none: of the span or, where nobody records, of the one that is current."""
    given = _given.get()
    if _api is None:
        yield given
        return
    provider = _provider or _api.get_tracer_provider()
    tracer = provider.get_tracer("hub")
    context = _context(given) if given else None
    with tracer.start_as_current_span(
        "hub.publish", context, _api.SpanKind.PRODUCER, attributes
    ) as span:
        yield _traceparent(span) or given


class Spans:
    """Spans with the same begin and end, one for each ``traceparent`` that they continue, by what
    it is of, which is their attribute ``of``. ``parents`` has the ``traceparent`` by which the next
    process continues each."""

    def __init__(
        self,
        name: str,
        given: Mapping[Any, str],
        of: str,
        attributes: Mapping[str, str | int],
    ) -> None:
        self.parents: dict[Any, str] = dict(given)
        self._spans: list[Any] = []
        if _provider is None or _api is None:
            return
        tracer = _provider.get_tracer("hub")
        for key, parent in given.items():
            span = tracer.start_span(
                name, _context(parent), _api.SpanKind.CONSUMER, {**attributes, of: key}
            )
            self._spans.append(span)
            self.parents[key] = _traceparent(span) or parent

    def end(self, failure: BaseException | None = None) -> None:
        """It is done, or failed."""
        for span in self._spans:
            if failure is not None:
                span.record_exception(failure)
                span.set_status(_api.StatusCode.ERROR)
            span.end()


def _context(parent: str) -> Any:
    return TraceContextTextMapPropagator().extract({NAME: parent})


def _traceparent(span: Any) -> str:
    """Empty for a span that is none, as where no SDK is set up."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, _api.set_span_in_context(span))
    return carrier.get(NAME, "")


def use(provider: Any) -> None:
    """Has this process record by a ``TracerProvider``; None: not any more."""
    global _provider
    _provider = provider


@contextmanager
def started(service: str, *, wanted: bool) -> Iterator[None]:
    """Has this process record, if it is wanted, and export by OTLP over HTTP as the ``OTEL_*``
    variables say. The end takes two seconds at most."""
    stop = _start(service) if wanted else None
    try:
        yield
    finally:
        if stop is not None:
            stop()


def _start(service: str) -> Callable[[], None]:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        from config.settings import Problem, SettingsError

        raise SettingsError([Problem("HUB_OTEL", NEEDED)]) from error
    resource = Resource.create({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use(provider)

    def stop() -> None:
        use(None)
        flushing = threading.Thread(target=provider.shutdown, daemon=True)
        flushing.start()
        flushing.join(_FLUSHED_WITHIN)

    return stop
