"""Whole databases, for those who make one of their own and throw it away."""

import time

import psycopg
from psycopg import sql

_LOOK_AGAIN_S = 0.2


def drop_database(admin: str, name: str, *, patience_s: float = 30.0) -> None:
    """Drop it if it exists, and end whoever is connected. ``admin``: URL of another database of the same server.

    Autovacuum may not be sent away by everybody: it is waited for. Raises psycopg.errors.InsufficientPrivilege if it
    is there after ``patience_s`` still.
    """
    deadline = time.monotonic() + patience_s
    with psycopg.connect(admin, autocommit=True) as conn:
        while True:
            try:
                conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
                return
            except psycopg.errors.InsufficientPrivilege:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_AGAIN_S)
