"""A database whose journal is of a version that did not write who holds a token -> one of this version.

1. ``journal``: what each row led to is written into the old rows that do not say it themselves
2. ``holdings``: who owns what now is counted from the journal, by today's definitions
3. ``topics``: the ledger's topics lose their old records, and the journal is announced from its first row on
Each transaction notes how far it came, so that whatever ends it, the next ``ft migrate`` goes on from there. Until all
is done no worker starts.
"""

import time
from typing import Final

import psycopg

from ft.config import Config
from ft.ops.anew.announce import announce
from ft.ops.anew.journal import write_holders
from ft.ops.anew.state import SQL, Connection, State, Step, put, state_of
from ft.ops.rebuild.progress import Progress, Report
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import SINGLE
from ft.sql.migrate import require_stopped, stored_partitions
from ft.sql.queries import LIVE, load
from ft.sql.session import session, translated

_LOOK_AGAIN_S: Final = 1.0
_SAID: Final[dict[Step, str]] = {"journal": "holders, written into the journal", "holdings": "holdings, counted anew"}


def announce_anew(config: Config, report: Report) -> bool:
    """Do what is left to do; False where that is nothing, as on a fresh database.

    Raises StillRunning, DatabaseError, DatabaseUnavailable, BrokerError, BrokerUnavailable; the next call goes on.
    """
    try:
        with _connected(config) as conn:
            if state_of(conn) is None:
                return False
            _wait_for_others(conn, report)
            _Run(config, conn, report).to_the_end()
    except psycopg.Error as exc:
        raise translated(exc) from exc
    return True


class _Run:
    """What one ``ft migrate`` does of it."""

    def __init__(self, config: Config, conn: Connection, report: Report) -> None:
        self._config = config
        self._conn = conn
        self._report = report
        self._partitions = stored_partitions(conn)
        self._ends = dict(conn.execute(load(SQL, LIVE)["journal_ends"]).fetchall())
        self._progress = Progress(what="")

    def to_the_end(self) -> None:
        """A partition, or the last step, at a time; nobody may have begun to write in between."""
        while (state := state_of(self._conn)) is not None:
            require_stopped(self._conn)
            if state.step == "topics":
                announce(self._config, self._conn, self._partitions, self._report)
                self._report("done: a worker announces the journal from its first row on")
            elif state.partition >= self._partitions:
                self._report(str(self._progress))
                put(self._conn, State(step="holdings" if state.step == "journal" else "topics"))
            else:
                self._do_partition(state)

    def _do_partition(self, state: State) -> None:
        progress = self._progress
        if progress.what != _SAID[state.step]:
            left = sum(rows for partition, rows in self._ends.items() if partition >= state.partition)
            progress = self._progress = Progress(what=_SAID[state.step], total=left)
        self._report(progress)
        if state.step == "journal":
            with _connected(self._config) as reader:
                write_holders(reader, self._conn, state, lambda _: self._report(progress))
        else:
            _count_holdings(self._conn, state)
        progress.done += self._ends.get(state.partition, 0)
        self._report(progress)


def _count_holdings(conn: Connection, state: State) -> None:
    """Step 2 of one partition: its single tokens, then its balances."""
    sql, values = (
        load(SQL, LIVE),
        {"partition": state.partition, "single": sorted(SINGLE), "nobody": sorted(NO_ACCOUNTS)},
    )
    with conn.transaction():
        conn.execute(sql["singles"], values)
        conn.execute(sql["multis"], values)
        conn.execute(sql["covered"], values)
        put(conn, State(step="holdings", partition=state.partition + 1))


def _connected(config: Config) -> Connection:
    """As ft_migrate, who owns the journal: no other role may change its rows."""
    where = session(config.postgres, "", application_name="ft migrate")
    try:
        conn = psycopg.connect(where, autocommit=True)
    except psycopg.Error as exc:
        raise config.no_connection(exc) from exc
    try:
        conn.execute("SET ROLE ft_migrate")
        conn.execute(load(SQL, LIVE)["plan"])
    except BaseException:
        conn.close()
        raise
    return conn


def _wait_for_others(conn: Connection, report: Report) -> None:
    """Two at once take turns; the second finds nothing left to do."""
    told = False
    while conn.execute(load(SQL, LIVE)["only_one"]).fetchone() != (True,):
        if not told:
            report("another `ft migrate` is at it: waiting for it")
            told = True
        time.sleep(_LOOK_AGAIN_S)
