"""ft verify against a real database: a sound one is proved, and every kind of damage is named."""

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from click.testing import CliRunner, Result

from ft.cli.verify import command
from ft.config import Config
from ft.errors import ConfigError, DatabaseUnavailable
from ft.ops.verify import run as module
from tests.integration.ops.verify.proven import execute, failing, run_ledger, run_project, verified

RunVerify = Callable[..., Result]


@pytest.fixture
def config(config: Config) -> Config:
    """The ledger's harness reads a topic without a prefix."""
    return replace(config, topic_prefix="")


@pytest.fixture
async def proven(config: Config) -> Config:
    await run_ledger(config)
    await run_project(config)
    return config


@pytest.fixture
def ft_verify(config: Config, monkeypatch: pytest.MonkeyPatch) -> RunVerify:
    monkeypatch.setenv("FT_POSTGRES", config.postgres)
    monkeypatch.setenv("FT_HOME", str(config.home))
    monkeypatch.delenv("FT_TOPIC_PREFIX", raising=False)
    return lambda *arguments: CliRunner().invoke(command, ["--wait", "0", "--no-topics", *arguments])


async def test_a_chain_with_reorgs_is_proved(proven: Config) -> None:
    report = verified(proven)

    assert failing(report) == {}
    assert report.unread_events == 0
    assert report.findings == []
    claims = {outcome.name: outcome.claim for outcome in report.outcomes}
    assert list(claims) == [check.name for check in module.CHECKS]
    with psycopg.connect(proven.postgres) as conn:
        row = conn.execute("SELECT count(*), count(*) FILTER (WHERE op = 'revert') FROM ledger.events").fetchone()
    assert row is not None
    assert row[1] > 0, "the chain had no reorg"
    assert claims["journal"].startswith(f"{row[0]:,} journal rows in 2 partitions")
    assert f"{row[1]:,} retractions repeat" in claims["ids"]
    assert claims["coverage"] == "8 collections, 8 with their whole history: sums checked for those"


async def test_the_command_says_what_it_proved(proven: Config, ft_verify: RunVerify) -> None:
    result = ft_verify()

    assert result.exit_code == 0, result.output
    assert result.output.count("proved ") == len(module.CHECKS)
    assert result.output.endswith("no differences\n")


ONE_EVENT = (
    "(partition, seq) = (SELECT partition, max(seq) - 2 FROM ledger.events WHERE op = 'apply' GROUP BY 1 LIMIT 1)"
)
ONE = "ctid = (SELECT min(ctid) FROM {})"

