"""Requests that are no HTTP: aiohttp answers them with 400 before anything of ours sees them, and
logs each with a traceback, as if the hub had failed. So a stranger could fill the log."""

import logging
from typing import Final

from aiohttp.http_exceptions import HttpProcessingError

_SHOWN: Final = 200  # characters
_LOGGER: Final = logging.getLogger("aiohttp.server")


def say_little() -> None:
    """From now on each of them is a line at INFO."""
    if not any(isinstance(each, _Malformed) for each in _LOGGER.filters):
        _LOGGER.addFilter(_Malformed())


class _Malformed(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError) or error.code >= 500:
            return True
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg, record.args = "http.malformed: %s", (" ".join(str(error).split())[:_SHOWN],)
        record.exc_info = record.exc_text = None
        return _LOGGER.isEnabledFor(logging.INFO)
