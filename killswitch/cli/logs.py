"""What is logged and how: never a local variable, which could be a token.

structlog's own default prints the variables of every frame of a traceback.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO, cast

import structlog

_SDKS = ("okta-sdk-python", "githubkit", "httpx", "botocore", "anthropic", "dbos", "slack_bolt")


def for_the_engine(mode: str) -> None:
    """One JSON line an event on standard output, each with the mode; SDK loggers stay quiet."""
    mark = "DRILL " if mode == "drill" else ""
    form = f"{mark}%(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.WARNING, format=form)
    for name in _SDKS:  # some print tokens at DEBUG
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            lambda _logger, _method, event: {"mode": mode, **event},
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Log())),
    )


def for_a_command() -> None:
    """Warnings on standard error, without tracebacks; the command's own errors say the rest."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        processors=[
            structlog.processors.add_log_level,
            _without_traceback,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _without_traceback(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    del logger, method
    event.pop("exc_info", None)
    return event


class _Log:
    """Standard output, where a full disk costs lines and never a case; health says why."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stdout.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