DAMAGES = {
    "a lost row": ("journal", f"DELETE FROM ledger.events WHERE {ONE_EVENT}"),
    "an owner that is ahead": (
        "journal",
        "UPDATE system.partition_owner SET next_seq = next_seq + 1 WHERE consumer = 'ledger'",
    ),
    "an event live twice": (
        "ids",
        (
            "INSERT INTO ledger.events SELECT partition, (SELECT max(seq) + 1 FROM ledger.events), network,"
            " block_number, block_hash, block_time, tx_hash, tx_from, contract, topic0, n, sub_index, log_index,"
            ' revision, op, standard, token_id, "from", "to", operator, quantity, control FROM ledger.events'
            f" WHERE {ONE_EVENT}"
        ),
    ),
    "a skipped revision": ("ids", f"UPDATE ledger.events SET revision = 2 WHERE {ONE_EVENT}"),
    "a retraction of something else": (
        "ids",
        (
            "UPDATE ledger.events SET quantity = quantity + 1 WHERE (partition, seq) ="
            " (SELECT partition, max(seq) FROM ledger.events WHERE op = 'revert' GROUP BY 1 LIMIT 1)"
        ),
    ),
    "a forgotten retraction": ("retracted", f"DELETE FROM ledger.retracted WHERE {ONE.format('ledger.retracted')}"),
    "a slice that is not whole": (
        "slices",
        (
            "UPDATE ledger.applied_blocks SET seq_to = seq_to + 1"
            " WHERE ctid = (SELECT min(ctid) FROM ledger.applied_blocks WHERE state = 'applied')"
        ),
    ),
    "a reverted slice called applied": (
        "slices",
        (
            "UPDATE ledger.applied_blocks SET state = 'applied'"
            " WHERE ctid = (SELECT min(ctid) FROM ledger.applied_blocks WHERE state = 'reverted')"
        ),
    ),
    "a broken chain": ("chain", "UPDATE ingest.blocks SET parent = '0xother' WHERE number = 5 AND state = 'canonical'"),
    "a head that is not there": ("chain", "UPDATE ingest.heads SET head_number = head_number + 1"),
    "a block that coverage does not know": (
        "stretches",
        "DELETE FROM ingest.blocks WHERE number = 4 AND state = 'canonical'",
    ),
    "coverage by another proof": ("stretches", "UPDATE ingest.coverage SET proof = 'logs'"),
    "a block of another branch in force": ("blocks", "UPDATE ingest.blocks SET state = 'reverted' WHERE number = 5"),
    "another account": (
        "singles",
        (
            "UPDATE market.ownership_current SET account = '0xthief'"
            " WHERE ctid = (SELECT min(ctid) FROM market.ownership_current WHERE slot = '')"
        ),
    ),
    "a token without a holder": (
        "singles",
        (
            "DELETE FROM market.ownership_current"
            " WHERE ctid = (SELECT min(ctid) FROM market.ownership_current WHERE slot = '')"
        ),
    ),
    "a token of which a live event tells, said to be implicit": (
        "singles",
        (
            "UPDATE market.ownership_current SET implicit = true"
            " WHERE ctid = (SELECT min(ctid) FROM market.ownership_current WHERE slot = '' AND NOT implicit)"
        ),
    ),
    "a wrong balance": (
        "multis",
        (
            "UPDATE market.ownership_current SET quantity = quantity + 1"
            " WHERE ctid = (SELECT min(ctid) FROM market.ownership_current WHERE slot <> '')"
        ),
    ),
    "a token since another time": (
        "singles",
        (
            "UPDATE market.ownership_current SET since = NULL"
            " WHERE ctid = (SELECT min(ctid) FROM market.ownership_current"
            " WHERE slot = '' AND NOT implicit AND account <> '0x0000000000000000000000000000000000000000')"
        ),
    ),
    "a balance since another time": (
        "multis",
        (
            "UPDATE market.ownership_current SET since = NULL"
            " WHERE ctid = (SELECT min(ctid) FROM market.ownership_current WHERE slot <> '' AND quantity > 0)"
        ),
    ),
    "a balance that stands on another event": (
        "multis",
        (
            "UPDATE market.ownership_current SET block_number = -1, log_index = -1, sub_index = -1"
            " WHERE ctid = (SELECT min(ctid) FROM market.ownership_current WHERE slot <> '' AND quantity > 0)"
        ),
    ),
    "a projected holding": ("holdings", f"DELETE FROM projection.holdings WHERE {ONE.format('projection.holdings')}"),
    "a card": (
        "cards",
        f"UPDATE projection.asset_cards SET transfers = transfers + 1 WHERE {ONE.format('projection.asset_cards')}",
    ),
    "a holder": (
        "holders",
        (
            "UPDATE projection.collection_holders SET holdings = holdings + 1"
            f" WHERE {ONE.format('projection.collection_holders')}"
        ),
    ),
    "a figure": (
        "stats",
        f"UPDATE projection.collection_stats SET owners = 0 WHERE {ONE.format('projection.collection_stats')}",
    ),
    "a day": ("activity", "UPDATE projection.collection_activity SET mints = mints + 1"),
    "an asset": ("assets", f"DELETE FROM catalog.assets WHERE {ONE.format('catalog.assets')}"),
    "a uuid": (
        "uuids",
        f"UPDATE catalog.assets SET uuid = gen_random_uuid() WHERE {ONE.format('catalog.assets')}",
    ),
    "a projected head": ("heads", "UPDATE system.partition_head SET safe = 99 WHERE consumer = 'project'"),
}


async def test_every_kind_of_damage_is_named(proven: Config, ft_verify: RunVerify) -> None:
    missed = {}
    for name, (check, damage) in DAMAGES.items():
        with psycopg.connect(proven.postgres) as conn:
            _snapshot(conn)
            touched = conn.execute(damage.encode()).rowcount
            conn.commit()
            report = verified(proven)
            _restore(conn)
        if not touched or check not in failing(report):
            missed[name] = (touched, failing(report))

    assert missed == {}
    assert ft_verify().exit_code == 0


TABLES = (
    "ledger.events", "ledger.retracted", "ledger.applied_blocks", "ingest.blocks", "ingest.heads", "catalog.assets",
    "market.ownership_current", "ingest.coverage", "projection.holdings", "projection.asset_cards",
    "projection.collection_holders",
    "projection.collection_stats", "projection.collection_activity", "system.partition_head", "system.partition_owner",
)  # fmt: skip


def _snapshot(conn: psycopg.Connection[tuple[object, ...]]) -> None:
    for number, table in enumerate(TABLES):
        conn.execute(f"CREATE TEMP TABLE IF NOT EXISTS kept_{number} AS SELECT * FROM {table}".encode())
    conn.commit()


def _restore(conn: psycopg.Connection[tuple[object, ...]]) -> None:
    conn.execute(f"TRUNCATE {', '.join(TABLES)}".encode())
    for number, table in enumerate(TABLES):
        conn.execute(f"INSERT INTO {table} SELECT * FROM kept_{number}".encode())
    conn.commit()


async def test_holdings_that_wait_for_a_month_to_be_dated_are_no_difference_and_told(proven: Config) -> None:
    execute(proven, "UPDATE market.ownership_current SET since = NULL, block_number = -1 WHERE slot <> ''")
    execute(proven, "UPDATE market.ownership_current SET since = NULL WHERE slot = ''")
    execute(
        proven,
        "INSERT INTO ledger.undated SELECT network, contract, token_id, slot FROM market.ownership_current",
    )

    report = verified(proven)

    assert failing(report).keys() & {"singles", "multis"} == set()
    assert any("holdings are not dated yet" in note for note in report.notes)


