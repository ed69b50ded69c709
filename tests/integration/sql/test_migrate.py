"""The migrator and every named query, against the real Postgres."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any

import psycopg
import pytest
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer

from ft.access.postgres_logins import Login
from ft.config import Config
from ft.errors import ConfigError, DatabaseError, DatabaseUnavailable
from ft.ops.verify.run import Listener, verify
from ft.sql.migrate import ensure_login, migrate
from ft.sql.queries import load, words
from ft.streams.deployment.preflight import known_networks
from ft.streams.deployment.provision import partitions_of


def test_every_query_prepares_on_a_migrated_database(database: str) -> None:
    refused = {}
    with psycopg.connect(database, autocommit=True) as conn:
        for word in words():
            for name, text in load(word).items():
                try:
                    prepare(conn, f"{word}_{name}", text)
                except psycopg.Error as exc:
                    refused[f"{word}.sql {name}"] = str(exc)

    assert refused == {}


def prepare(conn: psycopg.Connection[Any], name: str, text: str) -> None:
    """Raises psycopg.Error for a query that does not fit the tables."""
    statement = PostgresQuery(Transformer())
    statement.convert(text, _Anything())
    if b"COPY" in statement.query and b"FROM STDIN" in statement.query:  # cannot be prepared: taken with no rows
        with conn.cursor().copy(statement.query):
            return
    if b"CREATE TEMP" in statement.query or b"TRUNCATE" in statement.query:  # what those after it read
        conn.execute(statement.query)
        return
    conn.execute(b'PREPARE "%b" AS %b' % (name.encode(), statement.query))


class _Anything(dict[str, None]):
    """Answers every parameter a query may name."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> None:
        return None


def test_migrating_twice_applies_nothing(config: Config) -> None:
    assert migrate(config.postgres, config) == []


def test_what_an_older_version_knew_is_kept_and_what_it_believed_is_doubted(config: Config) -> None:
    """Undo what 0016 made, leave what an older version left, and migrate."""
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "CREATE OR REPLACE VIEW projection.quarantined AS SELECT network, contract, block_number, tx_hash,"
            " log_index, reason, error, created_at FROM ingest.quarantine WHERE state = 'open'"
        )
        conn.execute("DROP TABLE ref.contracts, ingest.undecoded")
        conn.execute("ALTER TABLE ingest.created DROP COLUMN checked")
        conn.execute("DELETE FROM system.migrations WHERE name LIKE '0016%'")
        conn.execute(
            "INSERT INTO ingest.created (network, contract, number, hash, tx_hash) VALUES ('n', 'c', 1, 'h', 't')"
        )

    applied = migrate(config.postgres, config)

    with psycopg.connect(config.postgres) as conn:
        force: dict[str, int | None] = dict(
            conn.execute("SELECT contract, in_force_from FROM ref.contracts").fetchall()
        )
        created = conn.execute("SELECT contract, reasons, checked FROM ingest.created").fetchall()
        settings: dict[str, str] = dict(
            conn.execute("SELECT network, settings ->> 'transaction_hashes_repeat' FROM ref.networks").fetchall()
        )
    assert applied == ["0016_contracts.sql"]
    assert force["0x06012c8cf97bead5deae237070f9587f8e7a266d"] == 0
    assert force["0xf5b0a3efb8e8e4c201e2a935f110eaaf3ffecb8d"] is None
    assert created == [("c", "transactions_root", False)]
    assert (settings["ethereum"], settings["cronos"]) == ("false", "true")


