"""A deployment of an earlier version migrated: its journal says who holds what, and is announced from the first row."""

from typing import Any

from ft.agents.publish.announcements import TOPICS
from ft.config import Config
from ft.ops.rebuild.domain import rebuild_project
from ft.ops.verify.subscriber import Holdings
from tests.integration.agents.project.subscribing import tables
from tests.integration.agents.publish.announcing import announce, messages
from tests.integration.ops.anew.before import (
    PARTITIONS,
    changes,
    recorded,
    rows,
    run_project,
    told_of,
)
from tests.integration.ops.anew.later import differences, go_on, migrated, unheard
from tests.integration.ops.anew.model import Model

JOURNAL = (
    "SELECT partition, seq, network, block_number, block_hash, block_time, tx_hash, tx_from, contract, topic0, n,"
    " sub_index, log_index, revision, op, standard, token_id, \"from\", \"to\", operator, quantity, control"
    " FROM ledger.events ORDER BY partition, seq"
)  # fmt: skip
RETRACTED = "SELECT * FROM ledger.retracted ORDER BY partition, seq"
MONTHS = "SELECT month, indexed FROM ledger.months ORDER BY month"
HELD = (
    "SELECT network, contract, token_id::text, slot, account, quantity FROM market.ownership_current"
    " ORDER BY network, contract, token_id, slot"
)
SINGLES = "SELECT contract, token_id, account, block_number, implicit FROM market.ownership_current WHERE slot = ''"


async def test_the_journal_says_what_a_plain_recomputation_says(earlier: Config) -> None:
    before = [rows(earlier, query) for query in (JOURNAL, RETRACTED, MONTHS)]

    migrated(earlier)

    model = Model.of(earlier)
    assert model.written == model.expected
    assert [rows(earlier, query) for query in (JOURNAL, RETRACTED, MONTHS)] == before
    written = rows(earlier, "SELECT count(*) FROM ledger.events WHERE holder IS NOT NULL")[0][0]
    assert 5 < written < len(model.written) / 2
    assert {(contract, token): tuple(held) for contract, token, *held in rows(earlier, SINGLES)} == model.holdings


async def test_the_topics_begin_with_the_first_row_and_all_comes_to_the_same(earlier: Config) -> None:
    ends = {topic: [len(values) for values in recorded()["records"][topic]] for topic in TOPICS}
    migrated(earlier)

    left = {topic: [len(messages(earlier, topic, p)) for p in range(PARTITIONS)] for topic in TOPICS}
    await announce(earlier, PARTITIONS)
    again = await run_project(earlier)

    assert left == {topic: [0] * PARTITIONS for topic in TOPICS}
    for partition in range(PARTITIONS):
        first, *_ = told = changes(earlier, partition)
        assert (first["seq"], first["prev_seq"]) == (1, 0)
        assert messages(earlier, "ownership_changed", partition)[0].offset == ends["ownership_changed"][partition]
        singles = [change for change in told_of(told) if change["standard"] == "erc721"]
        assert singles
        assert [change for change in singles if change["holder"] is None] == []
    assert again == sum(ends["ownership_changed"])
    assert differences(earlier) == {}


async def test_projections_are_whole_at_once_and_equal_those_from_the_topic(earlier: Config) -> None:
    migrated(earlier)

    at_once = tables(earlier.postgres)
    await announce(earlier, PARTITIONS)
    await run_project(earlier)
    read_on = tables(earlier.postgres)
    rebuilt = await rebuild_project(earlier, unheard)

    assert len(at_once["cards"]) > 20
    assert read_on == at_once
    assert tables(earlier.postgres) == at_once
    assert rebuilt.records == sum(map(len, recorded()["records"]["ownership_changed"]))
    assert differences(earlier) == {}


async def test_what_no_event_moved_is_no_asset_any_more(earlier: Config) -> None:
    migrated(earlier)

    nothing = rows(earlier, "SELECT DISTINCT contract, token_id FROM ledger.events WHERE quantity = 0")
    assert nothing
    known = (
        "SELECT contract, token_id FROM catalog.assets UNION SELECT contract, token_id FROM market.ownership_current"
    )
    assert set(nothing) & set(rows(earlier, known)) == set()


async def test_a_new_subscriber_comes_to_what_the_ledger_holds_through_blocks_that_follow(earlier: Config) -> None:
    migrated(earlier)

    await announce(earlier, PARTITIONS)
    await go_on(earlier)
    await announce(earlier, PARTITIONS)

    found = []
    for partition in range(PARTITIONS):
        holdings, seq = Holdings(), 0
        for change in changes(earlier, partition):
            assert change["prev_seq"] == seq
            seq = change["seq"]
            holdings.follow(change)
        found += [row[:6] for row in holdings.rows() if row[5] or not row[3]]
    held = [row for row in rows(earlier, HELD) if row[5] or not row[3]]
    assert sorted(found) == sorted(held)
    await run_project(earlier)
    assert differences(earlier) == {}


async def test_a_subscriber_that_had_read_half_drops_the_repeats_and_goes_on(earlier: Config) -> None:
    migrated(earlier)
    await announce(earlier, PARTITIONS)
    await go_on(earlier)
    await announce(earlier, PARTITIONS)

    held = {tuple(row[:4]): (row[4], row[5]) for row in rows(earlier, HELD)}
    for partition, had in enumerate(recorded()["half_read"]):
        holdings, seq, dropped, touched = _half_read(had), had["seq"], 0, set()
        for change in changes(earlier, partition):
            if change["seq"] <= seq:
                dropped += 1
                continue
            assert change["prev_seq"] == seq
            seq = change["seq"]
            holdings.follow(change)
            touched.add((change["network"], change["contract"], change["token_id"]))
        assert dropped == len(recorded()["records"]["ownership_changed"][partition]) // 2
        assert len(touched) > 5
        for *asset, slot, account, quantity, _ in holdings.rows():
            if slot or tuple(asset) in touched:  # a token of which no record came since is with whom it had been
                assert held.get((*asset, slot), (account, 0)) == (account, quantity)


def _half_read(had: Any) -> Holdings:
    holdings = Holdings()
    for *asset, account in had["owners"]:
        holdings.owners[tuple(asset)] = (account, 0)
    for *asset, account, quantity in had["balances"]:
        holdings.balances.setdefault(tuple(asset), {})[account] = int(quantity)
    return holdings