async def test_the_command_lists_differences_and_exits_1(proven: Config, ft_verify: RunVerify) -> None:
    execute(proven, "UPDATE market.ownership_current SET account = '0xthief', quantity = 9 WHERE slot = ''")

    result = ft_verify()

    assert result.exit_code == 1
    assert "differs  " in result.output
    assert ": expected 0x" in result.output
    assert "got 0xthief at " in result.output
    assert "… and " in result.output


async def test_a_project_that_is_behind_is_said_so_and_compared_as_far_as_it_has_read(
    config: Config, ft_verify: RunVerify
) -> None:
    await run_ledger(config)
    await run_project(config, leave_unread=10)

    behind, allowed = ft_verify(), ft_verify("--allow-lag")

    assert behind.exit_code == 1
    assert "behind   project has not read " in behind.output
    assert "differs" not in behind.output
    assert allowed.exit_code == 0


UNTRUE = (
    "INSERT INTO ledger.events SELECT partition,"
    " (SELECT max(x.seq) + 1 FROM ledger.events x WHERE x.partition = e.partition), network, block_number,"
    " block_hash, block_time, '0xbad', tx_from, contract, topic0, n, sub_index, log_index + 900, 1, 'apply', standard,"
    " token_id, '0xnobody', '0xnobody2', operator, quantity, control FROM ledger.events e WHERE op = 'apply'"
    " AND standard = '{}' AND (partition, block_hash) IN"
    " (SELECT partition, block_hash FROM ledger.applied_blocks WHERE state = 'applied')"
    " ORDER BY block_number DESC, seq DESC LIMIT 1"
)
NEGATIVE = UNTRUE.format("erc1155")


async def test_a_negative_sum_is_a_finding_under_full_coverage_and_heals(proven: Config, ft_verify: RunVerify) -> None:
    execute(proven, NEGATIVE)

    found = verified(proven)
    kept = _findings(proven)
    strict = ft_verify("--strict")
    execute(proven, "DELETE FROM ledger.events WHERE tx_hash = '0xbad'")
    healed = verified(proven)

    assert [finding.detail["reason"] for finding in found.findings] == ["negative sum"]
    assert "0xnobody" in [told["account"] for told in found.findings[0].detail["sums"]]
    assert kept == [("nonconserving", found.findings[0].token_id)]
    assert strict.exit_code == 1
    assert (healed.findings, healed.healed, _findings(proven)) == ([], 1, [])


async def test_a_token_that_leaves_somebody_who_does_not_have_it_is_a_finding_that_says_who(
    proven: Config, ft_verify: RunVerify
) -> None:
    execute(proven, UNTRUE.format("erc721"))

    (found,) = verified(proven).findings
    said = ft_verify().output

    assert (found.detail["reason"], found.detail["from"]) == ("from does not hold it", "0xnobody")
    assert f"from does not hold it (0xnobody -> 0xnobody2, held by {found.detail['holder'] or 'nobody'})" in said
    assert _findings(proven) == [("nonconserving", found.token_id)]


@pytest.mark.parametrize(
    "hole",
    [
        'UPDATE ingest.coverage SET "from" = "from" + 1',
        (
            "INSERT INTO ingest.quarantine (network, block_number, block_hash, reason, error, payload, raw_offset)"
            " VALUES ('synthetic', 7, '0x', 'r', 'e', '', 0)"
        ),
    ],
)
async def test_without_the_whole_history_nothing_is_a_finding(proven: Config, hole: str) -> None:
    execute(proven, NEGATIVE)
    execute(proven, hole)

    report = verified(proven)

    assert report.findings == []
    assert any("8 collections, 0 with their whole history" in outcome.claim for outcome in report.outcomes)


async def test_a_collection_is_whole_from_the_block_that_created_it(proven: Config) -> None:
    execute(proven, 'UPDATE ingest.coverage SET "from" = 3')
    execute(
        proven,
        "INSERT INTO ingest.created SELECT network, contract, 3, '0x', '0x' FROM ledger.events"
        " WHERE op = 'apply' LIMIT 1",
    )

    report = verified(proven)

    assert any("8 collections, 1 with their whole history" in outcome.claim for outcome in report.outcomes)


def _findings(config: Config) -> list[tuple[str, str]]:
    with psycopg.connect(config.postgres) as conn:
        return [(k, str(t)) for k, t in conn.execute("SELECT kind, token_id FROM system.findings").fetchall()]


def test_a_database_that_does_not_answer_exits_2(ft_verify: RunVerify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_POSTGRES", "postgresql://ft:ft@127.0.0.1:1/ft")

    result = ft_verify()

    assert result.exit_code == 2


def test_a_database_without_our_tables_is_refused_with_the_remedy(config: Config) -> None:
    execute(config, "DROP SCHEMA market CASCADE")

    with pytest.raises(ConfigError, match="Run `ft migrate`"):
        verified(config)


def test_an_unreachable_database_may_answer_later(config: Config) -> None:
    away = replace(config, addresses={**config.addresses, "FT_POSTGRES": "postgresql://ft:ft@127.0.0.1:1/ft"})

    with pytest.raises(DatabaseUnavailable):
        verified(away)