def test_holdings_that_an_older_version_left_undated_are_found(config: Config) -> None:
    """Undo what 0036 made, leave holdings, and migrate."""
    with psycopg.connect(config.postgres) as conn:
        conn.execute("DROP TABLE ledger.undated")
        conn.execute("DELETE FROM system.migrations WHERE name LIKE '0036%'")
        conn.cursor().executemany(
            "INSERT INTO market.ownership_current (network, contract, token_id, slot, account, quantity, since,"
            " block_number, log_index, sub_index, standard, implicit)"
            " VALUES ('n', 'c', %s, %s, %s, %s, to_timestamp(%s), %s, 0, 0, 's', %s)",
            [
                (1, "", "a", 1, None, 5, False),
                (2, "", "a", 1, 7, 5, False),
                (3, "", "a", 1, None, -1, True),
                (4, "", "", 1, None, 5, False),
                (5, "a", "a", 3, None, 5, False),
                (6, "a", "a", 3, 7, -1, False),
                (7, "a", "a", 3, 7, 5, False),
                (8, "a", "a", 0, None, -1, False),
            ],
        )

    applied = migrate(config.postgres, config)

    with psycopg.connect(config.postgres) as conn:
        found = conn.execute("SELECT token_id::int, slot FROM ledger.undated ORDER BY 1").fetchall()
    assert applied == ["0036_undated.sql"]
    assert found == [(1, ""), (5, "a"), (6, "a")]


def test_contracts_that_an_older_version_met_are_known_by_what_they_tell_of(config: Config) -> None:
    """Undo what 0022 made, leave a journal, and migrate."""
    with psycopg.connect(config.postgres) as conn:
        conn.execute("DROP VIEW projection.late_events; DROP TABLE ledger.contract_kinds")
        conn.execute("DROP FUNCTION ledger.single_ids")
        conn.execute("CREATE TABLE ledger.hybrids (network text, contract text, partition integer)")
        conn.execute("DELETE FROM system.migrations WHERE name LIKE '0022%'")
        conn.execute("SELECT ledger.make_month('2024-01-01 00:00Z')")
        for seq, (contract, standard) in enumerate(
            (("a", "erc721"), ("b", "erc1155"), ("c", "erc404"), ("c", "erc1155")), 1
        ):
            conn.execute(
                "INSERT INTO ledger.events (partition, seq, network, block_number, block_hash, block_time, tx_hash,"
                " tx_from, contract, topic0, n, sub_index, log_index, revision, op, standard, token_id, quantity,"
                ' "from", "to") VALUES'
                " (1, %s, 'n', 1, 'h', '2024-01-02 00:00Z', %s, 'f', %s, 't', 0, 0, 0, 1, 'apply', %s, 1, 1, 'f', 't')",
                (seq, f"x{seq}", contract, standard),
            )

    applied = migrate(config.postgres, config)

    with psycopg.connect(config.postgres) as conn:
        met = conn.execute("SELECT contract, partition, single, multi FROM ledger.contract_kinds ORDER BY 1").fetchall()
    assert applied == ["0022_contract_kinds.sql"]
    assert met == [("a", 1, True, False), ("b", 1, False, True), ("c", 1, True, True)]


@pytest.mark.parametrize("multi", [False, True], ids=["of one holding", "of both"])
def test_a_journal_with_contracts_that_tell_of_both_holdings_is_written_anew(config: Config, multi: bool) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute("DROP VIEW projection.covered_balances; DROP TABLE ledger.covered_balances")
        conn.execute("ALTER TABLE projection.holdings DROP COLUMN covered")
        conn.execute("DELETE FROM system.migrations WHERE name LIKE '0026%'")
        conn.execute("INSERT INTO ledger.contract_kinds VALUES ('n', 'c', 1, true, %s)", (multi,))

    applied = migrate(config.postgres, config)

    with psycopg.connect(config.postgres) as conn:
        state = conn.execute("SELECT value FROM system.settings WHERE name = 'holders'").fetchone()
    assert applied == ["0026_covered_balances.sql"]
    assert state == (('{"step": "journal"}',) if multi else None)


def test_an_edited_migration_is_refused(config: Config) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute("UPDATE system.migrations SET sha256 = 'other' WHERE name LIKE '0001%'")

    with pytest.raises(DatabaseError, match="never edited once applied"):
        migrate(config.postgres, config)


def test_the_first_migration_chooses_the_partitions_for_good(config: Config) -> None:
    migrate(config.postgres, Config(home=config.home, cache=config.cache, addresses=config.addresses, partitions=3))

    assert partitions_of(config) == 8


def test_a_database_that_is_away_is_named_in_the_error(config: Config) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1/nowhere"):
        migrate("postgresql://ft@127.0.0.1:1/nowhere", config)


