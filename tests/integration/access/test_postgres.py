"""Postgres over TLS: who it is is checked, and each role has its own login."""

from urllib.parse import urlsplit

import psycopg
import pytest

from ft.config import Config
from ft.errors import DatabaseUnavailable
from ft.sql.migrate import migrate
from tests.certificates import Authority
from tests.integration.access.conftest import at
from tests.integration.access.database import StrictPostgres


def test_every_role_logs_in_over_tls(config: Config, postgres: StrictPostgres, authority: Authority) -> None:
    query = f"?sslmode=verify-full&sslrootcert={authority.file}"
    strict = at(config, FT_POSTGRES=postgres.address + query, **postgres.logins())

    migrate(strict.postgres, strict)

    for role in ("ft_writer", "ft_api"):
        with psycopg.connect(strict.postgres_as(role)) as conn:
            assert conn.execute(
                "SELECT session_user, current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            ).fetchone() == (role, role, True)


def test_who_it_is_is_checked(
    config: Config, postgres: StrictPostgres, authority: Authority, stranger: Authority
) -> None:
    elsewhere = urlsplit(postgres.address)._replace(
        netloc=urlsplit(postgres.address).netloc.replace("127.0.0.1", "localhost")
    )
    for url, told in (
        (f"{postgres.address}?sslmode=verify-full&sslrootcert={stranger.file}", "certificate verify failed"),
        (f"{elsewhere.geturl()}?sslmode=verify-full&sslrootcert={authority.file}", "does not match host name"),
        (f"{postgres.address}?sslmode=disable", "no encryption"),
    ):
        with pytest.raises(DatabaseUnavailable, match=told):
            migrate(url, config)
