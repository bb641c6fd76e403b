"""Logging: structlog to stderr, the standard library's loggers by the same way.

stdout stays free for what a program prints on purpose (``ready http://…``, a token).

Each line says which process it is of (``say_always``), and which connection, if it is of one
(``about``). What no log may show is taken out in one place, last (``config.redaction``).
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, Final, Literal, Protocol
from weakref import ref

import structlog

from config.redaction import redact_event


class Subject(Protocol):
    """What lines may be about: a connection."""

    def log_fields(self) -> Mapping[str, Any]:
        """What names it: ``sid``, ``user_id``, as far as they are known."""


# Weak: contexts live on in whatever is opened meanwhile, and must not keep a connection.
_subject: Final[ContextVar[ref[Subject] | None]] = ContextVar("subject", default=None)
_always: Final[dict[str, Any]] = {}


def say_always(**fields: Any) -> None:
    """Every line of this process has these fields from now on."""
    _always.update(fields)


def speak_of(subject: Subject) -> None:
    """Lines of this task, and of those that it begins, are about ``subject`` from now on."""
    _subject.set(ref(subject))


@contextlib.contextmanager
def about(subject: Subject) -> Iterator[None]:
    """Lines that are written within are about ``subject``, for tasks that go on to others."""
    before = _subject.set(ref(subject))
    try:
        yield
    finally:
        _subject.reset(before)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for the module ``name``; its calls take an event and keyword fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def setup_logging(level: str = "INFO", fmt: Literal["json", "console"] = "json") -> None:
    """Send every log record of this process to stderr, once; calling it again replaces the setup.

    ``fmt`` is ``json`` (a line per record) or ``console`` (for people). ``level`` is the least
    severity that is written; raises ``ValueError`` for an unknown one.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _name_subject,
    ]
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_render(fmt)],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _render(fmt: str) -> list[structlog.types.Processor]:
    if fmt == "console":
        plain = structlog.dev.plain_traceback
        return [
            structlog.processors.ExceptionRenderer(),
            redact_event,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain),
        ]
    frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(frames),
        redact_event,
        structlog.processors.JSONRenderer(),
    ]


def _name_subject(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Adds what every line has, and what the subject is known by; what a line says of itself goes
    before that."""
    del logger, method
    known = _subject.get()
    subject = None if known is None else known()
    for fields in (_always, {} if subject is None else subject.log_fields()):
        for name, value in fields.items():
            event.setdefault(name, value)
    return event


class _Handler(logging.Handler):
    """To stderr, whatever that is at the moment. The standard library's handler writes the
    arguments of a record that it fails to format, secrets and all; this one where it is from."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a line that cannot be written stops nobody
            line = f"a log record could not be written: {record.name}"
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
