"""Where a deployment stands, in the words of its database: what a fault run says when it has waited in vain."""

from typing import Final

import psycopg

from ft.config import Config

_QUERIES: Final = {
    "claims": "SELECT consumer, topic, partition, epoch, next_offset, next_seq, owner, updated_at::time(0)"
    " FROM system.partition_owner ORDER BY consumer, topic, partition",
    "announced": "SELECT partition, seq, ownership_seq, finality_seq, blocked FROM system.publish_cursor ORDER BY 1",
    "heads": "SELECT consumer, network, partition, position, head_number, safe, finalized FROM system.partition_head"
    " WHERE head_number >= 0 ORDER BY network, partition, consumer",
    "what the database does": "SELECT pid, application_name, state, wait_event_type, wait_event,"
    " (now() - xact_start)::interval(0), (now() - state_change)::interval(0), left(query, 80) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY application_name",
    "locks that are waited for": "SELECT pid, pg_blocking_pids(pid), locktype, relation::regclass, mode FROM pg_locks"
    " WHERE NOT granted",
    "now": "SELECT now()::time(0)",
}


def standing(config: Config) -> str:
    """A table of each; why not, where the database does not answer."""
    try:
        with psycopg.connect(config.postgres, autocommit=True) as conn:
            return "".join(f"\n{name}:{_table(conn, query)}" for name, query in _QUERIES.items())
    except psycopg.Error as exc:
        return f"\nthe database does not answer: {exc}"


def _table(conn: psycopg.Connection, query: str) -> str:
    rows = conn.execute(query.encode()).fetchall()
    return "".join("\n  " + "  ".join(str(value) for value in row) for row in rows)
