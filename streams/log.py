"""Logs: structlog for ft, and the same lines for the libraries that log the ordinary way. To stderr, never stdout."""

import logging
import logging.config
import sys
from typing import Any

import structlog

from ft.config import Config

_QUIET = ("aiokafka", "aiohttp.access", "faust", "mode", "httpx", "httpx2", "asyncio")


def logging_config(config: Config) -> dict[str, Any]:
    """A ``logging.config.dictConfig`` for this process: JSON lines, or readable ones on a terminal."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "ft": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _shared(),
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(config)],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "ft"}},
        "root": {"level": config.log_level.upper(), "handlers": ["stderr"]},
        "loggers": {name: {"level": "WARNING"} for name in _QUIET} if config.log_level != "debug" else {},
    }


def configure(config: Config) -> None:
    """Send structlog's and the libraries' lines where :func:`logging_config` says. Called once a process."""
    logging.config.dictConfig(logging_config(config))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _rendering(config: Config) -> list[Any]:
    console = config.log_format == "console" or (config.log_format == "auto" and sys.stderr.isatty())
    if console:
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
