"""Deployments beside each other on the same servers, each with a database, topics and a home of its own.

What one leaves is deleted after it: servers that all tests share would have tens of thousands of partitions else.
"""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from ft.config import Config
from ft.sql.databases import drop_database
from ft.sql.migrate import grant_database
from ft.streams.kafka.admin import Admin

CHECKOUT: Final = Path(__file__).resolve().parent.parent
_DELETED_AT_ONCE: Final = 12
"""Deployments whose topics are deleted with one request."""


def download_cache() -> Path:
    """Where server archives are kept between runs."""
    return Path(os.environ.get("FT_CACHE") or CHECKOUT / ".ft" / "cache")


@contextmanager
def deployment(
    servers: Mapping[str, str], home: Path, *, template: str | None = None, **settings: Any
) -> Iterator[Config]:
    """With a fresh database, empty or a copy of ``template``; ``settings`` are more of the configuration's."""
    with fresh_database(servers["FT_POSTGRES"], template) as url:
        config = Config(
            home=home,
            cache=download_cache(),
            addresses={**servers, "FT_POSTGRES": url},
            topic_prefix=f"t{secrets.token_hex(4)}.",
            **settings,
        )
        try:
            yield config
        finally:
            _topics_of.setdefault(config.addresses["FT_KAFKA"], _Left(Admin(config))).add(config.topic_prefix)


@contextmanager
def with_fresh_database(config: Config, template: str | None = None) -> Iterator[Config]:
    """The same settings with another database, empty or a copy of ``template``."""
    with fresh_database(config.postgres, template) as url:
        yield replace(config, addresses={**config.addresses, "FT_POSTGRES": url})


@contextmanager
def fresh_database(beside: str, template: str | None = None) -> Iterator[str]:
    """The URL of a database on the server of the one ``beside``; ``template``: the name of one that nobody uses."""
    name, admin = f"ft_test_{secrets.token_hex(6)}", _at(beside, "postgres")
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template1")
    )
    if template is not None:
        statement += sql.SQL(" STRATEGY file_copy")
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(statement)
        if template is not None:
            grant_database(conn, name)  # a copy has no rights of its own
    try:
        yield _at(beside, name)
    finally:
        drop_database(admin, name)


def name_of(database: str) -> str:
    """The name of the database at a URL."""
    return urlsplit(database).path[1:]


def _at(beside: str, name: str) -> str:
    return urlsplit(beside)._replace(path=f"/{name}").geturl()


@dataclass
class _Left:
    """Prefixes of a broker's topics that nobody needs any more."""

    admin: Admin
    prefixes: list[str] = field(default_factory=list)
    deleting: list[Any] = field(default_factory=list)

    def add(self, prefix: str) -> None:
        """Nobody waits for the deletion."""
        self.prefixes.append(prefix)
        if len(self.prefixes) < _DELETED_AT_ONCE:
            return
        names = [name for name in self.admin.list_topics(timeout=10).topics if name.startswith(tuple(self.prefixes))]
        self.prefixes.clear()
        self.deleting = [*self.admin.delete_topics(names).values()] if names else []


_topics_of: dict[str, _Left] = {}
"""By the broker's address."""
