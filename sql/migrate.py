"""The migrator: roles, numbered SQL files, and reference data from configuration."""

import hashlib
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from ft.access.postgres_logins import PREFIXES, Login, is_refused, login_of
from ft.config import Config
from ft.contracts import NONE
from ft.errors import ConfigError, DatabaseError, DatabaseUnavailable
from ft.networks import Network, load_networks
from ft.schemas.standards import FAMILY, HOLDING, TITLES
from ft.sql.queries import LIVE, load
from ft.sql.scripts import scripts

ROLES: Final = ("ft_migrate", "ft_writer", "ft_api")
_HOLDERS: Final = "0011_holders.sql"
_BEFORE_HOLDERS: Final = "0010_bulk.sql"
_LOGIN_S: Final = 5
_LOCK: Final = 0x66740001  # any number that no other advisory lock of this database uses


class StillRunning(ConfigError):
    """Processes are at work that have to be stopped before the database can be migrated."""


def migrate(url: str, config: Config) -> list[str]:
    """Bring the database to this version; returns the names of the migrations that were applied now.

    Safe to run twice and by two at once. The login must be able to create roles, or find ft_migrate,
    ft_writer and ft_api made and granted to it. ``config.partitions`` counts at the first time only. Raises
    DatabaseError for a migration that was edited after it was applied, DatabaseUnavailable if Postgres
    cannot be reached, StillRunning where processes of an earlier version would write into tables that they do not know.
    """
    networks = load_networks(config.networks_file)
    try:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            ensure_roles(conn, config)
            _ensure_ledger_of_migrations(conn)
            applied = _apply(conn)
            with conn.transaction():
                conn.execute("SET LOCAL ROLE ft_migrate")
                _choose_partitions(conn, config.partitions)
                _fill_reference(conn, networks.values())
            return applied
    except psycopg.OperationalError as exc:
        raise DatabaseUnavailable(
            f"Postgres: expected a connection to {_where(url)}, got: {str(exc).strip()}. {config.postgres_remedy(exc)}"
        ) from exc
    except psycopg.Error as exc:
        raise DatabaseError(f"migration of {_where(url)} failed: {exc}") from exc


def require_stopped(
    conn: psycopg.Connection[Any], meanwhile: str = "the journal is migrated", then: str = "`ft migrate`"
) -> None:
    """Raises StillRunning where a worker or an ingestion was seen lately. ``meanwhile``: what nobody may disturb;
    ``then``: the command."""
    if found := at_work(conn):
        raise StillRunning(
            f"expected no worker and no `ft ingest` while {meanwhile}, got {', '.join(found)}. Stop workers and "
            f"ingestion, then {then} again. One that was killed is forgotten a minute later."
        )


def at_work(conn: psycopg.Connection[Any]) -> list[str]:
    """Workers and ingestions that were seen lately, by name."""
    return [row[0] for row in conn.execute(load("anew", LIVE)["live"]).fetchall()]


def stored_partitions(conn: psycopg.Connection[Any]) -> int:
    """Partitions of the normalized and ledger topics, chosen at the first migration."""
    try:
        row = conn.execute("SELECT value FROM system.settings WHERE name = 'partitions'").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as exc:
        raise ConfigError("the database is not migrated: system.settings is missing. Run `ft migrate`.") from exc
    if row is None:
        raise ConfigError("system.settings has no number of partitions. Run `ft migrate`.")
    return int(row[0])


def ensure_network(url: str, network: Network) -> None:
    """Write one network into ref.networks, as :func:`migrate` does for all. Raises DatabaseUnavailable."""
    try:
        with psycopg.connect(url) as conn:
            _fill_network(conn, network)
    except psycopg.OperationalError as exc:
        raise DatabaseUnavailable(f"Postgres: expected a connection to {_where(url)}, got: {exc}") from exc
    except psycopg.errors.UndefinedTable as exc:
        raise ConfigError("the database is not migrated: ref.networks is missing. Run `ft migrate`.") from exc


def ensure_roles(conn: psycopg.Connection[Any], config: Config) -> None:
    """Roles, and logins of their own for those for which the configuration has one, with the password that it says.

    Raises ConfigError where a login has another one, and who migrates may not change it.
    """
    for role in ROLES:
        name, login = sql.Identifier(role), login_of(config.addresses, role)
        if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
            # Roles belong to the cluster: another database's migration may be quicker.
            with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
                conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
        if login is not None and login.username == role:
            ensure_login(conn, login)
        member = conn.execute("SELECT pg_has_role(current_user, %s, 'SET')", (role,)).fetchone()
        if member is None or not member[0]:
            conn.execute(sql.SQL("GRANT {} TO CURRENT_USER WITH SET TRUE, INHERIT TRUE").format(name))
    database = conn.execute("SELECT current_database()").fetchone()
    assert database is not None
    grant_database(conn, database[0])


def ensure_login(conn: psycopg.Connection[Any], login: Login) -> None:
    """Let the role log in, with its password. Raises ConfigError."""
    may = conn.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", (login.username,)).fetchone()
    if may is not None and may[0] and not _is_refused(conn, login):
        return
    statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
    try:
        conn.execute(statement.format(sql.Identifier(login.username), sql.Literal(login.password)))
    except psycopg.errors.InsufficientPrivilege as exc:
        prefix = PREFIXES[login.username]
        raise ConfigError(
            f"{prefix}_PASSWORD: expected the password of {login.username}, got another one than the server has, and "
            "the login of FT_POSTGRES may not change that. Set the one that it has, or have it changed there."
        ) from exc


