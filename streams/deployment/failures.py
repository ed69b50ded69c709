"""A process that ends by an error says so in the database, if that is there: for status and alerts.

Whoever starts it again, and again, is told of a crash loop by others that run; a follower has no metrics of its own.
"""

from typing import Final

import psycopg
import structlog

from ft.config import Config
from ft.errors import FtError
from ft.sql.queries import LIVE, load

log = structlog.get_logger(__name__)

_PATIENCE_S: Final = 2
_ERROR_MAX: Final = 2_000


def note(config: Config, role: str, what: str, exc: BaseException, process: str) -> None:
    """Note that ``process``, a worker or an ingestion of ``what``, ends by ``exc``. Blocking, for four seconds at most;
    a database that does not take it is nothing to fail of."""
    values = {
        "role": role,
        "what": what,
        "kind": type(exc).__name__,
        "error": (str(exc) or repr(exc))[:_ERROR_MAX].replace("\x00", ""),
        "process": process,
    }
    try:
        with psycopg.connect(
            config.postgres_as("ft_writer"), connect_timeout=_PATIENCE_S, autocommit=True, application_name="ft failure"
        ) as conn:
            conn.execute(f"SET statement_timeout = '{_PATIENCE_S}s'".encode())
            conn.execute(load("failures", LIVE)["note"].encode(), values)
    except (psycopg.Error, FtError) as refused:
        log.debug("an end is not noted", error=str(refused))
