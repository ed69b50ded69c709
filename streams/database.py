"""A look at the database from outside of any batch: blocking, in a connection of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from ft.config import Config


@contextmanager
def looking(config: Config) -> Iterator[psycopg.Connection[Any]]:
    """A connection in role ft_writer, each statement a transaction. Raises DatabaseUnavailable."""
    try:
        with psycopg.connect(config.postgres_as("ft_writer"), connect_timeout=5, autocommit=True) as conn:
            yield conn
    except psycopg.OperationalError as exc:
        raise config.no_connection(exc, "ft_writer") from exc