def _is_refused(conn: psycopg.Connection[Any], login: Login) -> bool:
    """Whether the server of ``conn`` says that the password is another; what else it may say is no matter of this."""
    place = {name: value for name, value in conn.info.get_parameters().items() if name != "options"}
    own: dict[str, str | int] = {"user": login.username, "password": login.password, "connect_timeout": _LOGIN_S}
    try:
        psycopg.connect(make_conninfo("", **{**place, **own})).close()
    except psycopg.OperationalError as exc:
        return is_refused(exc)
    return False


def grant_database(conn: psycopg.Connection[Any], database: str) -> None:
    """Which role may do what with a database as a whole: a copy of it begins without these."""
    for right in (
        "GRANT CONNECT, CREATE ON DATABASE {} TO ft_migrate",
        "GRANT CONNECT, TEMPORARY ON DATABASE {} TO ft_writer",
        "GRANT CONNECT ON DATABASE {} TO ft_api",
        "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC",  # ft_api stores nothing, not even for a session
    ):
        conn.execute(sql.SQL(right).format(sql.Identifier(database)))


def _ensure_ledger_of_migrations(conn: psycopg.Connection[Any]) -> None:
    with conn.transaction():
        conn.execute("SET LOCAL ROLE ft_migrate")
        conn.execute("CREATE SCHEMA IF NOT EXISTS system")
        conn.execute(
            "CREATE TABLE IF NOT EXISTS system.migrations (name text PRIMARY KEY, sha256 text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        conn.execute("COMMENT ON TABLE system.migrations IS 'Which migrations have run, with the digest of each.'")


def _apply(conn: psycopg.Connection[Any]) -> list[str]:
    known = dict(conn.execute("SELECT name, sha256 FROM system.migrations").fetchall())
    if (
        _BEFORE_HOLDERS in known
        and _HOLDERS not in known
        and conn.execute(load("anew", LIVE)["has_journal"]).fetchone() == (True,)
    ):
        require_stopped(conn)
    applied = []
    for name, text in scripts():
        digest = hashlib.sha256(text.encode()).hexdigest()
        if name in known:
            if known[name] != digest:
                raise DatabaseError(
                    f"migration {name} was applied as {known[name][:12]}, the file is {digest[:12]}: "
                    "a migration is never edited once applied. Restore the file, or start from an empty database."
                )
            continue
        with conn.transaction():
            conn.execute("SET LOCAL ROLE ft_migrate")
            conn.execute(text.encode())
            conn.execute("INSERT INTO system.migrations (name, sha256) VALUES (%s, %s)", (name, digest))
        applied.append(name)
    return applied


def _choose_partitions(conn: psycopg.Connection[Any], wanted: int) -> None:
    conn.execute(
        "INSERT INTO system.settings (name, value) VALUES ('partitions', %s) ON CONFLICT (name) DO NOTHING",
        (str(wanted),),
    )


def _fill_reference(conn: psycopg.Connection[Any], networks: Any) -> None:
    for standard, holding in HOLDING.items():
        conn.execute(
            "INSERT INTO ref.token_standards (standard, family, holding, title) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (standard) DO UPDATE SET holding = EXCLUDED.holding, title = EXCLUDED.title",
            (standard, FAMILY[standard], holding, TITLES[standard]),
        )
    for network in networks:
        _fill_network(conn, network)


def _fill_network(conn: psycopg.Connection[Any], network: Network) -> None:
    settings = {
        "confirmed_depth": network.confirmed.depth,
        "finalized_depth": network.finalized.depth,
        "block_time_s": network.block_time_s,
        "proof": network.proof,
        "logs_window": network.logs_window,
        "requests_per_s": network.requests_per_s,
        "transaction_hashes_repeat": network.transaction_hashes_repeat,
    }
    conn.execute(
        "INSERT INTO ref.networks (network, family, chain_id, start_block, confirmed, finalized, settings)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (network) DO UPDATE SET family = EXCLUDED.family,"
        " chain_id = EXCLUDED.chain_id, start_block = EXCLUDED.start_block, confirmed = EXCLUDED.confirmed,"
        " finalized = EXCLUDED.finalized, settings = EXCLUDED.settings, updated_at = now()",
        (
            network.slug,
            network.family,
            network.chain_id,
            network.start_block,
            network.confirmed.tag or "depth",
            network.finalized.tag or "depth",
            Jsonb(settings),
        ),
    )
    for address, name in network.marketplaces.items():
        conn.execute(
            "INSERT INTO ref.marketplaces (network, address, name) VALUES (%s, %s, %s)"
            " ON CONFLICT (network, address) DO UPDATE SET name = EXCLUDED.name",
            (network.slug, address, name),
        )
    _fill_contracts(conn, network)


def _fill_contracts(conn: psycopg.Connection[Any], network: Network) -> None:
    """The listed contracts; one whose layout is another now comes in force anew, one that is listed no more goes."""
    listed = {address: each for address, each in network.contracts.items() if each.layout != NONE}
    for address, contract in listed.items():
        conn.execute(
            "INSERT INTO ref.contracts AS c (network, contract, layout, name, source) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (network, contract) DO UPDATE SET layout = EXCLUDED.layout, name = EXCLUDED.name,"
            " source = EXCLUDED.source,"
            " in_force_from = CASE WHEN c.layout = EXCLUDED.layout THEN c.in_force_from END",
            (network.slug, address, contract.layout, contract.name, contract.source),
        )
    for table in ("ref.contracts", "ingest.undecoded"):
        gone = f"DELETE FROM {table} WHERE network = %s AND contract <> ALL(%s)"
        conn.execute(gone.encode(), (network.slug, list(listed)))


def _where(url: str) -> str:
    info = psycopg.conninfo.conninfo_to_dict(url)
    return f"{info.get('host', 'localhost')}:{info.get('port', 5432)}/{info.get('dbname', '')}"
