"""One process: granian around the application, on uvloop."""

import asyncio
import signal
import socket
from typing import Final

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from ft.api.main import application
from ft.config import Config
from ft.errors import INTERRUPTED, ServerError

_BACKLOG: Final = 1024
_log = structlog.get_logger("ft.api")


def serve(config: Config, host: str, port: int) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code. Raises ConfigError (no database named), ServerError (port
    taken)."""
    app = application(config)
    _refuse_taken(host, port)
    return uvloop.run(_serve(app, host, port))


async def _serve(app: object, host: str, port: int) -> int:
    server = Server(
        app, address=host, port=port, interface=Interfaces.ASGI, backlog=_BACKLOG, websockets=False, log_enabled=False
    )
    loop = asyncio.get_running_loop()
    came: set[signal.Signals] = set()

    def stop(number: signal.Signals) -> None:
        if not came:
            _log.info("stopping", signal=number.name)
        came.add(number)
        server.stop()  # type: ignore[no-untyped-call]

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    _log.info("serving", address=f"http://{host}:{port}", documentation=f"http://{host}:{port}/schema")
    await server.serve()
    return INTERRUPTED if signal.SIGINT in came else 0


def _refuse_taken(host: str, port: int) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        raise ServerError(f"cannot listen on {host}:{port} ({exc}): expected a free port. Name another.") from exc