@pytest.fixture
def other_password(config: Config) -> Iterator[Config]:
    """ft_api has another password on the server than the settings say."""
    said = config.addresses["FT_POSTGRES_API_PASSWORD"]
    yield replace(config, addresses={**config.addresses, "FT_POSTGRES_API_PASSWORD": f"{said}-changed"})
    migrate(config.postgres, config)


def test_the_password_of_the_apis_login_is_what_its_setting_says(other_password: Config) -> None:
    before = refusal(other_password, "ft_api")

    migrate(other_password.postgres, other_password)

    assert "FT_POSTGRES_API_PASSWORD right" in before
    with psycopg.connect(other_password.postgres_as("ft_api")) as conn:
        assert conn.execute("SELECT session_user").fetchone() == ("ft_api",)


def test_a_password_that_may_not_be_changed_is_told(config: Config) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute("SET ROLE ft_writer")
        with pytest.raises(ConfigError, match="FT_POSTGRES_API_PASSWORD: expected the password of ft_api"):
            ensure_login(conn, Login(username="ft_api", password="an0ther"))


def test_a_writer_that_is_refused_is_told_by_its_settings(config: Config) -> None:
    wrong = replace(config, addresses={**config.addresses, "FT_POSTGRES_WRITER_PASSWORD": "wr0ng"})

    with pytest.raises(DatabaseUnavailable, match="the login 'ft_writer': are FT_POSTGRES_WRITER_USERNAME") as caught:
        known_networks(wrong)
    with pytest.raises(DatabaseUnavailable, match="the login 'ft_writer': are FT_POSTGRES_WRITER_USERNAME"):
        verify(wrong, wait_s=0, listener=Listener(), topics=False)

    assert "wr0ng" not in str(caught.value)


def refusal(config: Config, role: str) -> str:
    """What is told of a login that Postgres refuses."""
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(config.postgres_as(role))
    return config.postgres_remedy(caught.value, role)


@pytest.mark.parametrize("at", ["2008-12-31Z", "2100-01-01Z"])
def test_a_month_outside_of_the_chain_era_is_refused(database: str, at: str) -> None:
    with psycopg.connect(database) as conn, pytest.raises(psycopg.errors.DatetimeFieldOverflow, match="2009 to 2099"):
        conn.execute("SELECT ledger.ensure_month(%s)", (at,))


def test_months_hold_their_events_at_both_ends(database: str) -> None:
    with psycopg.connect(database) as conn:
        for at in ("2024-02-29 23:59:59.999999Z", "2024-03-01 00:00:00Z", "2024-03-01 00:00:00Z"):
            conn.execute("SELECT ledger.ensure_month(%s)", (at,))
            conn.execute(
                "INSERT INTO ledger.events SELECT 0, coalesce(max(seq), 0) + 1, 'n', 1, 'h', %s, 't', '', '', '', 0, 0,"
                " 0, 1, 'apply', '', 1, '', '', NULL, 1, NULL FROM ledger.events",
                (at,),
            )
        counts = conn.execute(
            "SELECT tableoid::regclass::text, count(*) FROM ledger.events GROUP BY 1 ORDER BY 1"
        ).fetchall()

    assert counts == [("ledger.events_202402", 1), ("ledger.events_202403", 2)]


def test_indexed_months_of_an_older_version_are_given_the_index_by_who_lost_a_token(database: str) -> None:
    text = (files("ft.sql") / "migrations" / "0018_api_echo_debits.sql").read_text()
    with psycopg.connect(database, autocommit=True) as conn:
        for at, indexed in (("2024-05-01Z", True), ("2024-06-01Z", False)):
            conn.execute("SELECT ledger.ensure_month(%s, %s)", (at, indexed))
        conn.execute("DROP INDEX ledger.events_202405_before; DROP VIEW projection.single_holdings")

        conn.execute("SET ROLE ft_migrate")
        conn.execute(text.encode())
        conn.execute("RESET ROLE")
        found = conn.execute("SELECT tablename FROM pg_indexes WHERE indexname LIKE '%\\_before'").fetchall()

    assert found == [("events_202405",)]
